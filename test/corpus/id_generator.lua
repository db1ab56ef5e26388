-- Numbers that sort by time, a hundred at once, never twice in a millisecond.
-- > SET ids:last 5000
-- KEYS ids:last ids:sequence
-- ARGV 5000 3
-- < [ "5000-0001" "5000-0002" "5000-0003" ]
-- > SET ids:last 9000
-- KEYS ids:last ids:sequence
-- ARGV 5000 3
-- < !ERR user_script:13: clock goes back by 4000
local now = tonumber(ARGV[1])
local last = tonumber(redis.call('GET', KEYS[1]) or 0)
if now < last then
    error('clock goes back by ' .. last - now)
end
if now > last then
    redis.call('SET', KEYS[2], 0)
    redis.call('SET', KEYS[1], now)
end
local to = redis.call('INCRBY', KEYS[2], ARGV[2])
local ids = {}
for i = to - ARGV[2] + 1, to do
    ids[#ids + 1] = string.format('%d-%04d', now, i)
end
return ids
