-- Parts of a session that expire on their own.
-- > HSET session user 1 code 1234 token abc
-- KEYS session
-- < *
redis.call('HPEXPIRE', KEYS[1], 60000, 'FIELDS', 1, 'code')
redis.call('HEXPIRE', KEYS[1], 3600, 'FIELDS', 1, 'token')
redis.call('HEXPIREAT', KEYS[1], 9999999999, 'FIELDS', 1, 'user')
redis.call('HPEXPIREAT', KEYS[1], 9999999999000, 'NX', 'FIELDS', 2, 'user', 'code')
redis.call('HPERSIST', KEYS[1], 'FIELDS', 1, 'token')
redis.call('HSET', KEYS[1], 'code', 'new')
return redis.call('HTTL', KEYS[1], 'FIELDS', 3, 'user', 'code', 'token')
