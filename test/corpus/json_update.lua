-- Changes a part of a JSON document.
-- > SET doc '{"tags":["a",{"n":1}]}'
-- KEYS doc
-- ARGV tag-b
-- < "{\"tags\":[\"a\",{\"n\":2},\"tag-b\"]}"
-- > SET doc 'no json'
-- KEYS doc
-- ARGV tag-b
-- < !ERR user_script:11: Expected value but found invalid token at character 1
redis.call('HINCRBY', 'edits', KEYS[1], 1)
local doc = cjson.decode(redis.call('GET', KEYS[1]))
doc.tags[2].n = doc.tags[2].n + 1
table.insert(doc.tags, ARGV[1])
local text = cjson.encode(doc)
redis.call('SET', KEYS[1], text)
return text
