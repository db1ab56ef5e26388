-- An error that comes out of a coroutine ends the script.
-- > SET text x
-- KEYS text
-- < !ERR value is not an integer or out of range
local step = coroutine.wrap(function()
    redis.call('SET', 'a', 1)
    coroutine.yield()
    redis.call('INCR', KEYS[1])
end)
step()
redis.call('SET', 'b', 1)
step()
return 'never'
