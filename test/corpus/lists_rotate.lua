-- Rotates a list, removes doubles, and inserts in the middle.
-- > RPUSH l a b a c b a
-- KEYS l
-- < [ "a" "b" "middle" "c" ]
redis.call('LMOVE', KEYS[1], KEYS[1], 'LEFT', 'RIGHT')
redis.call('RPOPLPUSH', KEYS[1], KEYS[1])
local seen = {}
for _, element in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
    if seen[element] then
        redis.call('LREM', KEYS[1], -1, element)
    end
    seen[element] = true
end
redis.call('LINSERT', KEYS[1], 'AFTER', 'b', 'middle')
return redis.call('LRANGE', KEYS[1], 0, -1)
