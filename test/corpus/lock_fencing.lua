-- A lock whose holders get numbers that only grow, so that what they guard can refuse
-- who comes late.
-- KEYS lock:n fence:n
-- ARGV me 30000
-- < 1
-- > SET fence:n 41
-- KEYS lock:n fence:n
-- ARGV me 30000
-- < 42
-- > SET lock:n other
-- > SET fence:n 41
-- KEYS lock:n fence:n
-- ARGV me 30000
-- < nil
if redis.call('SETNX', KEYS[1], ARGV[1]) == 0 then
    return false
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local fence = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1] .. ':last', 'holder', ARGV[1], 'fence', fence)
return fence
