-- Small counters in a string, with overflow that saturates or fails.
-- > BITFIELD stats SET u8 #0 250
-- KEYS stats
-- < [ [ 255 15 nil 0 ] 14 [ 4711 ] ]
local got = redis.call('BITFIELD', KEYS[1], 'OVERFLOW', 'SAT', 'INCRBY', 'u8', '#0', 10, 'OVERFLOW',
    'FAIL', 'INCRBY', 'i5', 100, 15, 'INCRBY', 'i5', 100, 1, 'SET', 'u16', '#3', 4711)
return {got, redis.call('STRLEN', KEYS[1]), redis.call('BITFIELD_RO', KEYS[1], 'GET', 'u16', '#3')}
