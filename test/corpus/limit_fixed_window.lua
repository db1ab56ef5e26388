-- A rate limiter with a window that begins with the first request.
-- KEYS rate:anna
-- ARGV 2 60000
-- < [ 1 1 ]
-- > SET rate:anna 2 PX 30000
-- KEYS rate:anna
-- ARGV 2 60000
-- < [ 0 30000 ]
local count = redis.call('INCR', KEYS[1])
if count == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
if count > tonumber(ARGV[1]) then
    return {0, redis.call('PTTL', KEYS[1])}
end
return {1, ARGV[1] - count}
