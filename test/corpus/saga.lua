-- A booking of three parts; the last one's refusal is the caller's error.
-- > MSET flight 1 hotel 1 car 0
-- KEYS flight hotel car trip
-- ARGV anna
-- < !REFUSED no car
for i = 1, 3 do
    if redis.call('DECR', KEYS[i]) < 0 then
        error({err = 'REFUSED no ' .. KEYS[i], code = 7})
    end
    redis.call('HSET', KEYS[4], KEYS[i], ARGV[1])
    redis.call('XADD', 'trips', i .. '-1', KEYS[i], ARGV[1])
end
return 'booked'
