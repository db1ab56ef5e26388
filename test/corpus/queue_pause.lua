-- Pauses a queue by renaming it, and resumes it: what came meanwhile goes behind.
-- > RPUSH waiting a b
-- KEYS waiting paused
-- ARGV pause
-- < [ [ ] [ "a" "b" ] ]
-- > RPUSH paused a b
-- > RPUSH waiting c
-- KEYS waiting paused
-- ARGV resume
-- < [ [ "a" "b" "c" ] [ ] ]
if ARGV[1] == 'pause' then
    if redis.call('EXISTS', KEYS[1]) == 1 then
        redis.call('RENAME', KEYS[1], KEYS[2])
    end
    redis.call('HSET', 'meta', 'paused', 1)
else
    for _, job in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
        redis.call('RPUSHX', KEYS[2], job)
    end
    redis.call('DEL', KEYS[1])
    redis.call('RENAMENX', KEYS[2], KEYS[1])
    redis.call('HDEL', 'meta', 'paused')
end
return {redis.call('LRANGE', KEYS[1], 0, -1), redis.call('LRANGE', KEYS[2], 0, -1)}
