-- A reply of many parts, nested.
-- > EVAL "for i = 1, 300 do redis.call('RPUSH', KEYS[1], i) end return 1" 1 l
-- KEYS l
-- < [ [ 1 [ "1" "2" "3" ] ] [ 51 [ "51" "52" "53" ] ] [ 101 [ "101" "102" "103" ] ] [ 151 [ "151" "152" "153" ] ] [ 201 [ "201" "202" "203" ] ] [ 251 [ "251" "252" "253" ] ] ]
local list = redis.call('LRANGE', KEYS[1], 0, -1)
local out = {}
for i = 1, #list, 50 do
    out[#out + 1] = {i, {unpack(list, i, i + 2)}}
    redis.call('LREM', KEYS[1], 1, i)
end
return out
