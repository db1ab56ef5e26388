-- What a script that fails has published has never been said.
-- KEYS state
-- < !NOT after all
redis.call('SET', KEYS[1], 'new')
redis.call('PUBLISH', 'state', 'new')
redis.call('SPUBLISH', 'state', 'new')
error({err = 'NOT after all'})
