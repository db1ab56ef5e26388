-- A guard: refuses whoever comes with a lower token than somebody before. KEYS: the guard, and what
-- it guards.
--
-- A lease keeps nobody from writing who has slept through its end. What is written to has to refuse
-- the token of that hold, and so it has to have seen a higher one: not only with the writes, but with
-- the reads that they are made of. If 41 reads, then 42 reads, 41 writes and 42 writes, each write
-- has the highest token so far, and the first one is lost all the same.

local guard = {}

-- Returns nil if the token may pass, and remembers it; else what to answer.
local function pass(key, token)
    local highest = redis.call('GET', key)
    if not token then
        return bad('a token is a whole number')
    elseif highest and not whole(highest, 0) then
        return redis.error_reply('LOCKKIND ' .. key .. ' is no guard')
    elseif highest and tonumber(highest) > token then
        return { 'REFUSED', highest }
    elseif not highest or tonumber(highest) < token then
        redis.call('SET', key, text(token))
    end
end

-- touch TOKEN: to be called before what is guarded is read elsewhere.
function guard.touch(KEYS, ARGV)
    local token = whole(ARGV[2], 1)
    return pass(KEYS[1], token) or { 'OK', text(token) }
end

-- read TOKEN: the values of the other keys, with the token's touch.
function guard.read(KEYS, ARGV)
    local values = { 'OK' }
    for i = 2, #KEYS do
        values[i] = redis.call('GET', KEYS[i]) -- First, since it may fail.
    end
    return pass(KEYS[1], whole(ARGV[2], 1)) or values
end

-- write TOKEN VALUE...: sets the other keys.
function guard.write(KEYS, ARGV)
    local token = whole(ARGV[2], 1)
    if #ARGV - 2 ~= #KEYS - 1 then
        return bad('write TOKEN VALUE..., one for each key behind the guard')
    end
    local answer = pass(KEYS[1], token)
    if answer then
        return answer
    end
    for i = 2, #KEYS do
        redis.call('SET', KEYS[i], ARGV[i + 1])
    end
    return { 'OK', text(token) }
end

function guard.status(KEYS)
    return { 'kind', 'guard', 'token', redis.call('GET', KEYS[1]) or '0' }
end

return run(guard, KEYS, ARGV)
