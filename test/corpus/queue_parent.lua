-- A job with children becomes ready when the last of them is done.
-- > SADD children c1 c2
-- > HSET results c0 zero
-- KEYS children results waiting
-- ARGV parent c1 one
-- < [ "waits" 1 ]
-- > SADD children c1
-- > HSET results c0 zero
-- KEYS children results waiting
-- ARGV parent c1 one
-- < [ "ready" [ "zero" "one" ] ]
if redis.call('SREM', KEYS[1], ARGV[2]) == 0 then
    return redis.error_reply('UNKNOWN child')
end
redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3])
if redis.call('SCARD', KEYS[1]) == 0 then
    redis.call('LPUSH', KEYS[3], ARGV[1])
    return {'ready', redis.call('HVALS', KEYS[2])}
end
return {'waits', redis.call('SCARD', KEYS[1])}
