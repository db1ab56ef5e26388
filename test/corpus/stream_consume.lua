-- Reads for a consumer, works on what it got, and acknowledges.
-- > XGROUP CREATE log g 0 MKSTREAM
-- > XADD log 1-1 n 5
-- > XADD log 2-1 n 7
-- > XADD log 3-1 n x
-- KEYS log sum
-- ARGV g me
-- < [ 2 1 "12" [ 1 "3-1" "3-1" [ [ "me" "1" ] ] ] ]
local got = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 10, 'STREAMS', KEYS[1], '>')
local done, failed = 0, 0
for _, entry in ipairs(got[1][2]) do
    local reply = redis.pcall('INCRBY', KEYS[2], entry[2][2])
    if type(reply) == 'number' then
        done = done + redis.call('XACK', KEYS[1], ARGV[1], entry[1])
    else
        failed = failed + 1
    end
end
return {done, failed, redis.call('GET', KEYS[2]), redis.call('XPENDING', KEYS[1], ARGV[1])}
