-- Counts a visit in the windows of a minute, an hour and a day at once.
-- KEYS visits
-- ARGV 1767225725
-- < [ 1 1 1 ]
local now = tonumber(ARGV[1])
local counts = {}
for _, size in ipairs({60, 3600, 86400}) do
    local key = KEYS[1] .. ':' .. size .. ':' .. math.floor(now / size)
    local count = redis.call('INCR', key)
    if count == 1 then
        redis.call('EXPIREAT', key, (math.floor(now / size) + 2) * size + 1e9)
    end
    counts[#counts + 1] = count
end
return counts
