-- What the lock scripts share. This text stands before each of them.
--
-- A lock is a *record*: one string, words with a space between them, since a GET and a SET are
-- what a script can do at the least.
--
--     KIND TOKEN OWNER RID COUNT TTL_MS DEADLINE_US SINCE_US DELAY_MS
--
-- COUNT is 0 when the lock is free; the rest then is of the last holder, so that a release or an
-- acquire that is sent once more is known. RID is of the last request; with a minus before it, that
-- one has been cancelled. TOKEN is the last one ever given. Whether a lease is over
-- is decided by the clock of the server and the DEADLINE in the record; that the key expires some
-- time later only takes it out of the way.
--
-- All that is read is read, and found to be of the right type, before anything is written: nothing
-- else protects a script from being done by half on Redis. TIME is asked once.

local RETENTION_MS = 60000 -- How long a record is kept that nobody needs any more.

-- Arguments.

local function bad(what)
    return redis.error_reply('LOCKARG ' .. what)
end

-- Returns the number that a text is, from `least` on and exact in a double; or nil.
local function whole(text, least)
    local number = text and string.match(text, '^-?%d+$') and tonumber(text)
    return number and number >= least and number <= 9007199254740992 and number or nil
end

local function is_owner(text)
    return text ~= nil and #text <= 200 and text ~= '-' and string.find(text, '^%S+$') ~= nil
end

-- acquire OWNER RID TTL_MS WAIT_MS DELAY_MS MAX_COUNT: returns them, or nil and what is wrong.
local function read_request(ARGV)
    local a = {
        owner = ARGV[2],
        rid = whole(ARGV[3], 1),
        ttl = whole(ARGV[4], 1),
        wait = whole(ARGV[5], -1),
        delay = whole(ARGV[6], 0),
        most = whole(ARGV[7], 1),
    }
    if not is_owner(a.owner) then
        return nil, bad('an owner is a text of 1 to 200 bytes without spaces')
    elseif not (a.rid and a.ttl and a.wait and a.delay and a.most) then
        return nil, bad('acquire OWNER RID TTL_MS WAIT_MS DELAY_MS MAX_COUNT, all whole numbers')
    end
    return a
end

-- OPERATION OWNER TOKEN [TTL_MS]
local function read_hold(ARGV, wants_ttl)
    local h = { owner = ARGV[2], token = whole(ARGV[3], 1), ttl = whole(ARGV[4], 1) }
    if not (h.owner and h.token and (h.ttl or not wants_ttl)) then
        return nil, bad(ARGV[1] .. ' OWNER TOKEN' .. (wants_ttl and ' TTL_MS' or ''))
    end
    return h
end

-- The clock of the server, in microseconds.
local function clock()
    local time = redis.call('TIME')
    return time[1] * 1000000 + time[2]
end

local function text(number)
    return string.format('%.0f', number)
end

-- Microseconds as milliseconds, not too few.
local function ms(us)
    return text(math.max(1, math.ceil(us / 1000)))
end

-- Records.

local RECORD = '^(%S+) (%d+) (%S+) (%-?)(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'

-- Reads a record; one that is not there is free. Returns nil and an error if the key holds
-- something else.
local function read_record(key, kind)
    local line = redis.call('GET', key)
    if not line then
        return { token = 0, owner = '-', rid = 0, count = 0, ttl = 0, deadline = 0, since = 0, delay = 0 }
    end
    local found, token, owner, undone, rid, count, ttl, deadline, since, delay = string.match(line, RECORD)
    if found ~= kind then
        return nil, redis.error_reply('LOCKKIND ' .. key .. ' is ' .. (found and 'a lock of the kind ' .. found or 'no lock'))
    end
    return {
        token = tonumber(token), owner = owner, rid = tonumber(rid), is_undone = undone == '-',
        count = tonumber(count), ttl = tonumber(ttl), deadline = tonumber(deadline),
        since = tonumber(since), delay = tonumber(delay),
    }
end

-- Looks at a record at a time. A clock that has been put back must not make a lease longer than
-- one TTL from now.
local function look(r, now)
    local longest = now + r.ttl * 1000
    if r.deadline > longest then
        r.deadline, r.is_clamped = longest, true
    end
    r.live = r.count > 0 and r.deadline > now
end

-- Reads a record and looks at it. Returns it and what time it is; or nil and an error.
local function read_now(key, kind)
    local r, problem = read_record(key, kind)
    if not r then
        return nil, problem
    end
    local now = clock()
    look(r, now)
    return r, now
