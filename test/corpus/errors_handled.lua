-- The handler of xpcall writes, too.
-- > SET text x
-- KEYS text
-- < [ 0 [ "WRONGTYPE Operation against a key holding the wrong kind of value" ] 1 ]
local ok = xpcall(function()
    redis.call('SET', 'before', 1)
    redis.call('LPUSH', KEYS[1], 'y')
end, function(e)
    redis.call('RPUSH', 'errors', type(e) == 'table' and e.err or tostring(e))
    return 'handled'
end)
return {ok and 1 or 0, redis.call('LRANGE', 'errors', 0, -1), redis.call('EXISTS', 'before')}
