-- Keeps or takes the leadership, and counts terms.
-- KEYS leader term log
-- ARGV node-1 5000 1000
-- < [ "leads" 1 ]
-- > SET leader node-1 PX 100
-- > SET term 7
-- KEYS leader term log
-- ARGV node-1 5000 1000
-- < [ "kept" "7" ]
-- > SET leader node-2 PX 100
-- > SET term 7
-- KEYS leader term log
-- ARGV node-1 5000 1000
-- < [ "follows" "node-2" ]
local leader = redis.call('GET', KEYS[1])
if leader == ARGV[1] then
    redis.call('PSETEX', KEYS[1], ARGV[2], ARGV[1])
    return {'kept', redis.call('GET', KEYS[2])}
elseif leader then
    return {'follows', leader}
end
redis.call('PSETEX', KEYS[1], ARGV[2], ARGV[1])
local term = redis.call('INCRBY', KEYS[2], 1)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 1000, ARGV[3] .. '-' .. term, 'leader', ARGV[1], 'term', term)
return {'leads', term}
