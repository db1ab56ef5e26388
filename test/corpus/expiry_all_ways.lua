-- All the ways to say when something ends.
-- > MSET a 1 b 2 c 3 d 4 e 5
-- KEYS a b c d e
-- < [ -1 50000 0 9999999999 -1 ]
redis.call('EXPIRE', KEYS[1], 100)
redis.call('PEXPIRE', KEYS[2], 100000)
redis.call('EXPIREAT', KEYS[3], 9999999999)
redis.call('PEXPIREAT', KEYS[4], 9999999999000, 'NX')
redis.call('SETEX', KEYS[5], 100, 'x')
redis.call('PERSIST', KEYS[1])
redis.call('EXPIRE', KEYS[2], 50, 'LT')
redis.call('EXPIRE', KEYS[3], -1)
redis.call('GETEX', KEYS[5], 'PERSIST')
return {redis.call('TTL', KEYS[1]), redis.call('PTTL', KEYS[2]), redis.call('EXISTS', KEYS[3]),
    redis.call('EXPIRETIME', KEYS[4]), redis.call('TTL', KEYS[5])}
