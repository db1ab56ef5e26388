-- A semaphore. KEYS: its record, the permits' places, the holders' details, its queue.
--
-- The record's COUNT is the capacity, its TOKEN the last one given. How many permits are taken is how
-- many of them live. Several are given together or not at all.

local semaphore = {}

local function party_of(owner)
    return string.match(owner, '^(.*)/') or owner
end

-- Returns the record, and the time; or nil and an error.
local function read(KEYS)
    local r, problem = read_record(KEYS[1], 'semaphore')
    if not r then
        return nil, problem
    end
    redis.call('ZCARD', KEYS[2])
    redis.call('HLEN', KEYS[3])
    redis.call('HLEN', KEYS[4])
    local now = clock()
    purge_shared(KEYS[2], KEYS[3], now)
    return r, now
end

-- The capacity is known as long as anybody may have permits.
local function keep_record(key, r, ttl)
    r.ttl = math.max(r.ttl, ttl)
    write_record(key, 'semaphore', r, r.ttl + RETENTION_MS)
end

local function grant_permits(KEYS, r, a, permits, now)
    r.token = next_token(r.token, now)
    local d = {
        owner = a.owner, rid = a.rid, count = 1, token = r.token, ttl = a.ttl, since = now, places = permits,
    }
    keep_record(KEYS[1], r, a.ttl)
    lease_shared(KEYS[2], KEYS[3], d, now)
    tell(KEYS[1], 'granted', d)
    return { 'OK', text(r.token), text(a.ttl), text(now), '' }
end

-- Of those who have permits, the ones without whom there cannot be enough: one of each party, which is
-- what a single flow of control has. To wait for others is no deadlock, as long as any of them may go.
local function find_needed(shared, owners, permits, capacity)
    local taken, needed = {}, {}
    for _, place in ipairs(redis.call('ZRANGE', shared, 0, -1)) do
        local party = party_of(owner_of_place(place))
        taken[party] = (taken[party] or 0) + 1
    end
    for _, owner in ipairs(owners) do
        local party = party_of(owner)
        if taken[party] + permits > capacity then
            needed[#needed + 1] = owner
            taken[party] = 0
        end
    end
    return needed
end

-- acquire OWNER RID TTL_MS WAIT_MS DELAY_MS MAX_COUNT PERMITS CAPACITY MAX_WAITERS; CAPACITY 0: as it is
function semaphore.acquire(KEYS, ARGV)
    local a, problem = read_request(ARGV)
    local permits, capacity, most = whole(ARGV[8] or '1', 1), whole(ARGV[9] or '0', 0), whole(ARGV[10] or '0', 0)
    if not a then
        return problem
    elseif not (permits and capacity and most) then
        return bad('PERMITS, CAPACITY and MAX_WAITERS are whole numbers')
    end
    local r, now = read(KEYS)
    if not r then
        return now
    end
    r.count = capacity > 0 and capacity or r.count
    if r.count == 0 then
        return bad('nobody has said how many permits there are')
    elseif permits > r.count then
        return bad('there are only ' .. text(r.count) .. ' permits')
    end
    local answer = ask_again_shared(KEYS[2], KEYS[3], read_details(KEYS[3], a.owner), a, now)
    if answer then
        if answer[1] == 'OK' then
            keep_record(KEYS[1], r, a.ttl)
        end
        return answer
    end
    local first, name, till = first_in_queue(KEYS[4], now)
    local is_first = name == waiter_name(a)
    local is_free = redis.call('ZCARD', KEYS[2]) + permits <= r.count
    if is_free and (is_first or (not first and count_ahead() == 0)) then
        leave_queue(KEYS[4], waiter_name(a))
        answer = grant_permits(KEYS, r, a, permits, now)
        tell_first(KEYS[1], KEYS[4], now) -- There may be some left.
        return answer
    end
    local owners, soonest = read_shared(KEYS[2], now)
    local why = is_free and not_yet(r) or { 'BUSY', text(r.token), ms(soonest), owners[1] }
    local needed = redis.retry and find_needed(KEYS[2], owners, permits, r.count) or {}
    return wait_in_turn(KEYS[1], KEYS[4], a, why, needed, most, now, not is_first and first, till)
end

-- release OWNER TOKEN
function semaphore.release(KEYS, ARGV)
    local h, problem = read_hold(ARGV)
    if not h then
        return problem
    end
    local r, now = read(KEYS)
    if not r then
        return now
    end
    local answer, is_free = release_shared(KEYS[1], KEYS[2], KEYS[3], read_details(KEYS[3], h.owner), h)
    if is_free then
        tell_first(KEYS[1], KEYS[4], now)
    end
    return answer
end

-- renew OWNER TOKEN TTL_MS
function semaphore.renew(KEYS, ARGV)
    local h, problem = read_hold(ARGV, true)
    if not h then
        return problem
    end
    local r, now = read(KEYS)
    if not r then
        return now
    end
    local answer = renew_shared(KEYS[2], KEYS[3], read_details(KEYS[3], h.owner), h, now)
    if answer[1] == 'OK' then
        keep_record(KEYS[1], r, h.ttl)
    end
    return answer
end

-- cancel OWNER RID
function semaphore.cancel(KEYS, ARGV)
    local rid = whole(ARGV[3], 1)
    if not rid then
        return bad('cancel OWNER RID')
    end
    local r, now = read(KEYS)
    if not r then
        return now
    end
    local left = leave_queue(KEYS[4], waiter_name { owner = ARGV[2], rid = rid })
    local is_free = cancel_shared(KEYS[1], KEYS[2], KEYS[3], read_details(KEYS[3], ARGV[2]), rid)
    if left or is_free then
        tell_first(KEYS[1], KEYS[4], now)
    end
    return { 'OK' }
end

function semaphore.status(KEYS)
    local r, problem = read_record(KEYS[1], 'semaphore')
    if not r then
        return problem
    end
    local now = clock()
    local taken = redis.call('ZCOUNT', KEYS[2], '(' .. text(now), '+inf')
    local fields = {
        'kind', 'semaphore', 'state', taken > 0 and 'held' or 'free', 'token', text(r.token), 'capacity', text(r.count),
        'taken', text(taken),
    }
    describe_shared(fields, KEYS[2], KEYS[3], 'permits', now)
    return add_waiting(fields, KEYS[1], count_in_queue(KEYS[4]))
end

return run(semaphore, KEYS, ARGV)
