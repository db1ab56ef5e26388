-- Reads counters and sets them to zero, at once.
-- > HSET counts a 5 b 7
-- KEYS counts
-- < [ "5" "7" nil ]
local was = redis.call('HMGET', KEYS[1], 'a', 'b', 'c')
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    redis.call('HSET', KEYS[1], field, 0)
end
redis.call('HSET', KEYS[1] .. ':last', 'a', was[1], 'b', was[2])
return was
