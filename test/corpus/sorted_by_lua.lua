-- A list sorted by a comparison of the script's own, which looks things up.
-- > RPUSH l c a b
-- > HSET rank a 3 b 1 c 2
-- KEYS l rank
-- < [ "b" "c" "a" ]
local list = redis.call('LRANGE', KEYS[1], 0, -1)
table.sort(list, function(x, y)
    redis.call('INCR', 'comparisons')
    return redis.call('HGET', KEYS[2], x) < redis.call('HGET', KEYS[2], y)
end)
redis.call('DEL', KEYS[1])
redis.call('RPUSH', KEYS[1], unpack(list))
return list
