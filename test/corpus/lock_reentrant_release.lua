-- Releases one level of a lock that can be taken again; at the last, all is given back.
-- > HSET lock:r me 2
-- KEYS lock:r channel:r
-- ARGV me 30000
-- < 0
-- > HSET lock:r me 1
-- KEYS lock:r channel:r
-- ARGV me 30000
-- < 1
-- > HSET lock:r other 1
-- KEYS lock:r channel:r
-- ARGV me 30000
-- < nil
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
    return nil
end
local left = redis.call('HINCRBY', KEYS[1], ARGV[1], -1)
if left > 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return 0
end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', KEYS[2], 'unlock')
return 1
