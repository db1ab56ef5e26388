-- Workers of the Sidekiq kind: the first of several lists, by weight, into a private one.
-- > RPUSH queue:low l1 l2
-- KEYS queue:critical queue:default queue:low working:1
-- < [ "queue:low" "l2" ]
-- KEYS queue:critical queue:default queue:low working:1
-- < nil
for i = 1, #KEYS - 1 do
    local job = redis.call('RPOP', KEYS[i])
    if job then
        redis.call('LPUSH', KEYS[#KEYS], job)
        redis.call('HINCRBY', 'stats', KEYS[i], 1)
        return {KEYS[i], job}
    end
end
return false
