-- Hands a lock over to another holder, with what is left of its time.
-- > SET lock:t me PX 30000
-- > SADD holders me
-- KEYS lock:t holders
-- ARGV me you
-- < [ nil [ "you" ] ]
-- > SET lock:t him PX 30000
-- KEYS lock:t holders
-- ARGV me you
-- < !ERR NOTHELD
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return redis.error_reply('NOTHELD')
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
return {redis.call('GETSET', KEYS[1] .. ':before', ARGV[1]), redis.call('SMEMBERS', KEYS[2])}
