#!lua flags=no-writes
-- A script that says it only reads: what it tries to write fails.
-- > SET a 1
-- KEYS a
-- < [ "1" 1 ]
return {redis.call('GET', KEYS[1]), redis.pcall('SET', KEYS[1], 2).err ~= nil and 1 or 0}
