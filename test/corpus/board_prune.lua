-- Cuts a board: the worst, those below a score, and a range of names go.
-- > ZADD board 1 a 2 b 3 c 4 d 5 e
-- > ZADD names 0 anna 0 ben 0 cleo 0 dora
-- KEYS board names
-- < [ 4 [ "e" "5" "d" "4" ] [ "anna" "dora" ] ]
local gone = redis.call('ZREMRANGEBYRANK', KEYS[1], 0, 0)
gone = gone + redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(3')
gone = gone + redis.call('ZREMRANGEBYLEX', KEYS[2], '[b', '(d')
local worst = redis.call('ZPOPMAX', KEYS[1], 2)
return {gone, worst, redis.call('ZRANGE', KEYS[2], 0, -1)}
