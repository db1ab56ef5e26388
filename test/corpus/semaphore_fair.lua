-- Permits in order of arrival: a counter gives numbers, and who has one of the lowest is in.
-- > ZADD owners 3 c
-- > ZADD times 900 c
-- > SET counter 3
-- KEYS times owners counter
-- ARGV me 1000 500 2
-- < [ 1 4 ]
-- > ZADD owners 3 c 4 d
-- > ZADD times 900 c 950 d
-- > SET counter 4
-- KEYS times owners counter
-- ARGV me 1000 500 2
-- < [ 0 5 ]
local times, owners, counter = KEYS[1], KEYS[2], KEYS[3]
redis.call('ZREMRANGEBYSCORE', times, '-inf', ARGV[2] - ARGV[3])
redis.call('ZINTERSTORE', owners, 2, owners, times, 'WEIGHTS', 1, 0)
local number = redis.call('INCR', counter)
redis.call('ZADD', times, ARGV[2], ARGV[1])
redis.call('ZADD', owners, number, ARGV[1])
if redis.call('ZRANK', owners, ARGV[1]) < tonumber(ARGV[4]) then
    return {1, number}
end
redis.call('ZREM', times, ARGV[1])
redis.call('ZREM', owners, ARGV[1])
return {0, number}
