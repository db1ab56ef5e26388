-- Takes messages out of one-time keys.
-- > MSET once:a secret once:b hidden
-- KEYS once:a once:b once:c
-- < [ [ "secret" "hidden" nil ] "once:a once:b " ]
local out = {}
for i, key in ipairs(KEYS) do
    out[i] = redis.call('GETDEL', key)
    if out[i] then
        redis.call('APPEND', 'audit', key .. ' ')
    end
end
return {out, redis.call('GET', 'audit')}
