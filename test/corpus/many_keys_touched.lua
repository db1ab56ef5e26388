-- KEYS as a script gets them: read, set, and counted by EXISTS and TOUCH.
-- > MSET a 1 b 2 c 3
-- KEYS a b c d e f g h
-- ARGV x
-- < [ 3 8 [ "1" "2" "3" "x" "x" "x" "x" "x" ] ]
local there = redis.call('TOUCH', unpack(KEYS))
for _, key in ipairs(KEYS) do
    redis.call('SETNX', key, ARGV[1])
end
return {there, redis.call('EXISTS', unpack(KEYS)), redis.call('MGET', unpack(KEYS))}
