-- Takes a lock for reading: any number may, while nobody writes.
-- KEYS rw:a
-- ARGV reader-1 30000
-- < 1
-- > HSET rw:a mode read reader-2 1
-- KEYS rw:a
-- ARGV reader-1 30000
-- < 1
-- > HSET rw:a mode write writer-1 1
-- KEYS rw:a
-- ARGV reader-1 30000
-- < 0
local mode = redis.call('HGET', KEYS[1], 'mode')
if mode == 'write' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
    return 0
end
if not mode then
    redis.call('HSET', KEYS[1], 'mode', 'read')
end
local count = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
redis.call('SET', KEYS[1] .. ':' .. ARGV[1] .. ':' .. count, 1, 'PX', ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return count
