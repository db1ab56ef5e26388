-- A Bloom filter: adds a word, and tells whether it was there perhaps.
-- KEYS bloom
-- ARGV word other word
-- < [ 0 0 1 ]
local out = {}
for _, word in ipairs(ARGV) do
    local sum = redis.sha1hex(word)
    local was = 1
    for i = 0, 3 do
        local at = bit.band(tonumber(sum:sub(i * 8 + 1, i * 8 + 7), 16), 0xffff)
        was = bit.band(was, redis.call('SETBIT', KEYS[1], at, 1))
    end
    out[#out + 1] = was
end
return out
