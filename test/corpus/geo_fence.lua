-- An event when somebody leaves a circle.
-- > GEOADD pos 13.361389 38.115556 anna
-- > SADD inside anna
-- KEYS pos inside
-- ARGV anna 15.087269 37.502669 13.3 38.1 30
-- < "left"
redis.call('GEOADD', KEYS[1], 'XX', ARGV[2], ARGV[3], ARGV[1])
local near = redis.call('GEORADIUS', KEYS[1], ARGV[4], ARGV[5], ARGV[6], 'km')
local is_inside = false
for _, name in ipairs(near) do
    is_inside = is_inside or name == ARGV[1]
end
if not is_inside and redis.call('SREM', KEYS[2], ARGV[1]) == 1 then
    redis.call('RPUSH', 'fence:events', 'left:' .. ARGV[1])
    redis.call('PUBLISH', 'fence', ARGV[1])
    return 'left'
end
return is_inside and 'inside' or 'outside'
