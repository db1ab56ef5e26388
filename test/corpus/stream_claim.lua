-- Takes over what another consumer has left.
-- > XGROUP CREATE log g 0 MKSTREAM
-- > XADD log 1-1 n 1
-- > XADD log 2-1 n 2
-- > XADD log 3-1 n 3
-- > XREADGROUP GROUP g lazy STREAMS log >
-- > XDEL log 2-1
-- KEYS log
-- < [ [ [ "1-1" [ "n" "1" ] ] ] [ "0-0" [ [ "1-1" [ "n" "1" ] ] [ "3-1" [ "n" "3" ] ] ] [ "2-1" ] ] ]
local claimed = redis.call('XCLAIM', KEYS[1], 'g', 'eager', 0, '1-1')
local more = redis.call('XAUTOCLAIM', KEYS[1], 'g', 'eager', 0, '0', 'COUNT', 10)
redis.call('XACK', KEYS[1], 'g', '1-1')
return {claimed, more}
