-- A score on a leaderboard: only a better one counts, and the place is told.
-- > ZADD board 100 anna 90 ben 80 cleo
-- KEYS board
-- ARGV cleo 95
-- < [ 1 1 ]
-- > ZADD board 100 anna 90 ben 80 cleo
-- KEYS board
-- ARGV cleo 10
-- < [ 0 2 ]
local changed = redis.call('ZADD', KEYS[1], 'GT', 'CH', ARGV[2], ARGV[1])
if changed == 1 then
    redis.call('XADD', KEYS[1] .. ':log', '1-' .. redis.call('ZCARD', KEYS[1]), ARGV[1], ARGV[2])
end
return {changed, redis.call('ZREVRANK', KEYS[1], ARGV[1])}
