-- Trims a stream by its length and by age, and removes single entries.
-- > EVAL "for i = 1, 250 do redis.call('XADD', KEYS[1], i .. '-1', 'n', i) end return 1" 1 log
-- KEYS log
-- < [ 230 5 [ [ "247-1" [ "n" "247" ] ] ] ]
local gone = redis.call('XTRIM', KEYS[1], 'MINID', '51-0')
gone = gone + redis.call('XDEL', KEYS[1], '100-1', '101-1', '7-1')
gone = gone + redis.call('XTRIM', KEYS[1], 'MAXLEN', 20)
redis.call('XADD', KEYS[1], 'MAXLEN', '=', 5, '300-1', 'n', 300)
return {gone, redis.call('XLEN', KEYS[1]), redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)}
