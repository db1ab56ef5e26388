-- A lock that its holder may take again: a hash with a count for the holder. Replies with
-- nil when it is taken, and otherwise with the milliseconds for which others have it.
-- KEYS lock:r
-- ARGV 30000 client-1:thread-1
-- < nil
-- > HSET lock:r client-1:thread-1 2
-- > PEXPIRE lock:r 10000
-- KEYS lock:r
-- ARGV 30000 client-1:thread-1
-- < nil
-- > HSET lock:r client-2:thread-1 1
-- KEYS lock:r
-- ARGV 30000 client-1:thread-1
-- < -1
local is_free = redis.call('EXISTS', KEYS[1]) == 0
if is_free or redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then
    redis.call('HINCRBY', KEYS[1], ARGV[2], 1)
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    return nil
end
return redis.call('PTTL', KEYS[1])
