-- Adds to a counter that has a bound.
-- > SET seats 3
-- KEYS seats
-- ARGV 2 5
-- < 5
-- > SET seats 4
-- KEYS seats
-- ARGV 2 5
-- < nil
local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
if sum > tonumber(ARGV[2]) then
    redis.call('DECRBY', KEYS[1], ARGV[1])
    return false
end
return sum
