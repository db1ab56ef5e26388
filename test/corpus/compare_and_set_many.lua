-- Sets many keys if the versions of all are still what was read.
-- > MSET a:version 1 b:version 2 c:version 3
-- KEYS a b c
-- ARGV 1 A 2 B 3 C
-- < [ "A" "B" "C" ]
-- > MSET a:version 1 b:version 5 c:version 3
-- KEYS a b c
-- ARGV 1 A 2 B 3 C
-- < !CONFLICT b is at 5
for i, key in ipairs(KEYS) do
    local version = redis.call('INCR', key .. ':version') - 1
    if version ~= tonumber(ARGV[2 * i - 1]) then
        error({err = 'CONFLICT ' .. key .. ' is at ' .. version})
    end
    redis.call('SET', key, ARGV[2 * i])
end
return redis.call('MGET', unpack(KEYS))
