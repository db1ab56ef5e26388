-- An election: a fair mutex whose holder leads, and says what others are to know of it. KEYS: the
-- record, the queue, the leader's value. The token is the term.

local election = {}

-- The value is gone at the latest when the record is.
local function write_value(key, value, ttl)
    redis.call('SET', key, value, 'PX', ttl + RETENTION_MS)
end

-- acquire OWNER RID TTL_MS WAIT_MS DELAY_MS MAX_COUNT MAX_WAITERS VALUE: campaigns.
function election.acquire(KEYS, ARGV)
    local a, problem = read_request(ARGV)
    local most = whole(ARGV[8] or '0', 0)
    if not (a and most) then
        return problem or bad('MAX_WAITERS is a whole number')
    end
    redis.call('STRLEN', KEYS[3])
    local answer, is_new = queued.acquire('election', KEYS[1], KEYS[2], a, most)
    if is_new then
        write_value(KEYS[3], ARGV[9] or '', a.ttl + a.delay)
    end
    return answer
end

-- release OWNER TOKEN: resigns.
function election.release(KEYS, ARGV)
    redis.call('STRLEN', KEYS[3])
    local answer, is_free = queued.release('election', KEYS[1], KEYS[2], ARGV)
    if is_free then
        redis.call('DEL', KEYS[3])
    end
    return answer
end

-- renew OWNER TOKEN TTL_MS
function election.renew(KEYS, ARGV)
    redis.call('STRLEN', KEYS[3])
    local answer = queued.renew('election', KEYS[1], ARGV)
    if answer[1] == 'OK' then
        redis.call('PEXPIRE', KEYS[3], ARGV[4] + RETENTION_MS)
    end
    return answer
end

-- cancel OWNER RID
function election.cancel(KEYS, ARGV)
    redis.call('STRLEN', KEYS[3])
    local answer, is_free = queued.cancel('election', KEYS[1], KEYS[2], ARGV)
    if is_free then
        redis.call('DEL', KEYS[3])
    end
    return answer
end

-- proclaim OWNER TOKEN VALUE
function election.proclaim(KEYS, ARGV)
    local h, problem = read_hold(ARGV)
    if not h or not ARGV[4] then
        return problem or bad('proclaim OWNER TOKEN VALUE')
    end
    local r, now = read_now(KEYS[1], 'election')
    if not r then
        return now
    end
    redis.call('STRLEN', KEYS[3])
    if not (r.live and is_held_by(r, h)) then
        return { 'LOST' }
    end
    write_value(KEYS[3], ARGV[4], r.ttl + r.delay)
    redis.call('PUBLISH', KEYS[1], 'proclaimed ' .. text(r.token) .. ' ' .. r.owner)
    return { 'OK' }
end

-- Who leads, and what it has proclaimed.
function election.observe(KEYS)
    local r, now = read_now(KEYS[1], 'election')
    if not r then
        return now
    elseif not r.live then
        return { 'NONE', text(r.token) }
    end
    return { 'OK', text(r.token), r.owner, redis.call('GET', KEYS[3]) or '', ms(r.deadline - now) }
end

function election.status(KEYS)
    local value = redis.call('GET', KEYS[3])
    local fields = queued.status('election', KEYS[1], KEYS[2])
    if fields.err == nil then
        add_field(fields, 'value', value or '')
    end
    return fields
end

return run(election, KEYS, ARGV)
