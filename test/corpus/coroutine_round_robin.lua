-- Tasks that take turns, one of which fails and is left out.
-- KEYS log
-- < [ 1 [ "c1" "b1" "a1" "c2" "a2" "c3" "a3" ] ]
local tasks = {}
for _, name in ipairs({'a', 'b', 'c'}) do
    tasks[#tasks + 1] = coroutine.create(function()
        for step = 1, 3 do
            if name == 'b' and step == 2 then
                redis.call('INCR', KEYS[1])
            end
            redis.call('RPUSH', KEYS[1], name .. step)
            coroutine.yield()
        end
    end)
end
local failed = 0
while #tasks > 0 do
    for i = #tasks, 1, -1 do
        if not coroutine.resume(tasks[i]) then
            failed = failed + 1
            table.remove(tasks, i)
        elseif coroutine.status(tasks[i]) == 'dead' then
            table.remove(tasks, i)
        end
    end
end
return {failed, redis.call('LRANGE', KEYS[1], 0, -1)}
