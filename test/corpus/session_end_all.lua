-- Ends all sessions of a user.
-- > SADD user:1 a b c
-- > MSET session:a 1 session:b 1 session:c 1
-- KEYS user:1
-- < 3
local gone = 0
while true do
    local id = redis.call('SPOP', KEYS[1])
    if not id then break end
    gone = gone + redis.call('UNLINK', 'session:' .. id)
end
return gone
