-- Releases a lock if the token is its holder's, and tells those who wait.
-- > SET lock:a token-1 PX 30000
-- KEYS lock:a
-- ARGV token-1
-- < 1
-- > SET lock:a token-2 PX 30000
-- KEYS lock:a
-- ARGV token-1
-- < 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
redis.call('PUBLISH', 'released:' .. KEYS[1], ARGV[1])
return redis.call('DEL', KEYS[1])
