-- Steps that are built first and run then, each with its own undo, the last of which fails.
-- > SET wrong x
-- KEYS a wrong
-- < [ "undone" 2 "0" 0 ]
local steps, undo = {}, {}
local function step(run, back)
    steps[#steps + 1] = function()
        run()
        undo[#undo + 1] = back
    end
end
step(function() redis.call('INCR', KEYS[1]) end, function() redis.call('DECR', KEYS[1]) end)
step(function() redis.call('LPUSH', 'l', 1) end, function() redis.call('LPOP', 'l') end)
step(function() redis.call('INCR', KEYS[2]) end, function() end)
for i = 1, #steps do
    if not pcall(steps[i]) then
        for n = #undo, 1, -1 do undo[n]() end
        return {'undone', #undo, redis.call('GET', KEYS[1]), redis.call('EXISTS', 'l')}
    end
end
return 'done'
