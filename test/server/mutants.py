"""Scripts that nobody has written: the attacks of lua_attacks.tsv, mutated.

The same seed gives the same scripts.
"""

import random
import re

# What stands for itself in a script: a name with its fields, a number, a string, a sign.
TOKEN = re.compile(r"""
    [A-Za-z_][\w.]* | 0[xX][0-9a-fA-F]+ | \d+\.?\d*(?:[eE][+-]?\d+)?
    | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | \.\.\.? | [=~<>]= | \s+ | .""", re.VERBOSE | re.DOTALL)
NUMBER = re.compile(r"\d")
FUNCTION = re.compile(r"[a-z]+(\.[a-z_0-9]+)?\Z")

NUMBERS = """
    0 1 2 -1 -0.0 0.5 1e308 -1e308 5e-324 0/0 1/0 -1/0 7 8 100 127 128 255 256 999 1000 1001 8000
    32767 32768 65535 65536 1000000 16777216 2^31-1 2^31 -2^31 -2^31-1 2^32-1 2^32 2^32+1 2^52
    2^53 2^53+1 -2^53 2^62 2^63 -2^63 2^64 1e15 1e16 1e100 0xffffffff 0x7fffffff""".split()

STRINGS = [
    '""', '"x"', '"\\0"', '"\\255"', '"\\r\\n"', '"%s"', '"%99.99f"', '"%d%c%q"', '"[%a-z]*(.-)%1"',
    '"(((((((((("', '"%b()"', '"%f[%w]"', '".-.-.-b"', '"[["', '"{}"', '"[[[[1]]]]"', '"1e999"',
    '"\\\\ud800"', '"{\\"a\\":[]}"', '"\\221\\255\\255\\255\\255"', '"\\27Lua"', '"\\27LJ\\2\\0"',
    '"=prelude"', '"@user_script"', '">!8i4dc0s"', '"c0"', '"i32"', '"__index"', '"n"', '"k"', '"kv"',
    '("x"):rep(100)', '("x"):rep(100000)', '("(")..("a?"):rep(30)', 'string.rep("\\0",70000)',
    'tostring({})', 'KEYS[1]', 'ARGV[1]',
]

VALUES = """
    nil true false {} {1,2,3} {nil,nil,3} {a=1} {{{}}} {err="E x"} {ok="x"} {map={a=1}}
    {double=1} _G redis server string getmetatable("") cjson.null KEYS ARGV print coroutine.running()
    function()end setmetatable({},{__index=_G}) setmetatable({},{__mode="k"})
    setmetatable({},{__tostring=error}) setmetatable({},{__call=pcall})
    setmetatable({},{__metatable=false})""".split()

FUNCTIONS = """
    assert collectgarbage error gcinfo getmetatable ipairs load loadstring next pairs pcall
    rawequal rawget rawset select setmetatable tonumber tostring type unpack xpcall
    coroutine.create coroutine.resume coroutine.running coroutine.status coroutine.wrap
    coroutine.yield string.byte string.char string.dump string.find string.format string.gmatch
    string.gsub string.len string.lower string.match string.rep string.reverse string.sub
    string.upper table.concat table.foreach table.foreachi table.getn table.insert table.maxn
    table.remove table.setn table.sort math.abs math.floor math.fmod math.frexp math.ldexp
    math.max math.modf math.random math.randomseed bit.band bit.bswap bit.lshift bit.tohex
    cjson.decode cjson.encode cjson.new cjson.encode_max_depth cjson.encode_sparse_array
    cjson.encode_number_precision cjson.encode_invalid_numbers cjson.decode_array_with_array_mt
    cmsgpack.pack cmsgpack.unpack cmsgpack.unpack_one cmsgpack.unpack_limit struct.pack
    struct.unpack struct.size os.clock redis.call redis.pcall redis.error_reply
    redis.status_reply redis.sha1hex redis.log redis.setresp redis.set_repl redis.acl_check_cmd
    redis.rollback redis.replicate_commands redis.breakpoint redis.debug""".split()

