-- Takes several locks, all or none. What has been taken before one that is not free is
-- given back by the script's own error.
-- KEYS a b c
-- ARGV me 30000
-- < 3
-- > SET c other
-- KEYS a b c
-- ARGV me 30000
-- < !HELD c
for _, key in ipairs(KEYS) do
    if not redis.call('SET', key, ARGV[1], 'NX', 'PX', ARGV[2]) then
        error({err = 'HELD ' .. key})
    end
end
return #KEYS
