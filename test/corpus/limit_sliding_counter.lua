-- A rate limiter that weighs the last window by how much of it still counts.
-- > HSET windows 0 8 1 3
-- KEYS windows
-- ARGV 1250 1000 10
-- < [ 1 "9" ]
-- > HSET windows 0 8 1 9
-- KEYS windows
-- ARGV 1250 1000 10
-- < [ 0 "15" ]
local now, size, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local index = math.floor(now / size)
local counts = redis.call('HMGET', KEYS[1], index - 1, index)
local part = 1 - (now % size) / size
local weighed = (counts[1] or 0) * part + (counts[2] or 0)
if weighed >= most then
    return {0, tostring(weighed)}
end
redis.call('HINCRBY', KEYS[1], index, 1)
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if tonumber(field) < index - 1 then
        redis.call('HDEL', KEYS[1], field)
    end
end
redis.call('PEXPIRE', KEYS[1], 2 * size)
return {1, tostring(weighed)}
