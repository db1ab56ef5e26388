-- Releases a lock that is given in order, and wakes the first who waits.
-- > HSET lock:f me 1
-- > RPUSH queue:f old next
-- > ZADD timeout:f 500 old 9000 next
-- KEYS lock:f queue:f timeout:f
-- ARGV me 1000
-- < [ 1 1 "next" ]
local dropped = 0
while true do
    local first = redis.call('LINDEX', KEYS[2], 0)
    if not first or tonumber(redis.call('ZSCORE', KEYS[3], first)) > tonumber(ARGV[2]) then
        break
    end
    redis.call('ZREM', KEYS[3], first)
    redis.call('LPOP', KEYS[2])
    dropped = dropped + 1
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
    return {0, dropped}
end
redis.call('DEL', KEYS[1])
local next = redis.call('LINDEX', KEYS[2], 0)
if next then
    redis.call('PUBLISH', 'turn:' .. next, KEYS[1])
end
return {1, dropped, next}
