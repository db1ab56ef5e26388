-- Gives a session a new name, so that nobody can have known it before.
-- > HSET session:old user 1
-- > EXPIRE session:old 1000
-- KEYS session:old session:new
-- < 1000
-- > HSET session:old user 1
-- > SET session:new x
-- KEYS session:old session:new
-- < !EXISTS session:new
if redis.call('RENAMENX', KEYS[1], KEYS[2]) == 0 then
    error({err = 'EXISTS ' .. KEYS[2]})
end
redis.call('HSET', KEYS[2], 'renamed', 1)
return redis.call('TTL', KEYS[2])
