-- Errors that pcall catches leave what was written before them.
-- > SET text x
-- KEYS text
-- < [ [ 0 0 0 1 ] 5 ]
local out = {}
for i, step in ipairs({
    function() redis.call('SET', 'a', 1) redis.call('INCR', KEYS[1]) end,
    function() redis.call('SET', 'b', 1) error('mine') end,
    function() redis.call('SET', 'c', 1) local x = nil; return x.y end,
    function() redis.call('SET', 'd', 1) return 4 end,
}) do
    out[i] = pcall(step) and 1 or 0
end
return {out, redis.call('DBSIZE')}
