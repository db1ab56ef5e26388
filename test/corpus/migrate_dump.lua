-- Copies values of all types by DUMP and RESTORE.
-- > SET s text
-- > RPUSH l a b
-- > SADD u a b
-- > HSET h f v
-- > ZADD z 1 a
-- > XADD x 1-1 f v
-- KEYS s l u h z x
-- < 18
for _, key in ipairs(KEYS) do
    redis.call('RESTORE', key .. ':copy', 0, redis.call('DUMP', key))
    redis.call('RESTORE', key, 100000, redis.call('DUMP', key), 'REPLACE')
    redis.call('RESTORE-ASKING', key .. ':asked', 0, redis.call('DUMP', key))
end
redis.call('MIGRATE', '127.0.0.1', 1, 'nothing', 0, 10)
return redis.call('DBSIZE')
