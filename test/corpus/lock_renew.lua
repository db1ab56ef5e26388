-- Prolongs a lock if the token is its holder's; never shortens it.
-- > SET lock:a token-1 PX 30000
-- KEYS lock:a
-- ARGV token-1 60000
-- < 1
-- > SET lock:a token-1 PX 90000
-- KEYS lock:a
-- ARGV token-1 60000
-- < 0
-- KEYS lock:a
-- ARGV token-1 60000
-- < -1
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return -1
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
