-- The same with a list for each priority, and markers that say where to look.
-- > RPUSH p:1 a
-- > RPUSH p:5 b c
-- > ZADD markers 1 p:1 5 p:5
-- KEYS markers taken
-- ARGV 3
-- < [ "a" "b" "c" ]
local out = {}
for _ = 1, ARGV[1] do
    local list = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
    if not list then break end
    out[#out + 1] = redis.call('LMOVE', list, KEYS[2], 'LEFT', 'RIGHT')
    if redis.call('LLEN', list) == 0 then
        redis.call('ZREM', KEYS[1], list)
    end
end
return out
