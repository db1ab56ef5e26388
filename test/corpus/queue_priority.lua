-- A queue by priority, and among equals by age: both in one score.
-- > ZADD queue 1048577 x 2097154 y
-- > SET number 7
-- KEYS queue number
-- ARGV 1 z
-- < [ "x" [ "z" "y" ] ]
local number = redis.call('INCR', KEYS[2])
redis.call('ZADD', KEYS[1], ARGV[1] * 2 ^ 20 + number % 2 ^ 20, ARGV[2])
local first = redis.call('ZPOPMIN', KEYS[1])
return {first[1], redis.call('ZRANGE', KEYS[1], 0, -1)}
