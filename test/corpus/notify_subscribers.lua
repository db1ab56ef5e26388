-- Tells the followers of somebody, each on a channel and in a box of limited size.
-- > SADD followers:1 a b c
-- KEYS followers:1
-- ARGV hello
-- < 3
for _, who in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    redis.call('LPUSH', 'box:' .. who, ARGV[1])
    redis.call('LTRIM', 'box:' .. who, 0, 1)
    redis.call('PUBLISH', 'box:' .. who, ARGV[1])
end
return redis.call('SCARD', KEYS[1])
