-- Sorts by weights of other keys, and keeps the result.
-- > RPUSH ids 3 1 2
-- > MSET w:1 30 w:2 10 w:3 20 name:1 one name:2 two name:3 three
-- KEYS ids sorted
-- < [ [ "2" "two" "3" "three" "1" "one" ] [ "3" "2" "1" ] [ "1" "2" ] ]
redis.call('SORT', KEYS[1], 'BY', 'w:*', 'GET', '#', 'GET', 'name:*', 'STORE', KEYS[2])
redis.call('SORT', KEYS[1], 'DESC', 'STORE', KEYS[1])
return {redis.call('LRANGE', KEYS[2], 0, -1), redis.call('LRANGE', KEYS[1], 0, -1),
    redis.call('SORT_RO', KEYS[1], 'LIMIT', 0, 2)}
