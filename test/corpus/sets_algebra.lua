-- Everything that sets can do with each other.
-- > SADD a 1 2 3 4
-- > SADD b 3 4 5
-- > SADD c 4 x
-- KEYS a b c
-- < [ 6 1 2 1 1 2 0 ]
local out = {
    redis.call('SUNIONSTORE', 'u', KEYS[1], KEYS[2], KEYS[3]),
    redis.call('SINTERSTORE', 'i', KEYS[1], KEYS[2], KEYS[3]),
    redis.call('SDIFFSTORE', 'd', KEYS[1], KEYS[2]),
    redis.call('SMOVE', KEYS[1], KEYS[3], 1),
    redis.call('SREM', KEYS[2], 5, 6),
    redis.call('SINTERCARD', 2, KEYS[1], KEYS[2]),
}
redis.call('SDIFFSTORE', 'u', 'none', KEYS[1])
out[#out + 1] = redis.call('EXISTS', 'u')
return out
