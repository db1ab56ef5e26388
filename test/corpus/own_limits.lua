#!lua flags=allow-oom
-- A script with a shebang, which may write when memory is short.
-- > SET a 1
-- KEYS a
-- < [ "42" ]
redis.call('INCRBY', KEYS[1], 41)
redis.call('RPUSH', 'log', redis.call('GET', KEYS[1]))
return redis.call('LRANGE', 'log', 0, -1)
