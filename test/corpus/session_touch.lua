-- Reads a session and prolongs it, if it is one.
-- > SET session:a data EX 100
-- KEYS session:a
-- ARGV 3600
-- < [ "data" 3600 ]
-- KEYS session:a
-- ARGV 3600
-- < !ERR NOSESSION
local data = redis.call('GETEX', KEYS[1], 'EX', ARGV[1])
if not data then
    return redis.error_reply('NOSESSION')
end
redis.call('ZADD', 'seen', 1, KEYS[1])
return {data, redis.call('TTL', KEYS[1])}
