-- An error that is caught, noted and raised again undoes the note as well.
-- > SET text x
-- KEYS text
-- < !WRONGTYPE Operation against a key holding the wrong kind of value
local reply = redis.pcall('HSET', KEYS[1], 'f', 1)
if reply.err then
    redis.call('RPUSH', 'errors', reply.err)
    error(reply)
end
return 1
