-- Adds a job: its data, its place in a queue, and a number that is its name.
-- > SET jobs:id 41
-- KEYS jobs:id jobs:data jobs:waiting
-- ARGV '{"to":"anna"}'
-- < 42
local id = redis.call('INCR', KEYS[1])
redis.call('HSET', KEYS[2], id, ARGV[1])
redis.call('LPUSH', KEYS[3], id)
redis.call('PUBLISH', 'jobs:events', 'waiting ' .. id)
return id
