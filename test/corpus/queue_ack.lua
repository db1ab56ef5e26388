-- A job is done: nothing of it is left but its result, for a while.
-- > RPUSH jobs:active 1 2
-- > ZADD jobs:stalling 10 1 20 2
-- > HSET jobs:data 1 one 2 two
-- KEYS jobs:active jobs:stalling jobs:data jobs:done
-- ARGV 2 result 1000
-- < 1
-- KEYS jobs:active jobs:stalling jobs:data jobs:done
-- ARGV 2 result 1000
-- < !NOTACTIVE 2
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then
    return redis.error_reply('NOTACTIVE ' .. ARGV[1])
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[3], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -101)
redis.call('SETEX', KEYS[4] .. ':' .. ARGV[1], 600, ARGV[2])
return 1
