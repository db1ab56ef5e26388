-- A cache of so many entries: who was used least recently goes.
-- > HSET entries a 1 b 2 c 3
-- > ZADD used 1 a 2 b 3 c
-- KEYS entries used
-- ARGV 4 3 d 4
-- < [ 3 0 ]
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[3])
local over = redis.call('ZCARD', KEYS[2]) - ARGV[2]
if over > 0 then
    local old = redis.call('ZPOPMIN', KEYS[2], over)
    for i = 1, #old, 2 do
        redis.call('HDEL', KEYS[1], old[i])
    end
end
return {redis.call('HLEN', KEYS[1]), redis.call('HEXISTS', KEYS[1], 'a')}
