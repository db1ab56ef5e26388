-- A vote that can be changed: counts, voters and totals in step.
-- > HSET votes anna up
-- > ZADD score 1 post
-- > HSET totals up 1 down 0
-- KEYS votes score totals
-- ARGV anna down post
-- < "-1"
-- > HSET votes anna down
-- KEYS votes score totals
-- ARGV anna down post
-- < SAME
local weight = {up = 1, down = -1}
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old == ARGV[2] then
    return redis.status_reply('SAME')
end
if old then
    redis.call('ZINCRBY', KEYS[2], -weight[old], ARGV[3])
    redis.call('HINCRBY', KEYS[3], old, -1)
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HINCRBY', KEYS[3], ARGV[2], 1)
return redis.call('ZINCRBY', KEYS[2], weight[ARGV[2]], ARGV[3])
