-- Empties everything, and builds it anew.
-- > MSET a 1 b 2
-- > SADD s x y
-- > PEXPIRE a 100000
-- < 2
redis.call('FLUSHALL')
redis.call('SET', 'a', 'new')
redis.call('FLUSHDB')
redis.call('MSET', 'c', 1, 'd', 2)
return redis.call('DBSIZE')
