-- A quota for a day that is lent from an account.
-- > HSET account:1 balance 100
-- KEYS account:1 quota:1
-- ARGV 30 50
-- < 30
-- > HSET account:1 balance 10
-- KEYS account:1 quota:1
-- ARGV 30 50
-- < !FUNDS are short
local used = redis.call('INCRBY', KEYS[2], ARGV[1])
if redis.call('TTL', KEYS[2]) < 0 then
    redis.call('EXPIRE', KEYS[2], 86400)
end
if used > tonumber(ARGV[2]) then
    error({err = 'QUOTA used up'})
end
if redis.call('HINCRBY', KEYS[1], 'balance', -ARGV[1]) < 0 then
    error({err = 'FUNDS are short'})
end
return used
