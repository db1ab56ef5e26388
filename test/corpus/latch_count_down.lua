-- A latch: the last one to arrive opens it, and wakes everybody.
-- > SET latch 2
-- KEYS latch
-- < 1
-- > SET latch 1
-- KEYS latch
-- < 0
local left = redis.call('DECR', KEYS[1])
if left <= 0 then
    redis.call('DEL', KEYS[1])
    redis.call('SPUBLISH', KEYS[1] .. ':open', left)
end
return left
