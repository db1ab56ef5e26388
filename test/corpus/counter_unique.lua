-- Counts who has not been counted yet today.
-- > SADD seen anna
-- > SET visitors 1
-- KEYS seen visitors
-- ARGV anna ben cleo ben
-- < 3
local fresh = 0
for _, name in ipairs(ARGV) do
    if redis.call('SADD', KEYS[1], name) == 1 then
        fresh = fresh + 1
    end
end
redis.call('EXPIRE', KEYS[1], 86400, 'NX')
return redis.call('INCRBY', KEYS[2], fresh)
