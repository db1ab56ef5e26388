#!/usr/bin/python3
"""What code can reach: the exact list of globals, and of what is in each library, for
scripts, for functions, and for a library while it is being loaded; and that none of it
can be changed.

Whoever adds something for scripts adds it here, and thinks twice.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import Check, Error, Server

# What scripts find. Names of functions, unless a type stands behind the colon.
SCRIPT = {
    "_G": """
        ARGV:table KEYS:table _G:table _VERSION:string assert bit:table cjson:table
        cmsgpack:table collectgarbage coroutine:table error gcinfo getmetatable ipairs load
        loadstring math:table next os:table pairs pcall rawequal rawget rawset redis:table
        select server:table setmetatable string:table struct:table table:table tonumber
        tostring type unpack xpcall""",
    "bit": "arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex",
    "cjson": """
        _NAME:string _VERSION:string decode decode_array_with_array_mt decode_invalid_numbers
        decode_max_depth encode encode_invalid_numbers encode_keep_buffer encode_max_depth
        encode_number_precision encode_sparse_array new null:userdata""",
    "cmsgpack": """
        _COPYRIGHT:string _DESCRIPTION:string _NAME:string _VERSION:string pack unpack
        unpack_limit unpack_one""",
    "coroutine": "create resume running status wrap yield",
    "math": """
        abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge:number ldexp log
        log10 max min mod modf pi:number pow rad random randomseed sin sinh sqrt tan tanh""",
    "os": "clock",
    "redis": """
        LOG_DEBUG:number LOG_NOTICE:number LOG_VERBOSE:number LOG_WARNING:number
        MOONLATCH_VERSION:string MOONLATCH_VERSION_NUM:number REDIS_VERSION:string
        REDIS_VERSION_NUM:number REPL_ALL:number REPL_AOF:number REPL_NONE:number
        REPL_REPLICA:number REPL_SLAVE:number SERVER_NAME:string acl_check_cmd ahead breakpoint
        call debug error_reply log pcall replicate_commands retry rollback set_repl setresp
        sha1hex status_reply waiters""",
    "string": """
        byte char dump find format gfind gmatch gsub len lower match rep reverse sub upper""",
    "struct": "pack size unpack",
    "table": "concat foreach foreachi getn insert maxn remove setn sort",
}

# What functions do not find of it: their keys and arguments are parameters.
NOT_IN_FUNCTIONS = {
    "_G": "ARGV:table KEYS:table",
    "redis": "breakpoint debug replicate_commands",
}

# All that a library finds while it is being loaded.
LOADING = """
    redis server redis.LOG_DEBUG redis.LOG_NOTICE redis.LOG_VERBOSE redis.LOG_WARNING
    redis.MOONLATCH_VERSION redis.MOONLATCH_VERSION_NUM redis.REDIS_VERSION
    redis.REDIS_VERSION_NUM redis.SERVER_NAME redis.library redis.log
    redis.register_function"""

# What other Luas have, and what Redis has had, is tried as well.
STRANGERS = """
    __redis__err__handler __server__err__handler arg cdata debug dofile ffi getfenv io jit
    loadfile module newproxy package print require setfenv utf8 warn redis.VALKEY_VERSION
    redis.acall redis.register redis.sha256hex"""

LISTING = """
    local list = {}
    for name, value in pairs(_G[%r]) do list[#list + 1] = name .. ':' .. type(value) end
    table.sort(list)
    return list"""

# Walks through all tables that can be reached, and tries to change each. Returns how many
# there were, and those of which the change was not refused.
CHANGING = """
    local seen, open, count, changed = {[KEYS or 0] = true, [ARGV or 0] = true}, {}, 0, {}
    local function meet(value, path)
        if type(value) ~= 'table' or seen[value] then return end
        seen[value] = true
        open[#open + 1] = {value, path}
    end
    local function try(path, way, ...)
        if pcall(...) then changed[#changed + 1] = path .. ' by ' .. way end
    end
    meet(_G, '_G')
    for _, value in ipairs({'', 0, true, type, coroutine.create(type), cjson.null}) do
        meet(getmetatable(value), 'the metatable of a ' .. type(value))
    end
    while #open > 0 do
        local t, path = unpack(table.remove(open))
        count = count + 1
        for name, value in pairs(t) do meet(value, path .. '.' .. tostring(name)) end
        meet(getmetatable(t), 'the metatable of ' .. path)
        local some = next((function() local c = {} for k in pairs(t) do c[k] = 1 end return c end)())
        try(path, 'assignment', function() t[some] = 1 end)
        try(path, 'new field', function() t.something = 1 end)
        try(path, 'rawset', rawset, t, some, 1)
        try(path, 'rawset of something new', rawset, t, 'something', 1)
        try(path, 'setmetatable', setmetatable, t, {})
        try(path, 'setmetatable nil', setmetatable, t, nil)
        try(path, 'table.insert', table.insert, t, 1)
        try(path, 'table.insert at 1', table.insert, t, 1, 1)
        try(path, 'table.setn', table.setn, t, 1)
        try(path, '__newindex', function() setmetatable({}, {__newindex = t}).something = 1 end)
        pcall(table.remove, t)
        pcall(table.sort, t, function() return true end)
    end
    return {count, changed}"""


def names(text):
    """Returns the list that a script makes of the same."""
    return sorted((name if ":" in name else name + ":function").encode()
                  for name in text.split())


def library(name, code):
    return f"#!lua name={name}\n{code}"


class Sandbox:
    def __init__(self, client, check):
        self.client = client
        self.check = check

    def lists(self, what, run, absent):
        """Compares what there is with the lists; `run` runs the text of a script."""
        for name, text in SCRIPT.items():
            missing = names(absent.get(name, ""))
            expected = [entry for entry in names(text) if entry not in missing]
            self.check.equal(run(LISTING.replace("%r", f"'{name}'")), expected, f"{what}: {name}")
        libraries = [n.split(":")[0] for n in SCRIPT["_G"].split() if n.endswith(":table")]
        self.check.equal(
            set(libraries) - {"ARGV", "KEYS", "server"}, set(SCRIPT), "each library has a list")
        self.check.equal(run("return server == redis"), 1, f"{what}: server is redis")

    def cannot_change(self, what, run):
        reply = run(CHANGING)
        if self.check.true(not isinstance(reply, Error), f"{what}: {reply!r}"):
            self.check.true(reply[0] > len(SCRIPT), f"{what}: {reply[0]} tables have been tried")
            self.check.equal(reply[1], [], f"{what}: what could be changed")

    def function(self, code):
        """Runs a text as a function."""
        loaded = self.client.call("FUNCTION", "LOAD", "REPLACE", library(
            "under_test", f"redis.register_function('under_test', function() {code}\nend)"))
        return self.client.call("FCALL", "under_test", 0) if loaded == b"under_test" else loaded

    def script(self, code):
        return self.client.call("EVAL", code, 0)

    def finds_while_loading(self, name):
        """Returns whether code finds something while a library is being loaded."""
        code = f"if {name} == nil then redis.register_function('absent', function() end) end"
        self.client.call("FUNCTION", "FLUSH")
        reply = self.client.call("FUNCTION", "LOAD", library("under_test", code))
        self.check.true(
            reply == b"ERR No functions registered" or b"nonexistent global variable" in reply,
            f"while loading: {name}: {reply!r}")
        return reply == b"ERR No functions registered"

    def loading(self):
        candidates = set(LOADING.split()) | set(STRANGERS.split())
        candidates |= {name.split(":")[0] for name in SCRIPT["_G"].split()}
        for name, text in SCRIPT.items():
            candidates |= {f"{name}.{entry.split(':')[0]}" for entry in text.split()}
        found = {name for name in candidates if self.finds_while_loading(name)}
        self.check.equal(found, set(LOADING.split()), "what is there while loading")
        for change in ("redis.log = 1", "redis.x = 1", "x = 1", "redis = nil", "server = {}"):
            self.check.true(
                b"readonly table" in self.client.call(
                    "FUNCTION", "LOAD", library("under_test", change)), f"while loading: {change}")

    def strangers(self):
        """Nothing that is not listed can be reached by a name that is well known."""
        for name in STRANGERS.split():
            for what, run in ("script", self.script), ("function", self.function):
                reply = run(f"return {name} == nil")
                self.check.true(
                    reply == 1 or b"nonexistent global variable" in reply,
                    f"{what}: {name}: {reply!r}")

    def run_all(self):
        self.lists("script", self.script, {})
        self.lists("function", self.function, NOT_IN_FUNCTIONS)
        self.cannot_change("script", self.script)
        self.cannot_change("function", lambda code: self.function(
            code.replace("[KEYS or 0] = true, [ARGV or 0] = true", "")))
        self.loading()
        self.strangers()


def main():
    check = Check()
    with check.part("sandbox"), Server() as server, server.connect() as client:
        Sandbox(client, check).run_all()
    check.finish()


if __name__ == "__main__":
    main()
