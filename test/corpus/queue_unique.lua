-- Adds a job unless the same one is there already.
-- KEYS unique queue
-- ARGV digest-1 job-1 60
-- < 1
-- > SET unique:digest-1 job-0
-- KEYS unique queue
-- ARGV digest-1 job-1 60
-- < "job-0"
local name = KEYS[1] .. ':' .. ARGV[1]
if redis.call('SET', name, ARGV[2], 'EX', ARGV[3], 'NX') then
    return redis.call('RPUSH', KEYS[2], ARGV[2])
end
return redis.call('GET', name)
