-- LOCKS, on a server that has this library built in: who holds what, and who waits for it.
--
-- Without KEYS: it looks at whatever locks there are.

local locks = {}

local SCANNED = 100 -- Keys that a look at the next ones takes in.

-- The status of each kind, by the keys that it needs behind the record.
local STATUS = {
    mutex = { lock_mutex.status },
    fair = { lock_fair.status, ':queue' },
    rw = { lock_rw.status, ':readers', ':details', ':queue' },
    semaphore = { lock_semaphore.status, ':permits', ':details', ':queue' },
    election = { lock_election.status, ':queue', ':value' },
}

local function key_of(name)
    return string.sub(name, 1, 1) == '{' and 'lock:' .. name or 'lock:{' .. name .. '}'
end

local function name_of(key)
    return string.match(key, '^lock:{([^}]*)}$') or string.match(key, '^lock:({.*)$')
end

-- Returns what there is to say of a lock, its name first; or nil if there is none.
local function look_at(key)
    local record = redis.pcall('GET', key)
    local kind = type(record) == 'string' and string.match(record, '^%S+')
    local status = kind and STATUS[kind]
    if not status then
        return nil
    end
    local keys = { key }
    for i = 2, #status do
        keys[i] = key .. status[i]
    end
    local fields = status[1](keys)
    if fields.err then
        return nil
    end
    return { 'name', name_of(key), unpack(fields) }
end

local function is_idle(fields)
    return fields[6] == 'free' and not redis.waiters(key_of(fields[2]), 1)[1]
end

-- LOCKS GET name...: of each its fields, or nil.
function locks.get(KEYS, ARGV)
    local all = {}
    for i = 2, #ARGV do
        all[i - 1] = look_at(key_of(ARGV[i])) or false
    end
    return all
end

-- Adds those of some keys that are held or waited for.
local function add(all, keys)
    for _, key in ipairs(keys) do
        local fields = name_of(key) and look_at(key)
        if fields and not is_idle(fields) then
            all[#all + 1] = fields
        end
    end
end

-- Returns the pattern of their keys, of [MATCH pattern] [COUNT count] from argument `from` on, and how many
-- keys to look at; or nil and an error.
local function read_options(ARGV, from)
    local pattern, count = 'lock:{*', SCANNED
    for i = from, #ARGV, 2 do
        local option = string.lower(ARGV[i])
        if option == 'match' and ARGV[i + 1] then
            local match = ARGV[i + 1]
            pattern = string.sub(match, 1, 1) == '{' and 'lock:' .. match or 'lock:{' .. match .. '}'
        elseif option == 'count' and whole(ARGV[i + 1], 1) then
            count = tonumber(ARGV[i + 1])
        else
            return nil, redis.error_reply('ERR syntax error')
        end
    end
    return pattern, count
end

-- LOCKS SCAN cursor [MATCH pattern] [COUNT count]
function locks.scan(KEYS, ARGV)
    local pattern, count = read_options(ARGV, 3)
    if not pattern then
        return count
    end
    local found = redis.call('SCAN', ARGV[2] or '', 'MATCH', pattern, 'COUNT', count, 'TYPE', 'string')
    local all = {}
    add(all, found[2])
    return { found[1], all }
end

-- LOCKS LIST [MATCH pattern]
function locks.list(KEYS, ARGV)
    local pattern, problem = read_options(ARGV, 2)
    if not pattern then
        return problem
    end
    local all, cursor = {}, '0'
    repeat
        local found = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', SCANNED, 'TYPE', 'string')
        add(all, found[2])
        cursor = found[1]
    until cursor == '0'
    return all
end

return run(locks, KEYS, ARGV)
