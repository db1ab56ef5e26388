-- A new week: the old board is kept for a while, and the best begin with a bonus.
-- > ZADD week 100 anna 90 ben 80 cleo
-- KEYS week week:old
-- ARGV 2 604800
-- < [ "ben" "5" "anna" "10" ]
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
local best = redis.call('ZREVRANGE', KEYS[2], 0, ARGV[1] - 1)
for place, name in ipairs(best) do
    redis.call('ZADD', KEYS[1], 10 / place, name)
end
redis.call('ZREMRANGEBYLEX', KEYS[1] .. ':none', '[a', '[z')
return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
