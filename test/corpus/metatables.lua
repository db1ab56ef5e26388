-- An object of the script's own, whose fields are keys.
-- KEYS object
-- < [ 1 "2" "12" nil ]
local object = setmetatable({}, {
    __index = function(_, name) return redis.call('HGET', KEYS[1], name) end,
    __newindex = function(_, name, value) redis.call('HSET', KEYS[1], name, value) end,
    __call = function(_, ...) return redis.call('HDEL', KEYS[1], ...) end,
})
object.a = 1
object.b = object.a + 1
object.c = object.a .. object.b
local gone = object('a', 'nothing')
return {gone, object.b, object.c, object.a}
