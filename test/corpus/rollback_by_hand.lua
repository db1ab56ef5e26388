-- Ends itself as an error of its own choosing, after it has written.
-- > SET stock 1
-- KEYS stock
-- ARGV 3
-- < !SOLDOUT
if redis.call('DECRBY', KEYS[1], ARGV[1]) < 0 then
    redis.call('INCR', 'refused')
    redis.rollback('SOLDOUT there are not so many')
end
return 1
