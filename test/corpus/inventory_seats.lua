-- Books seats of a row by bits; none if one of them is taken.
-- > SETBIT row 3 1
-- KEYS row
-- ARGV 5 6 7
-- < 4
-- > SETBIT row 6 1
-- KEYS row
-- ARGV 5 6 7
-- < !TAKEN seat 6
for _, seat in ipairs(ARGV) do
    if redis.call('SETBIT', KEYS[1], seat, 1) == 1 then
        error({err = 'TAKEN seat ' .. seat})
    end
end
return redis.call('BITCOUNT', KEYS[1])
