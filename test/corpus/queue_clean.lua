-- Removes finished jobs that are older than a time, a limited number at once.
-- > ZADD done 1 a 2 b 3 c 4 d
-- > MSET job:a 1 job:b 1 job:c 1 job:d 1
-- KEYS done
-- ARGV 3 2
-- < [ "a" "b" ]
local old = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
if #old == 0 then return {} end
for i = 1, #old do
    redis.call('DEL', 'job:' .. old[i])
end
redis.call('ZREM', KEYS[1], unpack(old))
return old
