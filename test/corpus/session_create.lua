-- A session: its data, an index by user, and no more than so many of one user.
-- > ZADD user:1:sessions 1 s1 2 s2 3 s3
-- > MSET session:s1 x session:s2 x session:s3 x
-- KEYS user:1:sessions session:s4
-- ARGV s4 4 3600 3 name anna role admin
-- < [ "s1" ]
for i = 5, #ARGV, 2 do
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
local ended = {}
while redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[4]) do
    local oldest = redis.call('ZPOPMIN', KEYS[1])[1]
    redis.call('DEL', 'session:' .. oldest)
    redis.call('PUBLISH', 'session:ended', oldest)
    ended[#ended + 1] = oldest
end
return ended
