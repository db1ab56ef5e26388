-- A time series in buckets, of which old ones go and full ones are folded.
-- > HSET ts:0 10 5 20 7
-- > HSET ts:60 70 1
-- > ZADD ts:index 0 ts:0 60 ts:60
-- KEYS ts:index
-- ARGV 130 9 60 100
-- < [ [ 12 ] [ "ts:60" "ts:120" ] ]
local at, value, size, keep = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local start = at - at % size
redis.call('HSET', 'ts:' .. start, at, value)
redis.call('ZADD', KEYS[1], start, 'ts:' .. start)
local folded = {}
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at - keep)) do
    local sum = 0
    for _, v in ipairs(redis.call('HVALS', old)) do
        sum = sum + v
    end
    redis.call('RPUSH', 'ts:folded', old .. '=' .. sum)
    redis.call('DEL', old)
    redis.call('ZREM', KEYS[1], old)
    folded[#folded + 1] = sum
end
return {folded, redis.call('ZRANGE', KEYS[1], 0, -1)}