end

-- The number of the last request, as it is written.
local function signed_rid(r)
    return r.is_undone and -r.rid or r.rid
end

-- Writes a record by `call`, which is redis.call or redis.pcall. Returns the reply.
local function set_record(call, key, kind, r, keep_ms)
    return call('SET', key,
        string.format('%s %.0f %s %.0f %.0f %.0f %.0f %.0f %.0f', kind, r.token, r.owner, signed_rid(r), r.count,
            r.ttl, r.deadline, r.since, r.delay),
        'PX', string.format('%.0f', keep_ms))
end

local function write_record(key, kind, r, keep_ms)
    set_record(redis.call, key, kind, r, keep_ms)
end

local function write_held(key, kind, r)
    write_record(key, kind, r, r.ttl + r.delay + RETENTION_MS)
end

-- A notification is a hint: whoever misses it looks again by itself.
local function tell(key, what, r)
    redis.call('PUBLISH', key, string.format('%s %.0f %s', what, r.token, r.owner))
end

-- Tokens only rise, also when the key has been lost: no clock is behind the last one by then.
local function next_token(last, now)
    return math.max(last + 1, now)
end

-- Exclusive holders.

-- Whether a request of the last holder was answered, and what it got is over or was given up.
local function is_stale(r, a)
    return a.rid < r.rid or (a.rid == r.rid and (r.is_undone or not r.live))
end

-- Answers whoever has asked before: with the same grant, if it is the same request; or one more of
-- the same token, if it may hold the lock so often. Returns nil if this is neither.
local function ask_again(key, kind, r, a, now)
    if r.owner ~= a.owner then
        return nil
    elseif is_stale(r, a) then
        return { 'STALE' }
    elseif not r.live then
        return nil
    elseif a.rid > r.rid then
        if r.count >= a.most then
            return { 'LIMIT', text(r.count) }
        end
        r.rid, r.is_undone = a.rid, false
        r.count = r.count + 1
    end
    r.ttl = math.max(r.ttl, a.ttl)
    r.deadline = math.max(r.deadline, now + a.ttl * 1000)
    write_held(key, kind, r)
    return { 'OK', text(r.token), text(a.ttl), text(now), '' }
end

-- Says why nobody may have the lock now; or nil. A lease that was too long is written as it is now: it
-- would never be over if each that looks at it began it anew.
local function why_not(key, kind, r, now)
    if r.is_clamped then
        write_held(key, kind, r)
    end
    local delayed = r.deadline + r.delay * 1000
    if r.live then
        return { 'BUSY', text(r.token), ms(r.deadline - now), r.owner }
    elseif r.count > 0 and delayed > now then
        return { 'DELAY', ms(delayed - now) }
    end
end

-- In how many milliseconds such an answer may be another one.
local function check_ms(why)
    return tonumber(why[1] == 'DELAY' and why[2] or why[3])
end

-- Gives the lock to the one who asks. Returns what it is told.
local function grant(key, kind, r, a, token, now)
    local over = ''
    if r.count > 0 then -- Its holder has let the lease pass.
        over = text(r.token)
        tell(key, 'expired', r)
    end
    r.token, r.owner, r.rid, r.is_undone, r.count = token, a.owner, a.rid, false, a.count or 1
    r.ttl, r.delay, r.since, r.deadline = a.ttl, a.delay, now, now + a.ttl * 1000
    write_held(key, kind, r)
    tell(key, 'granted', r)
    return { 'OK', text(token), text(a.ttl), text(now), over }
end

local function is_held_by(r, h)
    return r.owner == h.owner and r.token == h.token
end

-- Where the server has no memory left for a record, it goes away with all that it knows: what is given
-- back must not stay held for that.
local function free(key, kind, r)
    r.count, r.delay = 0, 0
    if set_record(redis.pcall, key, kind, r, RETENTION_MS).err then
        redis.call('DEL', key)
    end
    tell(key, 'released', r)
end

-- Gives one hold back. Returns what its holder is told, and whether the lock is free now.
local function release(key, kind, r, h)
    if not is_held_by(r, h) then
        return { 'LOST' }, false
    elseif r.count == 0 then
        return { 'OK', '0' }, false -- It was given back before.
    elseif not r.live then
        return { 'LOST' }, false
    elseif r.count > 1 then
        r.count = r.count - 1
        write_held(key, kind, r)
        return { 'OK', text(r.count) }, false
    end
    free(key, kind, r)
    return { 'OK', '0' }, true
