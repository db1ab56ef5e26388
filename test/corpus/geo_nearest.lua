-- Moves a driver, and finds who is near; the results are kept as well.
-- > GEOADD drivers 13.361389 38.115556 a 15.087269 37.502669 b
-- KEYS drivers near dist
-- ARGV c 13.4 38.1
-- < [ [ "c" "a" ] 3 [ "a" "c" ] [ "c" "a" ] ]
redis.call('GEOADD', KEYS[1], 'CH', ARGV[2], ARGV[3], ARGV[1])
redis.call('GEOSEARCHSTORE', KEYS[2], KEYS[1], 'FROMLONLAT', 13.3, 38, 'BYRADIUS', 50, 'km', 'ASC')
redis.call('GEORADIUS', KEYS[1], 15, 37, 200, 'km', 'STORE', 'r1')
redis.call('GEORADIUSBYMEMBER', KEYS[1], 'a', 100, 'km', 'STOREDIST', KEYS[3])
return {redis.call('ZRANGE', KEYS[2], 0, -1), redis.call('ZCARD', 'r1'), redis.call('ZRANGE', KEYS[3], 0, -1),
    redis.call('GEOSEARCH', KEYS[1], 'FROMMEMBER', 'c', 'BYBOX', 100, 100, 'km', 'ASC')}
