-- Merges two sorted lists into a third.
-- > RPUSH a 1 4 6
-- > RPUSH b 2 3 9 10
-- KEYS a b c
-- < [ "1" "2" "3" "4" "6" "9" "10" ]
while true do
    local a = redis.call('LINDEX', KEYS[1], 0)
    local b = redis.call('LINDEX', KEYS[2], 0)
    if not a and not b then break end
    local from = KEYS[1]
    if not a or (b and tonumber(b) < tonumber(a)) then
        from = KEYS[2]
    end
    redis.call('RPUSH', KEYS[3], redis.call('LPOP', from))
end
return redis.call('LRANGE', KEYS[3], 0, -1)
