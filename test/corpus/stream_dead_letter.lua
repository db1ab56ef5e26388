-- Entries that were delivered too often go to another stream.
-- > XGROUP CREATE log g 0 MKSTREAM
-- > XADD log 1-1 n 1
-- > XADD log 2-1 n 2
-- > XREADGROUP GROUP g c STREAMS log >
-- > XCLAIM log g c 0 1-1 RETRYCOUNT 5
-- KEYS log dead
-- ARGV g 3
-- < [ [ "1-1" ] [ [ "1-1" [ "from" "log" "n" "1" ] ] ] ]
local moved = {}
for _, p in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 100)) do
    if p[4] > tonumber(ARGV[2]) then
        local entry = redis.call('XRANGE', KEYS[1], p[1], p[1])[1]
        redis.call('XADD', KEYS[2], p[1], 'from', KEYS[1], unpack(entry[2]))
        redis.call('XACK', KEYS[1], ARGV[1], p[1])
        redis.call('XDEL', KEYS[1], p[1])
        moved[#moved + 1] = p[1]
    end
end
return {moved, redis.call('XRANGE', KEYS[2], '-', '+')}
