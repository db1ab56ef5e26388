-- Renames all keys of a prefix to another.
-- > MSET old:1 a old:2 b old:3 c
-- > RPUSH old:list x y
-- ARGV old: new:
-- < 4
local count = 0
local keys = redis.call('KEYS', ARGV[1] .. '*')
for _, key in ipairs(keys) do
    redis.call('RENAME', key, ARGV[2] .. key:sub(#ARGV[1] + 1))
    count = count + 1
end
return count
