-- A mutex. KEYS: its record.
--
-- Whoever waits inside of the server gets it in the order of arrival; whoever asks again and again
-- gets it by luck. The fair mutex has a queue for those too.

local mutex = {}

-- acquire OWNER RID TTL_MS WAIT_MS DELAY_MS MAX_COUNT
function mutex.acquire(KEYS, ARGV)
    local a, problem = read_request(ARGV)
    if not a then
        return problem
    end
    local r, now = read_now(KEYS[1], 'mutex')
    if not r then
        return now
    end
    local answer = ask_again(KEYS[1], 'mutex', r, a, now)
    if answer then
        return answer
    end
    local why = why_not(KEYS[1], 'mutex', r, now)
    if not why and count_ahead() == 0 then
        return grant(KEYS[1], 'mutex', r, a, next_token(r.token, now), now)
    end
    why = why or not_yet(r)
    return wait_inside(a, check_ms(why), { r.live and r.owner or nil }) or why
end

-- release OWNER TOKEN
function mutex.release(KEYS, ARGV)
    local h, problem = read_hold(ARGV)
    if not h then
        return problem
    end
    local r, now = read_now(KEYS[1], 'mutex')
    if not r then
        return now
    end
    return (release(KEYS[1], 'mutex', r, h))
end

-- renew OWNER TOKEN TTL_MS
function mutex.renew(KEYS, ARGV)
    local h, problem = read_hold(ARGV, true)
    if not h then
        return problem
    end
    local r, now = read_now(KEYS[1], 'mutex')
    if not r then
        return now
    end
    return renew(KEYS[1], 'mutex', r, h, now)
end

-- cancel OWNER RID
function mutex.cancel(KEYS, ARGV)
    local rid = whole(ARGV[3], 1)
    if not rid then
        return bad('cancel OWNER RID')
    end
    local r, now = read_now(KEYS[1], 'mutex')
    if not r then
        return now
    end
    cancel(KEYS[1], 'mutex', r, ARGV[2], rid)
    return { 'OK' }
end

function mutex.status(KEYS)
    local r, now = read_now(KEYS[1], 'mutex')
    if not r then
        return now
    end
    return add_waiting(describe('mutex', r, now), KEYS[1], 0)
end

return run(mutex, KEYS, ARGV)
