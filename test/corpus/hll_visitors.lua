-- Unique visitors by day, and of a week.
-- > PFADD day:1 a b c
-- > PFADD day:2 c d
-- KEYS day:1 day:2 week
-- ARGV e f
-- < [ 1 6 6 ]
local changed = redis.call('PFADD', KEYS[2], unpack(ARGV))
redis.call('PFMERGE', KEYS[3], KEYS[1], KEYS[2])
redis.call('EXPIRE', KEYS[3], 604800)
redis.call('PFADD', KEYS[1], 'a')
redis.call('PFDEBUG', 'TODENSE', KEYS[1])
return {changed, redis.call('PFCOUNT', KEYS[3]), redis.call('PFCOUNT', KEYS[1], KEYS[2])}
