-- A command that fails half way is undone alone.
-- > ZADD z 1 a
-- > SET text x
-- KEYS z text
-- < [ "WRONGTYPE Operation against a key holding the wrong kind of value" "ERR value is not a valid float" 1 [ "a" ] ]
local first = redis.pcall('ZUNIONSTORE', KEYS[1], 2, KEYS[1], KEYS[2])
local second = redis.pcall('ZADD', KEYS[1], 2, 'b', 'nan', 'c')
local third = redis.pcall('BITFIELD', KEYS[2], 'SET', 'u8', 0, 1, 'SET', 'u99', 0, 1)
return {first.err, second.err, third.err ~= nil and 1 or 0, redis.call('ZRANGE', KEYS[1], 0, -1)}
