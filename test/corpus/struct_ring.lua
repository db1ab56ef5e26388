-- A ring of fixed records in one string, by struct and SETRANGE.
-- KEYS ring
-- ARGV 3
-- < [ "3:0.75" "4:1" "2:0.5" ]
local size = struct.size('<I4d')
for i = 0, 4 do
    local record = struct.pack('<I4d', i, i / 4)
    redis.call('SETRANGE', KEYS[1], (i % ARGV[1]) * size, record)
end
local out = {}
for i = 0, ARGV[1] - 1 do
    local n, x = struct.unpack('<I4d', redis.call('GETRANGE', KEYS[1], i * size, i * size + size - 1))
    out[#out + 1] = n .. ':' .. x
end
return out
