-- Edits a text in place.
-- > SET text 'hello world'
-- KEYS text
-- < [ nil "Hello world!" 0 ]
redis.call('SETRANGE', KEYS[1], 0, 'H')
redis.call('APPEND', KEYS[1], '!')
redis.call('SETRANGE', KEYS[1], 20, 'end')
local was = redis.call('GETSET', KEYS[1] .. ':len', redis.call('STRLEN', KEYS[1]))
redis.call('MSETNX', 'n1', 1, 'n2', 2)
return {was, redis.call('GETRANGE', KEYS[1], 0, 11), redis.call('LCS', KEYS[1], KEYS[1] .. ':len', 'LEN')}
