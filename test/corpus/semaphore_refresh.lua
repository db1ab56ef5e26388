-- A holder of a permit shows that it lives; too late, if it has lost it.
-- > ZADD sem 900 b 950 c
-- KEYS sem
-- ARGV b 1000
-- < [ "c" "950" "b" "1000" ]
-- > ZADD sem 950 c
-- KEYS sem
-- ARGV b 1000
-- < !LOST b
if redis.call('ZADD', KEYS[1], 'XX', 'CH', ARGV[2], ARGV[1]) == 0 then
    return redis.error_reply('LOST ' .. ARGV[1])
end
return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
