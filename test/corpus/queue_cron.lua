-- Jobs that come again and again: the next time is set, however many were missed.
-- > ZADD cron 1000 hourly 5000 daily
-- > HSET every hourly 3600 daily 86400
-- KEYS cron every queue
-- ARGV 9000
-- < [ [ "hourly" "daily" ] [ "hourly" "11800" "daily" "91400" ] ]
local now = tonumber(ARGV[1])
local made = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE')) do
    local every = tonumber(redis.call('HGET', KEYS[2], name))
    local at = tonumber(redis.call('ZSCORE', KEYS[1], name))
    local missed = math.floor((now - at) / every) + 1
    redis.call('ZINCRBY', KEYS[1], missed * every, name)
    redis.call('RPUSH', KEYS[3], name .. '@' .. at)
    made[#made + 1] = name
end
return {made, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
