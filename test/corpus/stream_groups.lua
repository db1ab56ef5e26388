-- Groups and consumers come and go, with what they have.
-- > XADD log 1-1 n 1
-- > XADD log 2-1 n 2
-- KEYS log
-- < [ 2 "9-10" ]
redis.call('XGROUP', 'CREATE', KEYS[1], 'a', '0')
redis.call('XGROUP', 'CREATE', KEYS[1], 'b', '$')
redis.call('XGROUP', 'CREATECONSUMER', KEYS[1], 'a', 'x')
redis.call('XREADGROUP', 'GROUP', 'a', 'y', 'STREAMS', KEYS[1], '>')
redis.call('XGROUP', 'SETID', KEYS[1], 'b', '1-1')
local pending = redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'a', 'y')
redis.call('XGROUP', 'DESTROY', KEYS[1], 'a')
redis.call('XSETID', KEYS[1], '9-9')
return {pending, redis.call('XADD', KEYS[1], '9-*', 'n', 3)}
