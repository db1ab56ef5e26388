-- Keys are sorted out by their types and encodings.
-- > SET n 5
-- > SADD i 1 2
-- > HSET h f v
-- KEYS n i h none
-- < [ "int" [ "h" ] ]
for _, key in ipairs(KEYS) do
    local type = redis.call('TYPE', key).ok
    if type ~= 'none' then
        redis.call('SADD', 'by:' .. type, key)
        redis.call('HSET', 'encodings', key, redis.call('OBJECT', 'ENCODING', key))
    end
end
return {redis.call('HGET', 'encodings', 'n'), redis.call('SMEMBERS', 'by:hash')}
