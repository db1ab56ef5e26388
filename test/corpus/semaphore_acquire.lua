-- One of so many permits: a sorted set of holders with the times when they took theirs.
-- Those who have had theirs for too long lose it.
-- > ZADD sem 100 a 900 b 950 c
-- KEYS sem
-- ARGV d 1000 500 3
-- < 1
-- > ZADD sem 900 b 950 c 960 e
-- KEYS sem
-- ARGV d 1000 500 3
-- < 0
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2] - ARGV[3])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then
    return 0
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
