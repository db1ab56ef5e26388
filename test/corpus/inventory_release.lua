-- Gives back what an order had reserved.
-- > MSET stock:cup 8 stock:pot 0
-- > HSET order:1 stock:cup 2 stock:pot 1
-- KEYS order:1 stock:cup stock:pot
-- < [ 2 "10" "1" ]
-- KEYS order:1 stock:cup stock:pot
-- < 0
local reserved = redis.call('HGETALL', KEYS[1])
if #reserved == 0 then
    return 0
end
for i = 1, #reserved, 2 do
    redis.call('INCRBY', reserved[i], reserved[i + 1])
end
redis.call('DEL', KEYS[1])
return {#reserved / 2, unpack(redis.call('MGET', KEYS[2], KEYS[3]))}