end

local function renew(key, kind, r, h, now)
    if not (r.live and is_held_by(r, h)) then
        return { 'LOST' }
    end
    r.ttl = h.ttl
    r.deadline = now + h.ttl * 1000
    write_held(key, kind, r)
    return { 'OK', text(r.token), text(h.ttl), text(now) }
end

-- Undoes a grant whose request was given up, or keeps that from being granted when it comes late.
-- Returns whether the lock is free by that.
local function cancel(key, kind, r, owner, rid)
    if r.owner ~= owner or is_stale(r, { rid = rid }) then
        return false
    elseif r.rid == rid and r.count == 1 then
        free(key, kind, r)
        return true
    elseif r.rid == rid then
        r.count = r.count - 1
    end
    r.rid, r.is_undone = rid, true
    write_held(key, kind, r)
    return false
end

-- Queues of those who ask again and again, where the server cannot have them wait. A queue is one
-- hash: `first` and `next` are tickets, `#TICKET` is "OWNER RID LEASE_US", and "OWNER RID" is the ticket.
-- Each waiter has a lease of its own, so one that is gone keeps nobody waiting for long: it is
-- passed over by whoever comes next. Only who is first takes what is free; its lease is the time that
-- it has to do so.

local CHECK_MS = 500 -- A waiter asks again at least so often,
local WAITER_MS = 3 * CHECK_MS -- and has a lease of so long.

local function waiter_name(a)
    return a.owner .. ' ' .. text(a.rid)
end

-- Returns its name, and when its lease is over.
local function read_waiter(waiter)
    local name, till = string.match(waiter, '^(%S+ %d+) (%d+)$')
    return name, tonumber(till)
end

-- A lease that is too long is of a clock that has been put back since: its waiter may be gone. If it is
-- not, it asks again soon.
local function is_waiting(till, now)
    return till > now and till <= now + WAITER_MS * 1000
end

-- Returns the ticket of the first waiter that lives, its name, and until when; or nil. Forgets the dead
-- before it.
local function first_in_queue(queue, now)
    local ends = redis.call('HMGET', queue, 'first', 'next')
    local first, next_ticket = tonumber(ends[1] or 1), tonumber(ends[2] or 1)
    local ticket, name, lease = first, nil, nil
    while ticket < next_ticket do
        local waiter = redis.call('HGET', queue, '#' .. ticket)
        if waiter then
            local who, till = read_waiter(waiter)
            if is_waiting(till, now) then
                name, lease = who, till
                break
            end
            redis.call('HDEL', queue, '#' .. ticket, who)
        end
        ticket = ticket + 1
    end
    if ticket > first then
        redis.call('HSET', queue, 'first', ticket)
    end
    return name and ticket, name, lease
end

local function count_in_queue(queue)
    local fields = redis.call('HLEN', queue)
    return fields > 2 and math.floor((fields - 2) / 2) or 0
end

-- Puts a waiter into the queue, or renews its lease. Returns its ticket and how many are before it
-- at the most.
local function join_queue(queue, a, now)
    local name = waiter_name(a)
    local ticket = tonumber(redis.call('HGET', queue, name))
    if not ticket then
        ticket = tonumber(redis.call('HGET', queue, 'next') or 1)
        redis.call('HSET', queue, 'next', ticket + 1, name, ticket)
        redis.call('HSETNX', queue, 'first', ticket)
    end
    redis.call('HSET', queue, '#' .. ticket, string.format('%s %.0f', name, now + WAITER_MS * 1000))
    redis.call('PEXPIRE', queue, WAITER_MS + RETENTION_MS)
    return ticket, ticket - tonumber(redis.call('HGET', queue, 'first'))
end

-- Forgets all the dead, and returns how many live.
local function purge_queue(queue, now)
    local fields, living = redis.call('HGETALL', queue), 0
    for i = 1, #fields, 2 do
        if string.find(fields[i], '^#%d+$') then
            local name, till = read_waiter(fields[i + 1])
            if is_waiting(till, now) then
                living = living + 1
            else
                redis.call('HDEL', queue, fields[i], name)
            end
        end
    end
    return living
end

local function leave_queue(queue, name)
    local ticket = redis.call('HGET', queue, name)
    if ticket then
        redis.call('HDEL', queue, '#' .. ticket, name)
    end
    return ticket ~= false
end

