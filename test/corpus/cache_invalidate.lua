-- Forgets all that has a tag, and what the other tags say of it.
-- > MSET cache:a 1 cache:b 2 cache:c 3
-- > SADD tag:red cache:a cache:b
-- > SADD tag:blue cache:b cache:c
-- > SADD cache:a:tags red
-- > SADD cache:b:tags red blue
-- KEYS tag:red
-- < [ 4 0 [ "cache:c" ] ]
local gone = 0
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    for _, tag in ipairs(redis.call('SMEMBERS', key .. ':tags')) do
        redis.call('SREM', 'tag:' .. tag, key)
    end
    gone = gone + redis.call('DEL', key, key .. ':tags')
end
redis.call('PUBLISH', 'invalidated', KEYS[1])
return {gone, redis.call('EXISTS', KEYS[1]), redis.call('SMEMBERS', 'tag:blue')}
