-- Turns a hash around: values become fields, and doubles are an error.
-- > HSET h a 1 b 2 c 3
-- KEYS h inverse
-- < [ "a" "b" "c" ]
-- > HSET h a 1 b 2 c 1
-- KEYS h inverse
-- < !ERR user_script:11: double value 1
local pairs = redis.call('HGETALL', KEYS[1])
for i = 1, #pairs, 2 do
    if redis.call('HSETNX', KEYS[2], pairs[i + 1], pairs[i]) == 0 then
        error('double value ' .. pairs[i + 1])
    end
end
redis.call('DEL', KEYS[1])
return redis.call('HMGET', KEYS[2], 1, 2, 3)
