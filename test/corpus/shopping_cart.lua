-- Merges the cart of a guest into that of a user.
-- > HSET cart:guest apple 2 pear 1
-- > HSET cart:user apple 1 plum 4
-- > EXPIRE cart:guest 100
-- KEYS cart:guest cart:user
-- < [ "3" "1" "4" ]
local items = redis.call('HGETALL', KEYS[1])
for i = 1, #items, 2 do
    if redis.call('HINCRBY', KEYS[2], items[i], items[i + 1]) > 99 then
        error({err = 'TOOMANY ' .. items[i]})
    end
end
redis.call('DEL', KEYS[1])
redis.call('PERSIST', KEYS[2])
return redis.call('HMGET', KEYS[2], 'apple', 'pear', 'plum')
