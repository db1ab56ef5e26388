-- Moves money between two accounts, and books it.
-- > HSET a balance 100
-- > HSET b balance 5
-- KEYS a b book
-- ARGV 30
-- < [ "70" "35" ]
-- > HSET a balance 20
-- KEYS a b book
-- ARGV 30
-- < !ERR user_script:12: not enough
if redis.call('HINCRBY', KEYS[1], 'balance', -ARGV[1]) < 0 then
    error('not enough')
end
redis.call('HINCRBY', KEYS[2], 'balance', ARGV[1])
redis.call('RPUSH', KEYS[3], KEYS[1] .. '>' .. KEYS[2] .. ':' .. ARGV[1])
redis.call('LTRIM', KEYS[3], -100, -1)
return {redis.call('HGET', KEYS[1], 'balance'), redis.call('HGET', KEYS[2], 'balance')}
