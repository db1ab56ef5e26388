-- An error that is returned undoes nothing.
-- > SET text x
-- KEYS text
-- < !WRONGTYPE Operation against a key holding the wrong kind of value
redis.call('SET', 'written', 1)
return redis.pcall('SADD', KEYS[1], 'x')
