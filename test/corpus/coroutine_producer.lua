-- A coroutine makes what another part of the script writes.
-- KEYS out
-- < [ "10" 10 ]
local function produce()
    for i = 1, 10 do
        redis.call('INCR', 'produced')
        coroutine.yield(i)
    end
end
local next = coroutine.wrap(produce)
local i = next()
while i do
    redis.call('RPUSH', KEYS[1], i)
    i = next()
end
return {redis.call('GET', 'produced'), redis.call('LLEN', KEYS[1])}
