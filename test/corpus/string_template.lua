-- Fills a template from a hash, and keeps the text.
-- > HSET vars name Anna town Ulm
-- KEYS vars text
-- ARGV 'Dear {name} of {town}, {missing}!'
-- < "Dear Anna of Ulm, ?!"
local text = ARGV[1]:gsub('{(%w+)}', function(name)
    local value = redis.call('HGET', KEYS[1], name)
    redis.call('HINCRBY', KEYS[1] .. ':used', name, 1)
    return value or '?'
end)
redis.call('SET', KEYS[2], text)
return text
