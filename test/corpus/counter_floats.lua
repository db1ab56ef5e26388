-- Keeps sum, mean and variance of what is measured, by Welford's method.
-- > HSET stat n 2 mean 4 m2 2
-- KEYS stat
-- ARGV 7
-- < [ 3 "5" "7" ]
local n = redis.call('HINCRBY', KEYS[1], 'n', 1)
local x = tonumber(ARGV[1])
local mean = tonumber(redis.call('HGET', KEYS[1], 'mean') or 0)
local delta = x - mean
redis.call('HINCRBYFLOAT', KEYS[1], 'mean', delta / n)
mean = mean + delta / n
redis.call('HINCRBYFLOAT', KEYS[1], 'm2', delta * (x - mean))
redis.call('INCRBYFLOAT', KEYS[1] .. ':sum', x)
return {n, redis.call('HGET', KEYS[1], 'mean'), redis.call('GET', KEYS[1] .. ':sum')}
