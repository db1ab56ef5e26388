-- Sums of all subtrees are written to the nodes, from the leaves up.
-- > HSET n:1 value 1 left 2 right 3
-- > HSET n:2 value 10 left 4
-- > HSET n:3 value 100
-- > HSET n:4 value 1000
-- ARGV 1
-- < [ 1111 "1010" ]
local function sum(id)
    if not id then return 0 end
    local node = redis.call('HMGET', 'n:' .. id, 'value', 'left', 'right')
    local total = node[1] + sum(node[2]) + sum(node[3])
    redis.call('HSET', 'n:' .. id, 'sum', total)
    return total
end
return {sum(ARGV[1]), redis.call('HGET', 'n:2', 'sum')}
