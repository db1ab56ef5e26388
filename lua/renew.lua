-- Renews all that a session holds in one go. KEYS: for each hold the keys of its lock that renew needs,
-- one after the other; ARGV: 'renew', then of each hold KIND OWNER TOKEN TTL_MS. Answers the time,
-- and of each hold OK or LOST; or the error that one is.
--
-- KIND is that of the record, or `read` and `permits` for shared holds, which have three keys.

local KEYS_OF = { mutex = 1, fair = 1, rw = 1, election = 1, read = 3, permits = 3 }

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

local sessions = {}

function sessions.renew(KEYS, ARGV)
    local answers, at = {}, 1
    local now = clock()
    answers[1] = text(now)
    for i = 2, #ARGV, 4 do
        local kind, h = ARGV[i], { owner = ARGV[i + 1], token = whole(ARGV[i + 2], 1), ttl = whole(ARGV[i + 3], 1) }
        local count = KEYS_OF[kind]
        if not (count and h.owner and h.token and h.ttl and KEYS[at + count - 1]) then
            return bad('renew KIND OWNER TOKEN TTL_MS..., with the keys of each')
        end
        local answer
        if count == 1 then
            answer = renew_one(kind, KEYS[at], h, now)
        else
            local record = kind == 'read' and 'rw' or 'semaphore'
            answer = renew_one_shared(record, KEYS[at], KEYS[at + 1], KEYS[at + 2], h, now)
        end
        answers[#answers + 1] = answer.err and answer or answer[1]
        at = at + count
    end
    return answers
end

return run(sessions, KEYS, ARGV)