-- Tells the first of a queue that it is its turn.
local function tell_first(key, queue, now)
    local ticket, name = first_in_queue(queue, now)
    if ticket then
        redis.call('PUBLISH', key, 'turn ' .. name)
    end
end

-- Waiting inside of the server, where it can do that (Moonlatch): see redis.retry() there.

local function count_ahead()
    return redis.ahead and redis.ahead() or 0
end

-- Does not return if the server makes the client wait, to run the script again: when one of the first
-- `keys` has changed (without it, the record: whoever frees a lock writes it), or after `again` ms.
-- Returns what to answer if it must not wait; nil if it cannot, or not any more.
local function wait_inside(a, again, holders, keys)
    if a.wait == 0 or not redis.retry then
        return nil
    end
    local circle = redis.retry {
        ordered = true, keys = keys or 1, timeout = a.wait > 0 and a.wait or nil, again = again,
        owner = a.owner, holders = holders,
    }
    return circle and { 'DEADLOCK', circle } or nil
end

-- Free, but somebody is before this one.
local function not_yet(r)
    return { 'BUSY', text(r.token), '10', '' }
end

-- Has the one who asks wait: inside of the server if it can, else in the queue. `why` is the answer
-- to who only tries, `holders` are the owners that are waited for. What is in the queue has been looked
-- at before: `first` is its first ticket, `till` when that one's lease is over.
local function wait_in_turn(key, queue, a, why, holders, most, now, first, till)
    local check = check_ms(why)
    if a.wait == 0 then
        return why
    elseif redis.retry then
        if most > 0 and count_ahead() >= most then
            return { 'FULL' }
        end
        if first then
            check = math.min(check, math.ceil((till - now) / 1000))
        end
        return wait_inside(a, check, holders) or why
    end
    if most > 0 and not redis.call('HGET', queue, waiter_name(a)) and count_in_queue(queue) >= most
        and purge_queue(queue, now) >= most then
        return { 'FULL' }
    end
    local ticket, before = join_queue(queue, a, now)
    check = math.min(check, CHECK_MS)
    if before > 0 then -- Not all at once: the first will be told, and tell the next.
        check = math.min(CHECK_MS, 100 * before)
    end
    return { 'WAIT', text(ticket), text(before + 1), text(check) }
end

-- Looking at locks.

local function describe(kind, r, now)
    return {
        'kind', kind,
        'state', r.live and 'held' or (r.count > 0 and 'expired' or 'free'),
        'token', text(r.token),
        'owner', r.live and r.owner or '',
        'count', text(r.live and r.count or 0),
        'remaining_ms', r.live and ms(r.deadline - now) or '0',
        'since_us', text(r.live and r.since or 0),
        'ttl_ms', text(r.live and r.ttl or 0),
    }
end

