-- The generic cell rate algorithm: one number per client, the time at which the next
-- request would be in order.
-- KEYS gcra
-- ARGV 1000 100 300
-- < [ 1 200 ]
-- > SET gcra 1350
-- KEYS gcra
-- ARGV 1000 100 300
-- < [ 0 150 ]
local now, interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due = math.max(tonumber(redis.call('GET', KEYS[1])) or now, now)
local allowed_at = due + interval - burst
if now < allowed_at then
    return {0, allowed_at - now}
end
redis.call('SET', KEYS[1], due + interval, 'PX', due + interval - now)
return {1, burst - (due + interval - now)}
