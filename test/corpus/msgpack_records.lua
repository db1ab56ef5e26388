-- Records packed by cmsgpack in a list, one of which is changed.
-- KEYS records
-- < [ 3 "n3" [ 3 6 99 ] ]
for i = 1, 5 do
    redis.call('RPUSH', KEYS[1], cmsgpack.pack({i, 'n' .. i, {i, i * 2}}))
end
local third = cmsgpack.unpack(redis.call('LINDEX', KEYS[1], 2))
table.insert(third[3], 99)
redis.call('LSET', KEYS[1], 2, cmsgpack.pack(third))
return cmsgpack.unpack(redis.call('LINDEX', KEYS[1], 2))
