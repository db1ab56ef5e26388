-- Renames a field in a hash by steps of HSCAN, and gives the others a prefix.
-- > EVAL "for i = 1, 300 do redis.call('HSET', KEYS[1], 'f' .. i, i) end return 1" 1 h
-- KEYS h
-- < [ 300 300 "300" ]
local cursor = '0'
local seen = {}
repeat
    local found = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', 50)
    cursor = found[1]
    for i = 1, #found[2], 2 do
        seen[found[2][i]] = found[2][i + 1]
    end
until cursor == '0'
local count = 0
for field, value in pairs(seen) do
    redis.call('HDEL', KEYS[1], field)
    redis.call('HSET', KEYS[1], 'x' .. field, value)
    count = count + 1
end
return {count, redis.call('HLEN', KEYS[1]), redis.call('HGET', KEYS[1], 'xf300')}
