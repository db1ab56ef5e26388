-- Many keys, made and removed in bulk.
-- < [ 75 75 ]
for i = 1, 150 do
    redis.call('SET', 'k:' .. i, i)
end
local args = {}
for i = 1, 150, 2 do
    args[#args + 1] = 'k:' .. i
end
return {redis.call('DEL', unpack(args)), redis.call('DBSIZE')}
