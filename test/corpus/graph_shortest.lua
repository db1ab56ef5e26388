-- The cheapest way by Dijkstra, with the front in a sorted set.
-- > HSET road:a b 4 c 1
-- > HSET road:c b 2 d 7
-- > HSET road:b d 1
-- KEYS front cost
-- ARGV a d
-- < "4"
redis.call('ZADD', KEYS[1], 0, ARGV[1])
while true do
    local first = redis.call('ZPOPMIN', KEYS[1])
    if not first[1] then break end
    local node, cost = first[1], tonumber(first[2])
    if redis.call('ZADD', KEYS[2], 'NX', cost, node) == 1 then
        local roads = redis.call('HGETALL', 'road:' .. node)
        for i = 1, #roads, 2 do
            if not redis.call('ZSCORE', KEYS[2], roads[i]) then
                redis.call('ZADD', KEYS[1], 'LT', cost + roads[i + 1], roads[i])
            end
        end
    end
end
return redis.call('ZSCORE', KEYS[2], ARGV[2])
