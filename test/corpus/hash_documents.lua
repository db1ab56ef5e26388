-- A record with an index by each field, kept in step.
-- > HSET doc:1 city Ulm name anna
-- > SADD index:city:Ulm 1
-- > SADD index:name:anna 1
-- KEYS doc:1
-- ARGV 1 city Bonn age 30
-- < [ 0 [ "1" ] ]
for i = 2, #ARGV, 2 do
    local field, value = ARGV[i], ARGV[i + 1]
    local old = redis.call('HGET', KEYS[1], field)
    if old then
        redis.call('SREM', 'index:' .. field .. ':' .. old, ARGV[1])
    end
    redis.call('HSET', KEYS[1], field, value)
    redis.call('SADD', 'index:' .. field .. ':' .. value, ARGV[1])
end
return {redis.call('EXISTS', 'index:city:Ulm'), redis.call('SMEMBERS', 'index:city:Bonn')}
