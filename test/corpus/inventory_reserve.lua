-- Takes several items from stock for an order; fails when one is missing.
-- > MSET stock:cup 10 stock:pot 1
-- KEYS order:1 stock:cup stock:pot
-- ARGV 2 1
-- < RESERVED
-- > MSET stock:cup 10 stock:pot 0
-- KEYS order:1 stock:cup stock:pot
-- ARGV 2 1
-- < !SOLDOUT stock:pot
for i = 2, #KEYS do
    if redis.call('DECRBY', KEYS[i], ARGV[i - 1]) < 0 then
        error({err = 'SOLDOUT ' .. KEYS[i]})
    end
    redis.call('HSET', KEYS[1], KEYS[i], ARGV[i - 1])
end
redis.call('EXPIRE', KEYS[1], 900)
return redis.status_reply('RESERVED')
