-- A mutex that is given in the order of arrival. KEYS: its record, its queue.
--
-- Where the server can have clients wait, they wait there; elsewhere they take a ticket and ask
-- again. One that only tries never comes before those who wait.

local fair = {}

-- acquire OWNER RID TTL_MS WAIT_MS DELAY_MS MAX_COUNT MAX_WAITERS
function fair.acquire(KEYS, ARGV)
    local a, problem = read_request(ARGV)
    local most = whole(ARGV[8] or '0', 0)
    if not (a and most) then
        return problem or bad('MAX_WAITERS is a whole number')
    end
    return (queued.acquire('fair', KEYS[1], KEYS[2], a, most))
end

-- release OWNER TOKEN
function fair.release(KEYS, ARGV)
    return (queued.release('fair', KEYS[1], KEYS[2], ARGV))
end

-- renew OWNER TOKEN TTL_MS
function fair.renew(KEYS, ARGV)
    return queued.renew('fair', KEYS[1], ARGV)
end

-- cancel OWNER RID
function fair.cancel(KEYS, ARGV)
    return (queued.cancel('fair', KEYS[1], KEYS[2], ARGV))
end

function fair.status(KEYS)
    return queued.status('fair', KEYS[1], KEYS[2])
end

return run(fair, KEYS, ARGV)
