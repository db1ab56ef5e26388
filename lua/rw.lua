-- A read-write lock. KEYS: its record, the readers' places, the readers' details, its queue.
--
-- The record is the writer's. All come in the order of arrival, so that readers do not keep a writer
-- out for ever; readers next to each other hold it together. The token of readers is that of the last
-- writer: the state that they see. If that one has let its lease pass it may still write, so theirs is
-- a higher one.

local rw = {}

-- Fails before anything is written if a key is something else than it should be.
local function check_types(KEYS)
    redis.call('ZCARD', KEYS[2])
    redis.call('HLEN', KEYS[3])
    redis.call('HLEN', KEYS[4])
end

-- Returns the record, and the time; or nil and an error.
local function read(KEYS)
    local r, now = read_now(KEYS[1], 'rw')
    if r then
        check_types(KEYS)
        purge_shared(KEYS[2], KEYS[3], now)
    end
    return r, now
end

-- The record says which token readers have, so it is kept as long as they may be there.
local function keep_record(key, r, ttl)
    local keep = math.max(r.live and r.ttl + r.delay or 0, ttl) + RETENTION_MS
    write_record(key, 'rw', r, math.max(keep, redis.call('PTTL', key)))
end

local function grant_read(KEYS, r, a, now)
    local over = ''
    if r.count > 0 then
        over = text(r.token)
        tell(KEYS[1], 'expired', r)
        r.token, r.count = next_token(r.token, now), 0
    elseif r.token == 0 then
        r.token = now
    end
    local d = {
        owner = a.owner, rid = a.rid, count = 1, token = r.token, ttl = a.ttl, since = now, places = 1,
    }
    keep_record(KEYS[1], r, a.ttl)
    lease_shared(KEYS[2], KEYS[3], d, now)
    tell(KEYS[1], 'granted', d)
    return { 'OK', text(r.token), text(a.ttl), text(now), over }
end

-- Why a writer, or a reader, may not have it; and who is in the way.
local function in_the_way(KEYS, r, mode, now)
    local why = why_not(KEYS[1], 'rw', r, now)
    if why or mode == 'read' then
        return why, { r.live and r.owner or nil }
    end
    local owners, _, last = read_shared(KEYS[2], now)
    if #owners == 0 then
        return nil
    end
    return { 'BUSY', text(r.token), ms(last), owners[1] }, owners
end

-- Whether an owner that has nothing now has asked for more since.
local function is_late(KEYS, r, a)
    return (r.owner == a.owner and is_stale(r, a)) or a.rid <= (find_left(KEYS[3], a.owner) or 0)
end

local function ask_again_rw(KEYS, r, a, mode, now)
    local d = read_details(KEYS[3], a.owner)
    local writes = r.live and r.owner == a.owner
    if not d and not writes then
        return is_late(KEYS, r, a) and { 'STALE' } or nil
    elseif mode == 'write' then
        return writes and ask_again(KEYS[1], 'rw', r, a, now) or { 'LIMIT', text(d.count) } -- By upgrade only.
    elseif writes then
        return { 'LIMIT', text(r.count) } -- By downgrade only.
    end
    local answer = ask_again_shared(KEYS[2], KEYS[3], d, a, now)
    if answer[1] == 'OK' then
        keep_record(KEYS[1], r, a.ttl)
    end
    return answer
end

-- acquire OWNER RID TTL_MS WAIT_MS DELAY_MS MAX_COUNT MODE MAX_WAITERS; MODE: read, write
function rw.acquire(KEYS, ARGV)
    local a, problem = read_request(ARGV)
    local mode, most = ARGV[8], whole(ARGV[9] or '0', 0)
    if not a then
        return problem
    elseif not most or (mode ~= 'read' and mode ~= 'write') then
        return bad('a mode is read or write, MAX_WAITERS a whole number')
    end
    local r, now = read(KEYS)
    if not r then
        return now
    end
    local answer = ask_again_rw(KEYS, r, a, mode, now)
    if answer then
        return answer
    end
    local first, name, till = first_in_queue(KEYS[4], now)
    local is_first = name == waiter_name(a)
    local why, holders = in_the_way(KEYS, r, mode, now)
    if not why and (is_first or (not first and count_ahead() == 0)) then
        leave_queue(KEYS[4], waiter_name(a))
        if mode == 'write' then
            return grant(KEYS[1], 'rw', r, a, next_token(r.token, now), now)
        end
        tell_first(KEYS[1], KEYS[4], now) -- It may be a reader too.
        return grant_read(KEYS, r, a, now)
    end
    return wait_in_turn(KEYS[1], KEYS[4], a, why or not_yet(r), holders or {}, most, now, not is_first and first, till)
end

