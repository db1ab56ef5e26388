-- Counts the words of a text.
-- KEYS words
-- ARGV 'the cat and the dog and the bird'
-- < [ "the" "3" "and" "2" ]
for word in ARGV[1]:gmatch('%a+') do
    redis.call('ZINCRBY', KEYS[1], 1, word)
end
return redis.call('ZREVRANGE', KEYS[1], 0, 1, 'WITHSCORES')
