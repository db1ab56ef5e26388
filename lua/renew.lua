-- Renews all that a session holds in one go. KEYS: for each hold the keys of its lock that renew needs,
-- one after the other; ARGV: 'renew', then of each hold KIND OWNER TOKEN TTL_MS. Answers the time,
-- and of each hold OK or LOST; or the error that one is, which keeps none of the others from it.
--
-- KIND is that of the record; or `read` and `permits` for shared holds, which have three keys; or `leader`
-- for an election with what has been proclaimed, which is to live as long: the record and the value.

local KEYS_OF = { mutex = 1, fair = 1, rw = 1, election = 1, leader = 2, read = 3, permits = 3 }

-- Of shared holds; the record of a read-write lock, or a semaphore, is kept as long.
local function renew_one_shared(kind, key, shared, details, h, now)
    local r, problem = read_record(key, kind)
    if not r then
        return problem
    end
    redis.call('ZCARD', shared)
    redis.call('HLEN', details)
    purge_shared(shared, details, now)
    local answer = renew_shared(shared, details, read_details(details, h.owner), h, now)
    if answer[1] == 'OK' then
        redis.call('PEXPIRE', key, text(math.max(redis.call('PTTL', key), h.ttl + RETENTION_MS)))
    end
    return answer
end

local function renew_one(kind, key, h, now)
    local r, problem = read_record(key, kind)
    if not r then
        return problem
    end
    look(r, now)
    return renew(key, kind, r, h, now)
end

local function renew_leader(key, value, h, now)
    redis.call('STRLEN', value)
    local answer = renew_one('election', key, h, now)
    if answer[1] == 'OK' then
        redis.call('PEXPIRE', value, text(h.ttl + RETENTION_MS))
    end
    return answer
end

-- Returns the holds that are to be renewed, each with the place of its first key; or nil and what is
-- wrong.
local function read_holds(KEYS, ARGV)
    local holds, at = {}, 1
    for i = 2, #ARGV, 4 do
        local h = {
            kind = ARGV[i], owner = ARGV[i + 1], token = whole(ARGV[i + 2], 1), ttl = whole(ARGV[i + 3], 1), at = at,
        }
        local count = KEYS_OF[h.kind]
        if not (count and h.owner and h.token and h.ttl and KEYS[at + count - 1]) then
            return nil, bad('renew KIND OWNER TOKEN TTL_MS..., with the keys of each')
        end
        holds[#holds + 1] = h
        at = at + count
    end
    return holds
end

local function renew_hold(KEYS, h, now)
    if KEYS_OF[h.kind] == 1 then
        return renew_one(h.kind, KEYS[h.at], h, now)
    elseif h.kind == 'leader' then
        return renew_leader(KEYS[h.at], KEYS[h.at + 1], h, now)
    end
    local record = h.kind == 'read' and 'rw' or 'semaphore'
    return renew_one_shared(record, KEYS[h.at], KEYS[h.at + 1], KEYS[h.at + 2], h, now)
end

local sessions = {}

function sessions.renew(KEYS, ARGV)
    local holds, problem = read_holds(KEYS, ARGV)
    if not holds then
        return problem
    end
    local now = clock()
    local answers = { text(now) }
    for i, h in ipairs(holds) do
        local is_fine, answer = pcall(renew_hold, KEYS, h, now)
        if is_fine and not answer.err then
            answer = answer[1]
        elseif type(answer) == 'string' then -- Before Redis 7.
            answer = redis.error_reply(answer)
        end
        answers[i + 1] = answer
    end
    return answers
end

return run(sessions, KEYS, ARGV)
