-- Takes the best of the first sorted set that has something.
-- > ZADD b 1 x 2 y 3 z
-- KEYS a b
-- < [ "b" [ [ "z" "3" ] [ "y" "2" ] ] ]
local got = redis.call('ZMPOP', 2, KEYS[1], KEYS[2], 'MAX', 'COUNT', 2)
if not got then return nil end
for _, pair in ipairs(got[2]) do
    redis.call('HSET', 'taken', pair[1], pair[2])
end
return got
