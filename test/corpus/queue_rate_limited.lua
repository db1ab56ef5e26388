-- Takes a job unless too many were taken in this window.
-- > RPUSH jobs a b c
-- > SET window 1 PX 60000
-- KEYS jobs window active
-- ARGV 2 60000
-- < [ "taken" "a" ]
-- > RPUSH jobs a b c
-- > SET window 2 PX 60000
-- KEYS jobs window active
-- ARGV 2 60000
-- < [ "limited" ]
if tonumber(redis.call('GET', KEYS[2]) or 0) >= tonumber(ARGV[1]) then
    return {'limited'}
end
local job = redis.call('LPOP', KEYS[1])
if not job then return {'empty'} end
if redis.call('INCR', KEYS[2]) == 1 then
    redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
redis.call('SADD', KEYS[3], job)
return {'taken', job}
