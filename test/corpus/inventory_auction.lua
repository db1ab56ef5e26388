-- A bid: it must be higher than the last, and the money of who was outbid goes back.
-- > HSET money anna 100 ben 100
-- > HSET auction bid 50 bidder anna
-- KEYS auction money bids
-- ARGV ben 60
-- < [ "anna" "150" "ben" "40" ]
-- > HSET money anna 100 ben 20
-- > HSET auction bid 50 bidder anna
-- KEYS auction money bids
-- ARGV ben 60
-- < !FUNDS are short
local who, bid = ARGV[1], tonumber(ARGV[2])
local last = redis.call('HMGET', KEYS[1], 'bid', 'bidder')
if last[1] and bid <= tonumber(last[1]) then
    return redis.error_reply('LOW bid')
end
if last[2] then
    redis.call('HINCRBY', KEYS[2], last[2], last[1])
end
if redis.call('HINCRBY', KEYS[2], who, -bid) < 0 then
    error({err = 'FUNDS are short'})
end
redis.call('HSET', KEYS[1], 'bid', bid, 'bidder', who)
redis.call('ZADD', KEYS[3], 'GT', bid, who)
return redis.call('HGETALL', KEYS[2])