local function add_field(fields, name, value)
    fields[#fields + 1] = name
    fields[#fields + 1] = value
end

-- Who waits inside of the server, if it can tell.
local function add_waiting(fields, key, others)
    local waiting = {}
    for i, w in ipairs(redis.waiters and redis.waiters(key) or {}) do
        waiting[i] = { w[1], text(w[2]), w[3] }
    end
    add_field(fields, 'waiters', text(#waiting + others))
    add_field(fields, 'waiting', waiting)
    return fields
end

-- Shared holders: readers, those who have permits. Each has a lease of its own, in a sorted set of
-- *places* by their deadlines, so none can leak; how many there are is how many live, and no counter
-- says otherwise. A place is `OWNER NUMBER`. What else is known of an owner is in a hash, *details*:
-- "RID COUNT TOKEN TTL_MS SINCE_US PLACES", the RID as in a record. There too, under `-`, are those who
-- have left last: what they have asked for may come once more.

local LEFT = 16 -- So many of them.

local function read_details(details, owner)
    local line = redis.call('HGET', details, owner)
    if not line then
        return nil
    end
    local undone, rid, count, token, ttl, since, places =
        string.match(line, '^(%-?)(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
    return {
        owner = owner, rid = tonumber(rid), is_undone = undone == '-', live = true, count = tonumber(count),
        token = tonumber(token), ttl = tonumber(ttl), since = tonumber(since), places = tonumber(places),
    }
end

local function write_details(details, d)
    redis.call('HSET', details, d.owner, string.format('%.0f %.0f %.0f %.0f %.0f %.0f', signed_rid(d), d.count, d.token,
        d.ttl, d.since, d.places))
end

local function owner_of_place(place)
    return string.match(place, '^%S+')
end

-- Remembers that an owner has left; with a token of 0 if its lease was over. Lines of "OWNER RID TOKEN",
-- the last one first. It leaves all the same if the server has no memory left for that.
local function remember(details, owner, rid, token)
    local left = { string.format('\n%s %.0f %.0f\n', owner, rid, token) }
    for line in string.gmatch(redis.call('HGET', details, '-') or '', '[^\n]+') do
        if #left < LEFT and owner_of_place(line) ~= owner then
            left[#left + 1] = line .. '\n'
        end
    end
    redis.pcall('HSET', details, '-', table.concat(left))
    redis.call('PEXPIRE', details, text(math.max(redis.call('PTTL', details), RETENTION_MS)))
end

-- Returns the rid and the token with which an owner has left; or nil.
local function find_left(details, owner)
    local left = redis.call('HGET', details, '-') or ''
    local _, at = string.find(left, '\n' .. owner .. ' ', 1, true)
    if at then
        local rid, token = string.match(left, '^(%d+) (%d+)', at + 1)
        return tonumber(rid), tonumber(token)
    end
end

-- Takes those out whose leases are over, and makes none last longer than its TTL from now, which it
-- would when the clock has been put back.
local function purge_shared(shared, details, now)
    for _, place in ipairs(redis.call('ZRANGEBYSCORE', shared, '-inf', text(now))) do
        local d = read_details(details, owner_of_place(place))
        redis.call('ZREM', shared, place)
        if d then -- Once, however many places it has.
            redis.call('HDEL', details, d.owner)
            remember(details, d.owner, d.rid, 0)
        end
    end
    while true do
        local last = redis.call('ZRANGE', shared, -1, -1, 'WITHSCORES')
        local d = last[1] and read_details(details, owner_of_place(last[1]))
        if not d or tonumber(last[2]) <= now + d.ttl * 1000 then
            return
        end
        redis.call('ZADD', shared, text(now + d.ttl * 1000), last[1])
    end
end

-- Keeps both as long as one of the leases may last.
local function keep_shared(shared, details, ttl)
    for _, key in ipairs { shared, details } do
        if redis.call('PTTL', key) < ttl + RETENTION_MS then
            redis.call('PEXPIRE', key, text(ttl + RETENTION_MS))
        end
    end
end

local function lease_shared(shared, details, d, now)
    local deadline = text(now + d.ttl * 1000)
    for number = 1, d.places do
        redis.call('ZADD', shared, deadline, d.owner .. ' ' .. number)
    end
    write_details(details, d)
    keep_shared(shared, details, d.ttl)
end

-- Changes nothing but that the record has changed: who waits for that looks again.
local function touch(key)
    redis.call('PEXPIRE', key, text(math.max(redis.call('PTTL', key), RETENTION_MS) + 1))
end

-- Forgets an owner's places, and remembers that it has left.
local function leave_shared(key, shared, details, d)
    for number = 1, d.places do
        redis.call('ZREM', shared, d.owner .. ' ' .. number)
    end
    redis.call('HDEL', details, d.owner)
    remember(details, d.owner, d.rid, d.token)
    touch(key)
end

-- As ask_again(): of one who has a share, or has just left.
local function ask_again_shared(shared, details, d, a, now)
    if not d then
        return a.rid <= (find_left(details, a.owner) or 0) and { 'STALE' } or nil
    elseif is_stale(d, a) then
        return { 'STALE' }
    elseif a.rid > d.rid then
        if d.count >= a.most then
            return { 'LIMIT', text(d.count) }
        end
        d.rid, d.is_undone = a.rid, false
        d.count = d.count + 1
    end
    d.ttl = math.max(d.ttl, a.ttl)
    lease_shared(shared, details, d, now)
    return { 'OK', text(d.token), text(a.ttl), text(now), '' }
end

-- Returns the answer, and whether a share is free by that.
local function release_shared(key, shared, details, d, h)
    if not d or d.token ~= h.token then
        local _, token = find_left(details, h.owner)
        return token == h.token and { 'OK', '0' } or { 'LOST' }, false
    elseif d.count > 1 then
        d.count = d.count - 1
        write_details(details, d)
        return { 'OK', text(d.count) }, false
    end
    leave_shared(key, shared, details, d)
    tell(key, 'released', d)
    return { 'OK', '0' }, true
end

local function renew_shared(shared, details, d, h, now)
    if not d or d.token ~= h.token then
        return { 'LOST' }
    end
    d.ttl = h.ttl
    lease_shared(shared, details, d, now)
    return { 'OK', text(d.token), text(h.ttl), text(now) }
end

-- Returns whether a share is free by that.
local function cancel_shared(key, shared, details, d, rid)
    if not d or is_stale(d, { rid = rid }) then
        return false
    elseif d.rid == rid and d.count == 1 then
        leave_shared(key, shared, details, d)
        tell(key, 'released', d)
        return true
    elseif d.rid == rid then
        d.count = d.count - 1
    end
    d.rid, d.is_undone = rid, true
    write_details(details, d)
    return false
end

-- The owners that have shares, for the deadlocks; and in how many microseconds the first and the last of
-- their leases is over.
local function read_shared(shared, now)
    local owners, seen, first, last = {}, {}, nil, nil
    local places = redis.call('ZRANGE', shared, 0, -1, 'WITHSCORES')
    for i = 1, #places, 2 do
        local owner, left = owner_of_place(places[i]), places[i + 1] - now
        if left > 0 then
            first, last = first or left, left
            if not seen[owner] then
                owners[#owners + 1] = owner
                seen[owner] = true
            end
        end
    end
    return owners, first, last
end

-- As fields of a status.
local function describe_shared(fields, shared, details, mode, now)
    local holders = {}
    local owners = read_shared(shared, now)
    for i, owner in ipairs(owners) do
        local d = read_details(details, owner)
        local left = tonumber(redis.call('ZSCORE', shared, owner .. ' 1')) - now
        holders[i] = d and {
            'owner', owner, 'mode', mode, 'token', text(d.token), 'count', text(d.count), 'permits', text(d.places),
            'remaining_ms', ms(left), 'since_us', text(d.since),
        } or nil
    end
    add_field(fields, 'holders', holders)
    return fields
end

-- What has one holder, a record and a queue: fair mutexes, elections.

local queued = {}

-- Returns the answer, and whether it is a new grant.
function queued.acquire(kind, key, queue, a, most)
    local r, now = read_now(key, kind)
    if not r then
        return now
    end
    redis.call('HLEN', queue) -- Fails before anything is written if it is something else.
    local answer = ask_again(key, kind, r, a, now)
    if answer then
        return answer
    end
    local first, name, till = first_in_queue(queue, now)
    local is_first = name == waiter_name(a)
    local why = why_not(key, kind, r, now)
    if not why and (is_first or (not first and count_ahead() == 0)) then
        leave_queue(queue, waiter_name(a))
        return grant(key, kind, r, a, next_token(r.token, now), now), true
    end
    local holders = { r.live and r.owner or nil }
    return wait_in_turn(key, queue, a, why or not_yet(r), holders, most, now, not is_first and first, till)
end

-- Returns the answer, and whether the lock is free by that.
function queued.release(kind, key, queue, ARGV)
    local h, problem = read_hold(ARGV)
    if not h then
        return problem
    end
    local r, now = read_now(key, kind)
    if not r then
        return now
    end
    redis.call('HLEN', queue) -- Fails before anything is written if it is something else.
    local answer, is_free = release(key, kind, r, h)
    if is_free then
        tell_first(key, queue, now)
    end
    return answer, is_free
end

function queued.renew(kind, key, ARGV)
    local h, problem = read_hold(ARGV, true)
    if not h then
        return problem
    end
    local r, now = read_now(key, kind)
    if not r then
        return now
    end
    return renew(key, kind, r, h, now)
end

-- Returns the answer, and whether the lock is free by that.
function queued.cancel(kind, key, queue, ARGV)
    local rid = whole(ARGV[3], 1)
    if not rid then
        return bad('cancel OWNER RID')
    end
    local r, now = read_now(key, kind)
    if not r then
        return now
    end
    local left = leave_queue(queue, waiter_name { owner = ARGV[2], rid = rid })
    local is_free = cancel(key, kind, r, ARGV[2], rid)
    if left or is_free then
        tell_first(key, queue, now)
    end
    return { 'OK' }, is_free
end

function queued.status(kind, key, queue)
    local r, now = read_now(key, kind)
    if not r then
        return now
    end
    return add_waiting(describe(kind, r, now), key, count_in_queue(queue))
end

-- Runs the operation that ARGV[1] names.
local function run(operations, KEYS, ARGV)
    local operation = operations[ARGV[1]]
    if not operation then
        return bad('there is no operation ' .. (ARGV[1] or ''))
    end
    return operation(KEYS, ARGV)
end
