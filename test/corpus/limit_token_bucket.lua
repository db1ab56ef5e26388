-- A bucket of tokens that fills at a rate.
-- KEYS bucket
-- ARGV 10 2 1000 4
-- < [ 1 6 ]
-- > HSET bucket tokens 1 at 1000
-- KEYS bucket
-- ARGV 10 2 1001 4
-- < [ 0 3 ]
local capacity, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local now, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(state[1]) or capacity
local at = tonumber(state[2]) or now
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
local allowed = tokens >= wanted
if allowed then
    tokens = tokens - wanted
end
redis.call('HMSET', KEYS[1], 'tokens', tokens, 'at', now)
redis.call('EXPIRE', KEYS[1], math.ceil(capacity / rate) * 2)
return {allowed and 1 or 0, tokens}
