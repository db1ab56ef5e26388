-- Folds a stream into counts by hour, and goes on from where it was.
-- > XADD clicks 3600000-1 page a
-- > XADD clicks 3600001-1 page b
-- > XADD clicks 7200000-1 page a
-- > SET clicks:at 3600000-1
-- KEYS clicks clicks:at clicks:count
-- < [ "7200000-1" 2 ]
local at = redis.call('GET', KEYS[2]) or '0'
local read = redis.call('XREAD', 'COUNT', 100, 'STREAMS', KEYS[1], at)
if not read then return 0 end
for _, entry in ipairs(read[1][2]) do
    local hour = math.floor(entry[1]:match('^%d+') / 3600000)
    redis.call('HINCRBY', KEYS[3], hour .. ':' .. entry[2][2], 1)
    at = entry[1]
end
redis.call('SET', KEYS[2], at)
return {at, redis.call('HLEN', KEYS[3])}
