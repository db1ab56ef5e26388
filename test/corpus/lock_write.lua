-- Takes a lock for writing: nobody else may have it. A reader does not become a writer.
-- KEYS rw:a
-- ARGV writer-1 30000
-- < 1
-- > HSET rw:a mode write writer-1 1
-- KEYS rw:a
-- ARGV writer-1 30000
-- < 2
-- > HSET rw:a mode read writer-1 1
-- KEYS rw:a
-- ARGV writer-1 30000
-- < 0
local mode = redis.call('HGET', KEYS[1], 'mode')
if not mode then
    redis.call('HSET', KEYS[1], 'mode', 'write', ARGV[1], 1)
elseif mode == 'write' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
    redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
else
    return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return tonumber(redis.call('HGET', KEYS[1], ARGV[1]))
