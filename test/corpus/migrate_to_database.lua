-- Moves keys to another database and back.
-- > MSET a 1 b 2
-- > RPUSH l x
-- KEYS a b l
-- ARGV 3
-- < [ 3 3 "1" "2" ]
local moved = 0
for _, key in ipairs(KEYS) do
    moved = moved + redis.call('MOVE', key, ARGV[1])
end
redis.call('SELECT', ARGV[1])
local there = redis.call('DBSIZE')
redis.call('MOVE', KEYS[1], 0)
redis.call('COPY', KEYS[2], 'copy', 'DB', 0)
redis.call('SELECT', 0)
return {moved, there, redis.call('GET', KEYS[1]), redis.call('GET', 'copy')}
