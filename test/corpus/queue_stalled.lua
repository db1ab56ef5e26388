-- Jobs whose worker has not been heard of go back to the queue; twice is once too often.
-- > RPUSH active a b c
-- > HSET stalls b 1
-- > SADD alive c
-- KEYS active waiting failed stalls alive
-- ARGV 2
-- < [ 1 1 ]
local back, failed = 0, 0
for _, job in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
    if redis.call('SISMEMBER', KEYS[5], job) == 0 then
        redis.call('LREM', KEYS[1], 1, job)
        if redis.call('HINCRBY', KEYS[4], job, 1) >= tonumber(ARGV[1]) then
            redis.call('SADD', KEYS[3], job)
            failed = failed + 1
        else
            redis.call('RPUSH', KEYS[2], job)
            back = back + 1
        end
    end
end
redis.call('DEL', KEYS[5])
return {back, failed}
