-- At most so many requests at once of a client, and of all.
-- > SADD running:anna r1
-- > SCARD running:all
-- > SADD running:all r1 r2
-- KEYS running:anna running:all
-- ARGV r3 2 3
-- < "OK"
-- > SADD running:anna r1
-- > SADD running:all r1 r2 r4
-- KEYS running:anna running:all
-- ARGV r3 2 3
-- < !BUSY too many in running:all
for i, key in ipairs(KEYS) do
    redis.call('SADD', key, ARGV[1])
    if redis.call('SCARD', key) > tonumber(ARGV[i + 1]) then
        error({err = 'BUSY too many in ' .. key})
    end
end
return 'OK'
