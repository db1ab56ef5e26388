-- Puts a job before another one in a list.
-- > RPUSH list a c
-- KEYS list
-- ARGV b c
-- < [ "a" "b" "last" ]
-- > RPUSH list a
-- KEYS list
-- ARGV b c
-- < [ "b" "last" ]
if not redis.call('LPOS', KEYS[1], ARGV[2]) then
    redis.call('LPUSHX', KEYS[1], ARGV[1])
else
    redis.call('LINSERT', KEYS[1], 'BEFORE', ARGV[2], ARGV[1])
end
redis.call('LSET', KEYS[1], -1, 'last')
return redis.call('LRANGE', KEYS[1], 0, -1)
