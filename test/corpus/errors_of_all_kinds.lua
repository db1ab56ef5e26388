-- A script that fails of itself, after many writes of all types.
-- > SET s 1
-- < !WRONGTYPE Operation against a key holding the wrong kind of value
redis.call('SET', 's', 2)
redis.call('HSET', 'h', 'f', 1)
redis.call('RPUSH', 'l', 1, 2, 3)
redis.call('SADD', 'u', 1, 2, 'x')
redis.call('ZADD', 'z', 1, 'a')
redis.call('XADD', 'x', '1-1', 'f', 'v')
redis.call('PFADD', 'p', 'a')
redis.call('GEOADD', 'g', 1, 2, 'm')
redis.call('SETBIT', 'b', 100, 1)
return redis.call('INCR', 'h')
