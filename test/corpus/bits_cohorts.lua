-- Who was here on both days, on either, and on only one.
-- > SETBIT day1 1 1
-- > SETBIT day1 5 1
-- > SETBIT day2 5 1
-- > SETBIT day2 9 1
-- KEYS day1 day2
-- < [ 1 3 2 1 ]
local out = {}
for i, op in ipairs({'AND', 'OR', 'XOR'}) do
    redis.call('BITOP', op, 'result:' .. op, KEYS[1], KEYS[2])
    out[i] = redis.call('BITCOUNT', 'result:' .. op)
end
redis.call('BITOP', 'NOT', 'result:AND', KEYS[1])
out[4] = redis.call('BITPOS', 'result:AND', 0)
return out
