-- A step that fails is answered by undoing the ones before, by hand.
-- > SET wrong x
-- KEYS a b wrong
-- < [ "undone" "0" "0" ]
redis.call('INCRBY', KEYS[1], 5)
redis.call('INCRBY', KEYS[2], 7)
local reply = redis.pcall('INCRBY', KEYS[3], 9)
if type(reply) == 'table' and reply.err then
    redis.call('DECRBY', KEYS[1], 5)
    redis.call('DECRBY', KEYS[2], 7)
    return {'undone', redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}
end
return 'done'
