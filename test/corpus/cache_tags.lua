-- A cache with tags: a value belongs to each of them.
-- KEYS cache:a
-- ARGV value 60 red blue
-- < 2
redis.call('SETEX', KEYS[1], ARGV[2], ARGV[1])
for i = 3, #ARGV do
    redis.call('SADD', 'tag:' .. ARGV[i], KEYS[1])
    redis.call('SADD', KEYS[1] .. ':tags', ARGV[i])
end
redis.call('EXPIRE', KEYS[1] .. ':tags', ARGV[2])
return redis.call('SCARD', KEYS[1] .. ':tags')
