-- Takes the next job, and notes until when it must be done.
-- > RPUSH jobs:waiting 1 2 3
-- > HSET jobs:data 1 one 2 two 3 three
-- KEYS jobs:waiting jobs:active jobs:data jobs:stalling
-- ARGV 1000 worker-1
-- < [ "3" "three" ]
-- KEYS jobs:waiting jobs:active jobs:data jobs:stalling
-- ARGV 1000 worker-1
-- < nil
local id = redis.call('RPOPLPUSH', KEYS[1], KEYS[2])
if not id then
    return nil
end
redis.call('ZADD', KEYS[4], ARGV[1], id)
redis.call('HSET', KEYS[3] .. ':' .. id, 'worker', ARGV[2], 'since', ARGV[1])
return {id, redis.call('HGET', KEYS[3], id)}
