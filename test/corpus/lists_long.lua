-- A long list: cut in the middle, refilled, and popped from both ends.
-- > EVAL "for i = 1, 2000 do redis.call('RPUSH', KEYS[1], 'element number ' .. i) end return 1" 1 l
-- KEYS l
-- < [ 1001 "element number 1402" "element number 600" ]
redis.call('LTRIM', KEYS[1], 500, 1500)
local front = redis.call('LPOP', KEYS[1], 100)
local back = redis.call('RPOP', KEYS[1], 100)
redis.call('RPUSH', KEYS[1], unpack(front))
redis.call('LPUSH', KEYS[1], unpack(back))
redis.call('LREM', KEYS[1], 0, 'element number 1000')
redis.call('LINSERT', KEYS[1], 'BEFORE', 'element number 1001', ('y'):rep(9000))
return {redis.call('LLEN', KEYS[1]), redis.call('LINDEX', KEYS[1], 0), redis.call('LINDEX', KEYS[1], -1)}
