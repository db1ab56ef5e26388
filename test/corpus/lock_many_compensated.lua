-- Takes several locks, and gives back by hand what it has, as scripts do that know no
-- rollback.
-- > SET c other
-- KEYS a b c
-- ARGV me 30000
-- < !HELD c
-- KEYS a b c
-- ARGV me 30000
-- < [ "a" "b" "c" ]
local taken = {}
for _, key in ipairs(KEYS) do
    local reply = redis.pcall('SET', key, ARGV[1], 'NX', 'PX', ARGV[2])
    if type(reply) == 'table' and reply.ok then
        taken[#taken + 1] = key
    else
        for _, mine in ipairs(taken) do
            redis.pcall('DEL', mine)
        end
        return {err = 'HELD ' .. key}
    end
end
return taken
