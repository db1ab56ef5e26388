-- Replies of commands as maps, sets and doubles, which go into other keys.
-- > HSET h a 1 b 2
-- > SADD s x y
-- > ZADD z 1.5 m
-- KEYS h s z
-- < [ 4 "3" 1 ]
redis.setresp(3)
local map = redis.call('HGETALL', KEYS[1]).map
for _, field in ipairs({'a', 'b'}) do
    redis.call('HINCRBY', KEYS[1], field, map[field])
end
local members = redis.call('SMEMBERS', KEYS[2]).set
for _, member in ipairs({'x', 'y'}) do
    if members[member] then
        redis.call('SADD', KEYS[2], member .. member)
    end
end
redis.call('ZADD', KEYS[3], redis.call('ZSCORE', KEYS[3], 'm').double * 2, 'n')
return {redis.call('SCARD', KEYS[2]), redis.call('ZSCORE', KEYS[3], 'n'), redis.call('GET', 'none') == nil}
