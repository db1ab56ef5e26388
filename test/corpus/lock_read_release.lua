-- Gives back a lock for reading; the lock lives as long as the readers that are left.
-- > HSET rw:a mode read reader-1 1 reader-2 1
-- > SET rw:a:reader-1:1 1 PX 30000
-- > SET rw:a:reader-2:1 1 PX 20000
-- KEYS rw:a
-- ARGV reader-1
-- < 1
-- > HSET rw:a mode read reader-1 1
-- > SET rw:a:reader-1:1 1
-- KEYS rw:a
-- ARGV reader-1
-- < 0
local count = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
if count == 0 then
    return redis.error_reply('NOTHELD ' .. ARGV[1] .. ' does not read')
end
redis.call('UNLINK', KEYS[1] .. ':' .. ARGV[1] .. ':' .. count)
if redis.call('HINCRBY', KEYS[1], ARGV[1], -1) == 0 then
    redis.call('HDEL', KEYS[1], ARGV[1])
end
if redis.call('HLEN', KEYS[1]) == 1 then
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', KEYS[1] .. ':free', 'read')
    return 0
end
local longest = 0
local fields = redis.call('HKEYS', KEYS[1])
for _, field in ipairs(fields) do
    if field ~= 'mode' then
        for i = 1, redis.call('HGET', KEYS[1], field) do
            local left = redis.call('PTTL', KEYS[1] .. ':' .. field .. ':' .. i)
            longest = math.max(longest, left)
        end
    end
end
redis.call('PEXPIRE', KEYS[1], math.max(longest, 1))
return #fields - 1
