-- One client computes what is missing; the others wait, or get the stale value.
-- KEYS value flight
-- ARGV me 5
-- < [ "compute" ]
-- > SET value fresh
-- KEYS value flight
-- ARGV me 5
-- < [ "hit" "fresh" ]
-- > SET flight other
-- > SET value:stale old
-- KEYS value flight
-- ARGV me 5
-- < [ "stale" "old" ]
local value = redis.call('GET', KEYS[1])
if value then
    redis.call('INCR', 'hits')
    return {'hit', value}
end
redis.call('INCR', 'misses')
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'EX', ARGV[2]) then
    return {'compute'}
end
return {'stale', redis.call('GET', KEYS[1] .. ':stale')}
