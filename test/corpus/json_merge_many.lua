-- Merges JSON objects in a hash; one that is damaged is skipped and counted.
-- > HSET docs a '{"x":1}' b '{"y":2}' c '{bad' d '{"x":9}'
-- KEYS docs merged
-- < [ 1 "9" "2" ]
local bad = 0
for _, field in ipairs({'a', 'b', 'c', 'd'}) do
    local ok, doc = pcall(cjson.decode, redis.call('HGET', KEYS[1], field))
    if ok then
        for name, value in pairs(doc) do
            redis.call('HSET', KEYS[2], name, value)
        end
        redis.call('HDEL', KEYS[1], field)
    else
        bad = bad + 1
    end
end
return {bad, redis.call('HGET', KEYS[2], 'x'), redis.call('HGET', KEYS[2], 'y')}
