-- Removes a node with all below it, by recursion.
-- > RPUSH t:root:children a b
-- > RPUSH t:a:children c d
-- > RPUSH t:d:children e
-- > MSET t:a 1 t:b 1 t:c 1 t:d 1 t:e 1
-- ARGV a root
-- < [ 4 2 ]
local function remove(node)
    local count = 1
    for _, child in ipairs(redis.call('LRANGE', 't:' .. node .. ':children', 0, -1)) do
        count = count + remove(child)
    end
    redis.call('DEL', 't:' .. node, 't:' .. node .. ':children')
    return count
end
redis.call('LREM', 't:' .. ARGV[2] .. ':children', 0, ARGV[1])
return {remove(ARGV[1]), redis.call('DBSIZE')}
