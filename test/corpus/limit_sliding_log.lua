-- A rate limiter that remembers each request of the last window.
-- > ZADD log 100 100 700 700 800 800
-- KEYS log
-- ARGV 1000 500 3
-- < [ 1 0 ]
-- > ZADD log 600 600 700 700 800 800
-- KEYS log
-- ARGV 1000 500 3
-- < [ 0 100 ]
local now, window, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - window)
local count = redis.call('ZCARD', KEYS[1])
if count >= most then
    local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
    return {0, first[2] + window - now}
end
redis.call('ZADD', KEYS[1], now, now)
redis.call('PEXPIRE', KEYS[1], window)
return {1, most - count - 1}
