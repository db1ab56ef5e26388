#!lua name=upserts
-- FUNCTION upsert
-- Writes a hash and counts its versions; fails if the version that is expected is another.
-- > HSET h v 3 f old
-- KEYS h
-- ARGV 3 f new g more
-- < [ "v" "4" "f" "new" "g" "more" ]
-- > HSET h v 4 f old
-- KEYS h
-- ARGV 3 f new g more
-- < !CONFLICT in h
redis.register_function('upsert', function(keys, args)
    local fields = {}
    for i = 2, #args do
        fields[#fields + 1] = args[i]
    end
    redis.call('HSET', keys[1], unpack(fields))
    if redis.call('HINCRBY', keys[1], 'v', 1) ~= args[1] + 1 then
        return error({err = 'CONFLICT in ' .. keys[1]})
    end
    return redis.call('HGETALL', keys[1])
end)
