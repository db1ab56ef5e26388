-- Draws winners, without and with a second chance.
-- > EVAL "for i = 1, 40 do redis.call('SADD', KEYS[1], 'member' .. i) end return 1" 1 pot
-- KEYS pot winners
-- ARGV 5
-- < *
local drawn = redis.call('SPOP', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], unpack(drawn))
for _, name in ipairs(redis.call('SRANDMEMBER', KEYS[1], -3)) do
    redis.call('HINCRBY', 'consolation', name, 1)
end
return {#drawn, redis.call('SCARD', KEYS[1])}
