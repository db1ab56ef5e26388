-- Takes up to so many jobs at once from the first of several queues that has some.
-- > RPUSH low 1 2 3
-- > RPUSH high 7
-- KEYS high low active
-- ARGV 2
-- < [ "high" [ "7" ] ]
-- > RPUSH low 1 2 3
-- KEYS high low active
-- ARGV 2
-- < [ "low" [ "1" "2" ] ]
local got = redis.call('LMPOP', 2, KEYS[1], KEYS[2], 'LEFT', 'COUNT', ARGV[1])
if not got then
    return {}
end
for _, job in ipairs(got[2]) do
    redis.call('LPUSH', KEYS[3], job)
end
return got