COMMANDS = [
    '"set","k","v"', '"get","k"', '"incr","n"', '"del","k"', '"rpush","l","a","b"', '"lpop","l"',
    '"lrange","l",0,-1', '"hset","h","f","v"', '"hgetall","h"', '"sadd","s","a"', '"spop","s"',
    '"zadd","z",1,"a"', '"zrange","z",0,-1,"withscores"', '"xadd","x","*","a","b"',
    '"xrange","x","-","+"', '"expire","k",100', '"rename","k","l"', '"flushall"', '"select",3',
    '"sort","l","by","nosort"', '"eval","return 1",0', '"setrange","k",1000000,"x"', '"time"',
    '"publish","c","m"', '"nosuch"', '"get"', '"incr","k"', '"scan",0', '"copy","k","m"',
    '"mset","a",1,"b",2', '"pfadd","p","x"', '"setbit","k",100000,1', '"object","encoding","k"',
    '"restore","r",0,"x"', '"dump","k"', '"blpop","l",0', '"debug","sleep",0', '"getex","k","ex",1',
]

# What a script can be put into. X is the script; Y another one.
WRAPPERS = [
    "pcall(function() X\nend)",
    "return pcall(function() X\nend)",
    "return xpcall(function() X\nend,function(e) Y\nend)",
    "coroutine.wrap(function() X\nend)()",
    "local c=coroutine.create(function() X\nend) for i=1,3 do coroutine.resume(c,i) end Y",
    "coroutine.wrap(function() for i=1,3 do coroutine.yield(i) end X\nend)() Y",
    'return (("abc"):gsub(".",function(c) X\nend))',
    "table.sort({3,1,2,5,4},function(a,b) X\nend) Y",
    "table.foreach({1,2,3},function(k,v) X\nend)",
    "return tostring(setmetatable({},{__tostring=function(t) X\nend}))",
    "return setmetatable({},{__index=function(t,k) X\nend}).x",
    "setmetatable({},{__newindex=function(t,k,v) X\nend}).x=1",
    "return setmetatable({},{__call=function(...) X\nend})(1)",
    "local m={__eq=function(a,b) X\nend} return setmetatable({},m)==setmetatable({},m)",
    "local m={__lt=function(a,b) X\nend} return setmetatable({},m)<setmetatable({},m)",
    'return setmetatable({},{__concat=function(a,b) X\nend}).."x"',
    "return -setmetatable({},{__unm=function(a) X\nend})",
    "return #setmetatable({},{__len=function(a) X\nend})",
    "for i=1,20 do pcall(function() X\nend) end",
    "local function f(n) if n==0 then return end X\nend f(3)",
    "local function f() X\nend pcall(f) pcall(f) Y",
    "return loadstring(QX)()",
    "return load(coroutine.wrap(function() coroutine.yield(QX) end))()",
    "redis.pcall(C) X\n",
    "redis.call(C) X\n",
    "do X\nend redis.call(C)",
    "redis.setresp(3) X\n",
    "local r=redis.pcall(C) return {r,r,pcall(function() X\nend)}",
    "cjson.encode_max_depth(3) X\n",
    "collectgarbage() X\n",
    "while true do X\nend",
    "repeat local ok=pcall(function() X\nend) until ok",
    "do X\nend Y",
]


def is_string(token):
    return token[0] in "\"'" and len(token) > 1


def is_value(token):
    return NUMBER.match(token) or is_string(token) or token in ("nil", "true", "false")


def quoted(text):
    """Writes a string for Lua."""
    return '"' + "".join(
        c if " " <= c <= "~" and c not in '"\\' else "".join(f"\\{b:03}" for b in c.encode("latin-1"))
        for c in text) + '"'


