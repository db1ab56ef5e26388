#!lua name=counters
-- FUNCTION counter_add
-- A library with two functions that share a local one.
-- > SET c 5
-- KEYS c
-- ARGV 3 10
-- < 8
-- > SET c 9
-- KEYS c
-- ARGV 3 10
-- < !BOUND of 10
local function read(key)
    return tonumber(redis.call('GET', key) or 0)
end
redis.register_function('counter_add', function(keys, args)
    local sum = read(keys[1]) + args[1]
    redis.call('SET', keys[1], sum)
    if sum > tonumber(args[2]) then
        error({err = 'BOUND of ' .. args[2]})
    end
    return sum
end)
redis.register_function{
    function_name = 'counter_get',
    callback = function(keys) return read(keys[1]) end,
    flags = {'no-writes'},
}
