-- Several mutexes at once: all of them, or none. KEYS: a record each.
--
-- They are the mutexes of mutex.lua, so one of them can be held alone as well. All get one token,
-- which is above all that they have had.

local multi = {}

-- Returns the records of all, and the time; or nil and an error.
local function read_all(KEYS)
    local all = {}
    for i, key in ipairs(KEYS) do
        local r, problem = read_record(key, 'mutex')
        if not r then
            return nil, problem
        end
        all[i] = r
    end
    local now = clock()
    for _, r in ipairs(all) do
        look(r, now)
    end
    return all, now
end

-- How many of them are held by this owner; and whether this request is stale for one of them.
local function look_for_own(all, a)
    local held, stale = 0, false
    for _, r in ipairs(all) do
        if r.owner == a.owner then
            held = held + (r.live and 1 or 0)
            stale = stale or is_stale(r, a)
        end
    end
    return held, stale
end

-- Answers whoever holds them all: nothing is written before it is known that all can be.
local function ask_all_again(KEYS, all, a, now)
    local answer
    for _, r in ipairs(all) do
        if a.rid > r.rid and r.count >= a.most then
            return { 'LIMIT', text(r.count) }
        end
    end
    for i, r in ipairs(all) do
        answer = ask_again(KEYS[i], 'mutex', r, a, now)
    end
    return answer
end

-- The first that somebody else has, and who has any of them.
local function find_taken(KEYS, all, now)
    local taken, holders = nil, {}
    for i, r in ipairs(all) do
        local why = why_not(KEYS[i], 'mutex', r, now)
        if why and not taken then
            taken = why
            taken[5] = why[1] == 'BUSY' and KEYS[i] or nil
        end
        if why and r.live then
            holders[#holders + 1] = r.owner
        end
    end
    return taken, holders
end

local function next_token_of_all(all, now)
    local last = 0
    for _, r in ipairs(all) do
        last = math.max(last, r.token)
    end
    return next_token(last, now)
end

-- acquire OWNER RID TTL_MS WAIT_MS DELAY_MS MAX_COUNT
function multi.acquire(KEYS, ARGV)
    local a, problem = read_request(ARGV)
    if not a then
        return problem
    end
    local all, now = read_all(KEYS)
    if not all then
        return now
    end
    local held, stale = look_for_own(all, a)
    if stale then
        return { 'STALE' }
    elseif held == #all then
        return ask_all_again(KEYS, all, a, now)
    elseif held > 0 then
        return { 'LIMIT', text(held) } -- What it holds of them has a token already.
    end
    local why, holders = find_taken(KEYS, all, now)
    if not why and count_ahead() == 0 then
        local answer
        local token = next_token_of_all(all, now)
        for i, r in ipairs(all) do
            answer = grant(KEYS[i], 'mutex', r, a, token, now)
        end
        return answer
    end
    why = why or not_yet(all[1])
    return wait_inside(a, check_ms(why), holders, #KEYS) or why
end

-- Does something with each; answers LOST if that is one's answer, else as the last one.
local function each(KEYS, all, what)
    local answer, lost
    for i, r in ipairs(all) do
        answer = what(KEYS[i], r)
        lost = lost or answer[1] ~= 'OK'
    end
    return lost and { 'LOST' } or answer
end

-- release OWNER TOKEN
function multi.release(KEYS, ARGV)
    local h, problem = read_hold(ARGV)
    if not h then
        return problem
    end
    local all, now = read_all(KEYS)
    if not all then
        return now
    end
    return each(KEYS, all, function(key, r)
        return (release(key, 'mutex', r, h))
    end)
end

-- renew OWNER TOKEN TTL_MS
function multi.renew(KEYS, ARGV)
    local h, problem = read_hold(ARGV, true)
    if not h then
        return problem
    end
    local all, now = read_all(KEYS)
    if not all then
        return now
    end
    for _, r in ipairs(all) do -- None is renewed that would be worth nothing.
        if not (r.live and is_held_by(r, h)) then
            return { 'LOST' }
        end
    end
    return each(KEYS, all, function(key, r)
        return renew(key, 'mutex', r, h, now)
    end)
end

-- cancel OWNER RID
function multi.cancel(KEYS, ARGV)
    local rid = whole(ARGV[3], 1)
    if not rid then
        return bad('cancel OWNER RID')
    end
    local all, now = read_all(KEYS)
    if not all then
        return now
    end
    for i, r in ipairs(all) do
        cancel(KEYS[i], 'mutex', r, ARGV[2], rid)
    end
    return { 'OK' }
end

function multi.status(KEYS)
    local all, now = read_all(KEYS)
    if not all then
        return now
    end
    local fields = { 'kind', 'multi' }
    for i, r in ipairs(all) do
        add_field(fields, KEYS[i], add_waiting(describe('mutex', r, now), KEYS[i], 0))
    end
    return fields
end

return run(multi, KEYS, ARGV)
