-- Keeps versions of a document by copying it.
-- > HSET doc text one version 1
-- KEYS doc
-- ARGV two
-- < [ 2 [ "text" "one" "version" "1" ] ]
-- > HSET doc text one version 1
-- > SET doc:1 x
-- KEYS doc
-- ARGV two
-- < !VERSION 1 is there
local version = redis.call('HGET', KEYS[1], 'version')
if redis.call('COPY', KEYS[1], KEYS[1] .. ':' .. version) == 0 then
    error({err = 'VERSION ' .. version .. ' is there'})
end
redis.call('HSET', KEYS[1], 'text', ARGV[1])
local now = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('COPY', KEYS[1], KEYS[1] .. ':newest', 'REPLACE')
return {now, redis.call('HGETALL', KEYS[1] .. ':' .. version)}
