-- A message to a room: numbered, kept for a while, counted as unread for the others.
-- > SADD room:members anna ben cleo
-- > SET room:id 6
-- KEYS room:id room:log room:members room:unread
-- ARGV anna hello
-- < 7
if redis.call('SISMEMBER', KEYS[3], ARGV[1]) == 0 then
    return redis.error_reply('STRANGER')
end
local id = redis.call('INCR', KEYS[1])
redis.call('ZADD', KEYS[2], id, ARGV[1] .. ': ' .. ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1001)
for _, member in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    if member ~= ARGV[1] then
        redis.call('HINCRBY', KEYS[4], member, 1)
    end
end
redis.call('PUBLISH', 'room', id)
return id
