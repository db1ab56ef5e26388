-- A lock that is given in the order of asking: those who wait stand in a list, and in a
-- sorted set with the time at which they are taken to have given up.
-- KEYS lock:f queue:f timeout:f
-- ARGV 30000 me 5000 1000
-- < nil
-- > RPUSH queue:f old me
-- > ZADD timeout:f 500 old 9000 me
-- KEYS lock:f queue:f timeout:f
-- ARGV 30000 me 5000 1000
-- < nil
-- > HSET lock:f other 1
-- > PEXPIRE lock:f 20000
-- > RPUSH queue:f first
-- > ZADD timeout:f 50000 first
-- KEYS lock:f queue:f timeout:f
-- ARGV 30000 me 5000 1000
-- < 55000
local lock, queue, timeouts = KEYS[1], KEYS[2], KEYS[3]
local lease, me, patience, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

while true do
    local first = redis.call('LINDEX', queue, 0)
    if not first then break end
    if tonumber(redis.call('ZSCORE', timeouts, first)) > now then break end
    redis.call('ZREM', timeouts, first)
    redis.call('LPOP', queue)
end

local first = redis.call('LINDEX', queue, 0)
if redis.call('EXISTS', lock) == 0 and (not first or first == me) then
    redis.call('LPOP', queue)
    redis.call('ZREM', timeouts, me)
    for _, waiting in ipairs(redis.call('ZRANGE', timeouts, 0, -1)) do
        redis.call('ZINCRBY', timeouts, -patience, waiting)
    end
    redis.call('HSET', lock, me, 1)
    redis.call('PEXPIRE', lock, lease)
    return nil
end
if redis.call('HEXISTS', lock, me) == 1 then
    redis.call('HINCRBY', lock, me, 1)
    redis.call('PEXPIRE', lock, lease)
    return nil
end

local last = redis.call('LINDEX', queue, -1)
local from = now
if last and last ~= me then
    from = tonumber(redis.call('ZSCORE', timeouts, last))
end
if redis.call('ZADD', timeouts, from + patience, me) == 1 then
    redis.call('RPUSH', queue, me)
end
return from + patience
