-- Friendship is mutual, and the ranks of both change.
-- > SADD f:anna ben
-- > SADD f:ben anna
-- KEYS f:anna f:cleo popular
-- ARGV anna cleo
-- < [ 3 [ "anna" "2" "cleo" "1" ] ]
redis.call('SADD', KEYS[1], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
for i, name in ipairs(ARGV) do
    redis.call('ZADD', KEYS[3], redis.call('SCARD', KEYS[i]), name)
end
redis.call('SUNIONSTORE', 'tmp', KEYS[1], KEYS[2])
local all = redis.call('SCARD', 'tmp')
redis.call('DEL', 'tmp')
return {all, redis.call('ZREVRANGE', KEYS[3], 0, -1, 'WITHSCORES')}
