-- Writes only for who has the newest number that has been seen.
-- > HSET guarded fence 41 content old
-- KEYS guarded
-- ARGV 42 new
-- < WRITTEN
-- > HSET guarded fence 43 content newest
-- KEYS guarded
-- ARGV 42 new
-- < !STALE fence 42 is older than 43
local seen = tonumber(redis.call('HGET', KEYS[1], 'fence') or 0)
if tonumber(ARGV[1]) < seen then
    error({err = 'STALE fence ' .. ARGV[1] .. ' is older than ' .. seen})
end
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'content', ARGV[2])
redis.call('RPUSH', KEYS[1] .. ':history', ARGV[1] .. '=' .. ARGV[2])
return redis.status_reply('WRITTEN')
