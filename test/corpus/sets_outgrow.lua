-- Small collections that become big ones, and are emptied again.
-- > SADD ints 1 2 3
-- > HSET h a 1
-- > ZADD z 1 a
-- KEYS ints h z
-- < [ 4 2 151 ]
for i = 1, 600 do
    redis.call('SADD', KEYS[1], i * 7)
end
redis.call('SADD', KEYS[1], 'a word')
redis.call('HSET', KEYS[2], 'b', ('x'):rep(100))
for i = 1, 150 do
    redis.call('ZADD', KEYS[3], i, 'm' .. i)
end
for i = 1, 600 do
    redis.call('SREM', KEYS[1], i * 7)
end
return {redis.call('SCARD', KEYS[1]), redis.call('HLEN', KEYS[2]), redis.call('ZCARD', KEYS[3])}
