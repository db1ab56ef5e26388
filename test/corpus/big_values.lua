-- Values of some hundred kilobytes, made, copied, overwritten and cut.
-- > EVAL "redis.call('SET', KEYS[1], string.rep('a', 200000)) return 1" 1 big
-- KEYS big
-- < [ 300000 120001 "small" ]
redis.call('APPEND', KEYS[1], ('b'):rep(100000))
redis.call('COPY', KEYS[1], 'copy')
redis.call('SETRANGE', 'copy', 150000, ('c'):rep(50000))
redis.call('SET', KEYS[1], 'small')
redis.call('HSET', 'h', 'f', redis.call('GETRANGE', 'copy', 100000, 220000))
redis.call('RPUSH', 'l', ('d'):rep(30000), ('e'):rep(30000))
redis.call('LSET', 'l', 0, 'f')
return {redis.call('STRLEN', 'copy'), redis.call('HSTRLEN', 'h', 'f'), redis.call('GET', KEYS[1])}
