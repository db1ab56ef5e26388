-- Asks what it may do before it does it.
-- > SET balance 5
-- KEYS balance
-- < *
if redis.acl_check_cmd and not redis.acl_check_cmd('INCRBY', KEYS[1], 3) then
    return redis.error_reply('NOPERM')
end
return redis.call('INCRBY', KEYS[1], 3)
