-- Reverses a list in place.
-- > RPUSH l a b c d e
-- KEYS l
-- < [ "e" "d" "c" "b" "a" ]
local n = redis.call('LLEN', KEYS[1])
for i = 0, math.floor(n / 2) - 1 do
    local a = redis.call('LINDEX', KEYS[1], i)
    local b = redis.call('LINDEX', KEYS[1], n - 1 - i)
    redis.call('LSET', KEYS[1], i, b)
    redis.call('LSET', KEYS[1], n - 1 - i, a)
end
return redis.call('LRANGE', KEYS[1], 0, -1)
