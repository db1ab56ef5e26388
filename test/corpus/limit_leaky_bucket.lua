-- A bucket that leaks: what is in it must not exceed its size.
-- > HSET leaky level 9 at 1000
-- KEYS leaky
-- ARGV 10 2 1001 3
-- < "10"
-- > HSET leaky level 9.5 at 1000
-- KEYS leaky
-- ARGV 10 2 1000 3
-- < !FULL 9.5
local size, leak = tonumber(ARGV[1]), tonumber(ARGV[2])
local now, amount = tonumber(ARGV[3]), tonumber(ARGV[4])
local level = tonumber(redis.call('HGET', KEYS[1], 'level') or 0)
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or now)
level = math.max(0, level - (now - at) * leak)
redis.call('HSET', KEYS[1], 'level', tostring(level), 'at', now)
if level + amount > size then
    return redis.error_reply('FULL ' .. level)
end
redis.call('HINCRBYFLOAT', KEYS[1], 'level', amount)
return redis.call('HGET', KEYS[1], 'level')
