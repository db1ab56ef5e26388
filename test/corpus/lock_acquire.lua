-- Acquires a lock for a time, under a token that only its holder knows.
-- KEYS lock:a
-- ARGV token-1 30000
-- < 1
-- > SET lock:a token-2 PX 5000
-- KEYS lock:a
-- ARGV token-1 30000
-- < 0
-- > SET lock:a token-1 PX 5000
-- KEYS lock:a
-- ARGV token-1 30000
-- < 1
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    redis.call('PUBLISH', 'locks', KEYS[1])
    return 1
end
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
