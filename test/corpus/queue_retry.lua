-- A job has failed: it is tried again later and later, and at last put aside.
-- > RPUSH active 7
-- > HSET job:7 tries 1
-- KEYS active delayed dead job:7
-- ARGV 7 1000 3 broken
-- < [ "delayed" 5000 ]
-- > RPUSH active 7
-- > HSET job:7 tries 3
-- KEYS active delayed dead job:7
-- ARGV 7 1000 3 broken
-- < [ "dead" 4 ]
redis.call('LREM', KEYS[1], 0, ARGV[1])
local tries = redis.call('HINCRBY', KEYS[4], 'tries', 1)
redis.call('HSET', KEYS[4], 'error', ARGV[4])
if tries > tonumber(ARGV[3]) then
    redis.call('LPUSH', KEYS[3], ARGV[1])
    redis.call('LTRIM', KEYS[3], 0, 999)
    redis.call('EXPIRE', KEYS[4], 604800)
    return {'dead', tries}
end
local at = ARGV[2] + 2 ^ tries * 1000
redis.call('ZADD', KEYS[2], at, ARGV[1])
return {'delayed', at}
