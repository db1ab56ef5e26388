-- Sets a key if it still is what was read.
-- > SET doc v1
-- KEYS doc
-- ARGV v1 v2
-- < OK
-- > SET doc v3
-- KEYS doc
-- ARGV v1 v2
-- < !CHANGED it is v3
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('SET', KEYS[1], ARGV[2])
end
return redis.error_reply('CHANGED it is ' .. redis.call('GET', KEYS[1]))
