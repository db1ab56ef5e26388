-- Commands that would wait for a client do not wait in a script.
-- > RPUSH b 1 2 3
-- > ZADD z 1 x 2 y
-- KEYS a b z
-- < [ [ "b" [ "1" "2" ] ] [ "z" [ [ "y" "2" ] ] ] nil ]
local got = redis.call('BLMPOP', 0, 2, KEYS[1], KEYS[2], 'LEFT', 'COUNT', 2)
local best = redis.call('BZMPOP', 0, 1, KEYS[3], 'MAX')
local nothing = redis.call('BLMPOP', 0, 1, KEYS[1], 'RIGHT')
redis.call('HSET', 'taken', 'list', got[2][1], 'zset', best[2][1][1])
return {got, best, nothing}
