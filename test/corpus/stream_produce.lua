-- Appends to a stream that is kept short, and to an index of it.
-- > XADD log 1-1 k v
-- KEYS log index
-- ARGV 2-1 anna 3
-- < [ [ "1-1" [ "k" "v" ] ] [ "2-1" [ "who" "anna" "what" "came" ] ] ]
local id = redis.call('XADD', KEYS[1], ARGV[1], 'who', ARGV[2], 'what', 'came')
redis.call('XTRIM', KEYS[1], 'MAXLEN', ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[2] .. ':' .. id)
return redis.call('XRANGE', KEYS[1], '-', '+')
