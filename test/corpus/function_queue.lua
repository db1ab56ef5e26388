#!lua name=queues
-- FUNCTION reserve
-- A queue as a library: the function takes a job, and notes by whom and when.
-- > ZADD q:due 10 a 20 b 99 c
-- > HSET q:data a one b two c three
-- KEYS q
-- ARGV worker-1 50 5
-- < [ [ "a" "one" ] [ "b" "two" ] ]
local function name(keys, part)
    return keys[1] .. ':' .. part
end
redis.register_function('reserve', function(keys, args)
    local due = redis.call('ZRANGE', name(keys, 'due'), '-inf', args[2], 'BYSCORE', 'LIMIT', 0, args[3])
    local out = {}
    for _, id in ipairs(due) do
        redis.call('ZREM', name(keys, 'due'), id)
        redis.call('HSET', name(keys, 'taken'), id, args[1])
        redis.call('XADD', name(keys, 'log'), '*', 'took', id)
        out[#out + 1] = {id, redis.call('HGET', name(keys, 'data'), id)}
    end
    return out
end)
