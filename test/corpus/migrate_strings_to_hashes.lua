-- One step of a migration by SCAN: strings "name:mail" become hashes.
-- > MSET user:1 anna:a@x user:2 ben:b@x other 1
-- ARGV 0 user:* 100
-- < [ "0" 2 ]
-- > MSET user:1 anna:a@x user:2 nonsense
-- ARGV 0 user:* 100
-- < !BADUSER user:2
local found = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3], 'TYPE', 'string')
for _, key in ipairs(found[2]) do
    local name, mail = redis.call('GET', key):match('^([^:]*):(.*)$')
    if not name then
        error({err = 'BADUSER ' .. key})
    end
    redis.call('DEL', key)
    redis.call('HSET', key, 'name', name, 'mail', mail)
end
return {found[1], #found[2]}
