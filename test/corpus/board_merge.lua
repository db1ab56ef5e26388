-- Boards of several games as one: by sum, by maximum, and who is on all of them.
-- > ZADD g1 1 a 2 b 3 c
-- > ZADD g2 10 b 20 c
-- KEYS g1 g2 sum max all diff
-- < [ [ "b" "14" "c" "26" ] [ "b" "10" "c" "20" ] [ "a" "2" "b" "14" "c" "26" ] [ "a" "1" "b" "10" "c" "20" ] [ "b" "12" "c" "23" ] [ "a" "1" ] ]
redis.call('ZUNIONSTORE', KEYS[3], 2, KEYS[1], KEYS[2], 'WEIGHTS', 2, 1)
redis.call('ZUNIONSTORE', KEYS[4], 2, KEYS[1], KEYS[2], 'AGGREGATE', 'MAX')
redis.call('ZINTERSTORE', KEYS[5], 2, KEYS[1], KEYS[2])
redis.call('ZDIFFSTORE', KEYS[6], 2, KEYS[1], KEYS[2])
redis.call('ZRANGESTORE', KEYS[1], KEYS[3], 0, 1, 'REV')
local out = {}
for i = 1, 6 do
    out[i] = redis.call('ZRANGE', KEYS[i], 0, -1, 'WITHSCORES')
end
return out
