-- Builds a database beside, and puts it in place at once.
-- > SET a old
-- < [ 20 0 ]
redis.call('SELECT', 1)
redis.call('FLUSHDB')
for i = 1, 20 do
    redis.call('SET', 'key:' .. i, i)
end
redis.call('SELECT', 0)
redis.call('SWAPDB', 0, 1)
return {redis.call('DBSIZE'), redis.call('EXISTS', 'a')}
