-- A sample of a stream of numbers, by math.random with a seed.
-- KEYS sample
-- ARGV 42 5 40
-- < *
math.randomseed(ARGV[1])
local size = tonumber(ARGV[2])
for i = 1, ARGV[3] do
    if i <= size then
        redis.call('RPUSH', KEYS[1], i)
    else
        local at = math.random(i)
        if at <= size then
            redis.call('LSET', KEYS[1], at - 1, i)
        end
    end
end
return redis.call('LLEN', KEYS[1])
