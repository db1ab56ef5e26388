-- Builds a long text piece by piece, of which only the sum is told.
-- KEYS text
-- ARGV 60
-- < "ec03a49edca93e67702890ab54f231d00d9a4330"
local parts = {}
for i = 1, ARGV[1] do
    parts[#parts + 1] = string.format('%05d;', i * i)
    if i % 10 == 0 then
        redis.call('APPEND', KEYS[1], table.concat(parts))
        parts = {}
    end
end
return redis.sha1hex(redis.call('GET', KEYS[1]))