-- Whether it is as the writer that an owner had this token last: readers have the same, and one that
-- was the writer may have been a reader since.
local function is_writers(KEYS, r, h)
    if not is_held_by(r, h) or r.live then
        return r.live and is_held_by(r, h)
    end
    local d, left = read_details(KEYS[3], h.owner), find_left(KEYS[3], h.owner)
    return not (d and d.token == h.token) and (left or 0) < r.rid
end

-- release OWNER TOKEN
function rw.release(KEYS, ARGV)
    local h, problem = read_hold(ARGV)
    if not h then
        return problem
    end
    local r, now = read(KEYS)
    if not r then
        return now
    end
    local answer, is_free
    if is_writers(KEYS, r, h) then
        answer, is_free = release(KEYS[1], 'rw', r, h)
    else
        answer, is_free = release_shared(KEYS[1], KEYS[2], KEYS[3], read_details(KEYS[3], h.owner), h)
    end
    if is_free then
        tell_first(KEYS[1], KEYS[4], now)
    end
    return answer
end

-- renew OWNER TOKEN TTL_MS
function rw.renew(KEYS, ARGV)
    local h, problem = read_hold(ARGV, true)
    if not h then
        return problem
    end
    local r, now = read(KEYS)
    if not r then
        return now
    elseif r.live and is_held_by(r, h) then
        return renew(KEYS[1], 'rw', r, h, now)
    end
    local answer = renew_shared(KEYS[2], KEYS[3], read_details(KEYS[3], h.owner), h, now)
    if answer[1] == 'OK' then
        keep_record(KEYS[1], r, h.ttl)
    end
    return answer
end

-- cancel OWNER RID
function rw.cancel(KEYS, ARGV)
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
    is_free = cancel(KEYS[1], 'rw', r, ARGV[2], rid) or is_free
    if left or is_free then
        tell_first(KEYS[1], KEYS[4], now)
    end
    return { 'OK' }
end

-- upgrade OWNER RID TOKEN TTL_MS: the only reader becomes the writer. Two readers who both wait for
-- the other to go would wait for ever, so there is no waiting.
function rw.upgrade(KEYS, ARGV)
    local owner, rid, token, ttl = ARGV[2], whole(ARGV[3], 1), whole(ARGV[4], 1), whole(ARGV[5], 1)
    if not (owner and rid and token and ttl) then
        return bad('upgrade OWNER RID TOKEN TTL_MS')
    end
    local r, now = read(KEYS)
    if not r then
        return now
    end
    local a = { owner = owner, rid = rid, ttl = ttl, delay = 0 }
    if r.live and r.owner == owner and r.rid == rid then
        return ask_again(KEYS[1], 'rw', r, a, now) -- It was answered before.
    end
    local d = read_details(KEYS[3], owner)
    if not d or d.token ~= token then
        return { 'LOST' }
    end
    for _, other in ipairs((read_shared(KEYS[2], now))) do
        if other ~= owner then
            return { 'DEADLOCK', other }
        end
    end
    leave_shared(KEYS[1], KEYS[2], KEYS[3], d)
    a.count = d.count
    return grant(KEYS[1], 'rw', r, a, next_token(r.token, now), now)
end

-- downgrade OWNER TOKEN: the writer becomes a reader, before any other writer.
function rw.downgrade(KEYS, ARGV)
    local h, problem = read_hold(ARGV)
    if not h then
        return problem
    end
    local r, now = read(KEYS)
    if not r then
        return now
    end
    local d = read_details(KEYS[3], h.owner)
    if d and d.token == h.token then -- It was answered before.
        return renew_shared(KEYS[2], KEYS[3], d, { token = d.token, ttl = d.ttl }, now)
    elseif not (r.live and is_held_by(r, h)) then
        return { 'LOST' }
    end
    d = {
        owner = h.owner, rid = r.rid, is_undone = r.is_undone, count = r.count, token = r.token, ttl = r.ttl,
        since = now, places = 1,
    }
    r.count, r.live, r.delay = 0, false, 0
    keep_record(KEYS[1], r, d.ttl)
    lease_shared(KEYS[2], KEYS[3], d, now)
    tell(KEYS[1], 'downgraded', d)
    tell_first(KEYS[1], KEYS[4], now)
    return { 'OK', text(d.token), text(d.ttl), text(now) }
end

function rw.status(KEYS)
    local r, now = read_now(KEYS[1], 'rw')
    if not r then
        return now
    end
    local fields = describe_shared(describe('rw', r, now), KEYS[2], KEYS[3], 'read', now)
    if fields[#fields][1] then
        fields[4] = 'shared'
    end
    return add_waiting(fields, KEYS[1], count_in_queue(KEYS[4]))
end

return run(rw, KEYS, ARGV)
