#!lua name=stateful
-- FUNCTION remember
-- A library whose functions remember something between calls, in a local variable.
-- KEYS k
-- ARGV x
-- < *
local seen = {}
redis.register_function('remember', function(keys, args)
    seen[args[1]] = (seen[args[1]] or 0) + 1
    redis.call('HSET', keys[1], args[1], seen[args[1]])
    redis.call('PEXPIRE', keys[1], 100000)
    return pcall(redis.call, 'INCR', keys[1])
end)
