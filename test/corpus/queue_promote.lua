-- Moves jobs whose time has come from the delayed ones to the queue.
-- > ZADD delayed 100 a 200 b 300 c 400 d
-- KEYS delayed waiting
-- ARGV 300 10
-- < [ 3 [ "d" "400" ] ]
-- > ZADD delayed 100 a 200 b 300 c 400 d
-- KEYS delayed waiting
-- ARGV 300 2
-- < [ 2 [ "c" "300" ] ]
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, job in ipairs(due) do
    redis.call('ZREM', KEYS[1], job)
    redis.call('LPUSH', KEYS[2], job)
end
if #due > 0 then
    redis.call('PUBLISH', 'jobs:promoted', #due)
end
return {#due, redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')}
