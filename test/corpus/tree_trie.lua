-- Words in a trie of hashes, and all that begin with a prefix.
-- KEYS trie
-- ARGV he her hello help hero world
-- < [ "hello" "help" "her" "hero" ]
for i = 2, #ARGV do
    local word = ARGV[i]
    for n = 1, #word do
        redis.call('ZADD', KEYS[1] .. ':' .. word:sub(1, n - 1), 0, word:sub(1, n))
    end
    redis.call('SADD', KEYS[1] .. ':words', word)
end
local out = {}
local function walk(prefix)
    if redis.call('SISMEMBER', KEYS[1] .. ':words', prefix) == 1 then
        out[#out + 1] = prefix
    end
    for _, next in ipairs(redis.call('ZRANGE', KEYS[1] .. ':' .. prefix, 0, -1)) do
        walk(next)
    end
end
walk(ARGV[1])
return out