class Mutants:
    def __init__(self, seed, scripts):
        self.random = random.Random(seed)
        self.scripts = scripts
        self.sound = [
            self.wrap, self.wrap, self.join, self.change_numbers, self.change_strings,
            self.swap_functions, self.swap_functions, self.put_value, self.put_call,
            self.exchange,
        ]
        self.unsound = [
            self.splice, self.drop_tokens, self.repeat_tokens, self.swap_tokens, self.spoil_bytes]

    def choice(self, items):
        return self.random.choice(items)

    def original(self):
        return self.choice(self.scripts)

    def script(self):
        text = self.original()
        for _ in range(self.random.randint(1, 5)):
            kind = self.unsound if self.random.random() < 0.05 else self.sound
            text = self.choice(kind)(text)
            if len(text) > 20000:
                break
        return text

    # Mutations after which a script is still one,

    def wrap(self, text):
        parts = {"X": text, "Y": self.original(), "QX": quoted(text), "C": self.choice(COMMANDS)}
        return re.sub(r"\b(QX|X|Y|C)\b", lambda match: parts[match[0]], self.choice(WRAPPERS))

    def join(self, text):
        return f"do {self.original()}\nend {text}"

    def replace(self, text, which, replacements, share):
        """Replaces a share of the tokens of a kind."""
        return "".join(
            self.choice(replacements) if which(token) and self.random.random() < share else token
            for token in TOKEN.findall(text))

    def change_numbers(self, text):
        numbers = [f"({number})" for number in NUMBERS]
        return self.replace(text, NUMBER.match, numbers, 0.4)

    def change_strings(self, text):
        return self.replace(text, is_string, STRINGS, 0.4)

    def swap_functions(self, text):
        return self.replace(text, lambda token: token in FUNCTIONS, FUNCTIONS, 0.5)

    def put_value(self, text):
        values = VALUES + STRINGS + [f"({number})" for number in NUMBERS]
        return self.replace(text, is_value, values, 0.3)

    def put_call(self, text):
        arguments = ",".join(
            self.choice(self.choice([VALUES, STRINGS, NUMBERS]))
            for _ in range(self.random.randint(0, 4)))
        call = f"{self.choice(FUNCTIONS)}({arguments})"
        return self.choice([f"local r={call} {text}", f"do {text}\nend return {call}", f"return {call}"])

    def exchange(self, text):
        """Exchanges some of the values of a script for others of its own."""
        values = [token for token in TOKEN.findall(text) if is_value(token)]
        return self.replace(text, is_value, values or ["nil"], 0.5)

    # and those after which it may be none.

    def splice(self, text):
        mine, other = TOKEN.findall(text), TOKEN.findall(self.original())
        return "".join(mine[: self.random.randint(0, len(mine))]
                       + other[self.random.randint(0, len(other)):])

    def some_tokens(self, text):
        """Returns all tokens, and where some of them begin and end."""
        tokens = TOKEN.findall(text)
        start = self.random.randint(0, len(tokens))
        return tokens, start, min(len(tokens), start + self.random.randint(1, 5))

    def drop_tokens(self, text):
        tokens, start, end = self.some_tokens(text)
        return "".join(tokens[:start] + tokens[end:])

    def repeat_tokens(self, text):
        tokens, start, end = self.some_tokens(text)
        times = self.choice([2, 2, 3, 10, 100])
        return "".join(tokens[:start] + tokens[start:end] * times + tokens[end:])

    def swap_tokens(self, text):
        tokens = TOKEN.findall(text)
        if len(tokens) > 1:
            i, j = self.random.sample(range(len(tokens)), 2)
            tokens[i], tokens[j] = tokens[j], tokens[i]
        return "".join(tokens)

    def spoil_bytes(self, text):
        at = self.random.randint(0, len(text))
        noise = "".join(chr(self.random.randint(0, 255)) for _ in range(self.random.randint(1, 4)))
        return text[:at] + noise + text[at + self.random.randint(0, 3):]
