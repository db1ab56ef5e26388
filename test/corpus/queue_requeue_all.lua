-- A worker is gone: all it had goes back, in its order.
-- > RPUSH working:1 a b c
-- > RPUSH queue d
-- KEYS working:1 queue
-- < [ 3 [ "a" "b" "c" "d" ] ]
local count = 0
while redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT') do
    count = count + 1
end
redis.call('SREM', 'workers', KEYS[1])
return {count, redis.call('LRANGE', KEYS[2], 0, -1)}
