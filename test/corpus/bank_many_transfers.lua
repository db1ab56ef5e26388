-- A batch of transfers given as JSON: all of them or none.
-- > HSET accounts a 100 b 50 c 0
-- KEYS accounts
-- ARGV '[{"from":"a","to":"b","sum":70},{"from":"b","to":"c","sum":110}]'
-- < [ "30" "10" "110" ]
-- > HSET accounts a 100 b 50 c 0
-- KEYS accounts
-- ARGV '[{"from":"a","to":"b","sum":70},{"from":"b","to":"c","sum":999}]'
-- < !FUNDS of b are short
-- > HSET accounts a 100
-- KEYS accounts
-- ARGV '[{"from":"a","to":"b","sum":70},{"from":'
-- < !ERR user_script:14: Expected value but found T_END at character 41
for _, t in ipairs(cjson.decode(ARGV[1])) do
    local left = redis.call('HINCRBY', KEYS[1], t.from, -t.sum)
    if left < 0 then
        error({err = 'FUNDS of ' .. t.from .. ' are short'})
    end
    redis.call('HINCRBY', KEYS[1], t.to, t.sum)
end
return redis.call('HMGET', KEYS[1], 'a', 'b', 'c')
