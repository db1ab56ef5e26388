-- All that can be reached in a graph, breadth first, is marked with its distance.
-- > SADD g:a b c
-- > SADD g:b d
-- > SADD g:c d e
-- > SADD g:e a f
-- KEYS dist
-- ARGV a
-- < [ "0" "1" "1" "2" "2" "3" nil ]
local queue, at = {ARGV[1]}, 1
redis.call('HSET', KEYS[1], ARGV[1], 0)
while queue[at] do
    local node = queue[at]
    local far = redis.call('HGET', KEYS[1], node) + 1
    for _, next in ipairs(redis.call('SMEMBERS', 'g:' .. node)) do
        if redis.call('HSETNX', KEYS[1], next, far) == 1 then
            queue[#queue + 1] = next
        end
    end
    at = at + 1
end
return redis.call('HMGET', KEYS[1], 'a', 'b', 'c', 'd', 'e', 'f', 'g')
