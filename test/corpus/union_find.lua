-- Joins groups, with paths that are made shorter on the way.
-- > HSET parent a b b c c c d d
-- KEYS parent size
-- ARGV a d
-- < [ "c" "c" ]
local function find(x)
    local p = redis.call('HGET', KEYS[1], x)
    if not p or p == x then return x end
    local root = find(p)
    if root ~= p then
        redis.call('HSET', KEYS[1], x, root)
    end
    return root
end
local a, b = find(ARGV[1]), find(ARGV[2])
if a == b then return 0 end
redis.call('HSET', KEYS[1], b, a)
redis.call('ZINCRBY', KEYS[2], 1, a)
return {find(ARGV[2]), redis.call('HGET', KEYS[1], 'a')}
