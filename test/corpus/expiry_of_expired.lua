-- What had expired before the script is not there for it, and what expires in it stays.
-- > SET gone 1 PX 1000
-- > RPUSH list a
-- > PEXPIRE list 1000
-- > SET kept 1 PX 90000
-- advance 2000
-- KEYS gone list kept
-- < [ 1 1 "2" ]
redis.call('INCR', KEYS[1])
local len = redis.call('RPUSH', KEYS[2], 'new')
return {redis.call('PERSIST', KEYS[3]), len, tostring(redis.call('INCR', KEYS[3]))}
