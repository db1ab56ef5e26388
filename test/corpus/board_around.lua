-- Adds points, and tells who is around.
-- > ZADD board 5 a 4 b 3 c 2 d 1 e
-- KEYS board
-- ARGV e 2.5 1
-- < [ "b" "4" "e" "3.5" "c" "3" ]
redis.call('ZINCRBY', KEYS[1], ARGV[2], ARGV[1])
local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
local from = math.max(rank - ARGV[3], 0)
return redis.call('ZREVRANGE', KEYS[1], from, rank + ARGV[3], 'WITHSCORES')
