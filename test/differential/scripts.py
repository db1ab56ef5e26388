"""Random Lua scripts out of the same requests, and of what Lua itself can do.

A script collects results in a table and returns it. What is unordered is sorted in
the script, and times are made coarse, so that its reply may be compared as it is.
"""

import hashlib
import re

from grammar import DEEP, EXACT, MEMBERS, PAIRS, PLAIN, READS, TIME, Request

# What a script may do, so that the data are the same on both servers afterwards.
READER = "reader"  # Anything but writing: may end in any error.
WRITER = "writer"  # Writes, and catches what might raise an error.
RECKLESS = "reckless"  # Anything: errors leave Redis with half of it done.

PRELUDE = """local r = {}
local function sorted(t) if type(t) == 'table' and not t.err then table.sort(t) end return t end
local function coarse(t) if type(t) == 'number' and t > 0 then return 1 end return t end
local function add(v) if v == nil then v = 'nil' end r[#r + 1] = v end
local function dense(t) local d = {} for i, v in ipairs(t) do d[i] = v end return d end
local function real(n) if n ~= n then return 0 end return n end
local function hex(s)
    return 'x' .. string.gsub(s, '.', function(c) return string.format('%02x', string.byte(c)) end)
end
local function try(f) local ok, v = pcall(f) add(ok) add(v) end
"""

# Expressions by the type that they have unless they raise an error. $ and a letter
# stand for another expression: n number, s string, t table, b boolean, x any; i is
# a small literal number, p a literal pattern, q a literal string, j one of JSON; v is
# what has one form when packed, f a format of struct, m what cmsgpack unpacks.
EXPRESSIONS = {
    "n": [
        "($n + $n)", "($n - $n)", "($n * $n)", "($n / $n)", "($n % $n)", "($n ^ $i)", "(-$n)",
        "#($s)", "#dense($t)", "math.floor($n)", "math.ceil($n)", "math.abs($n)",
        "math.max($i, $i)", "math.min($i, $i)", "math.fmod($i, $i)", "math.sqrt($n)",
        "tonumber($s)", "tonumber(string.match($s, '%w+'), $i)", "tonumber($q)", "string.byte($s)",
        "($s):len()", "(string.find($s, $p))", "bit.band($i, $i)", "bit.bor($i, $i)",
        "bit.bxor($i, $i)", "bit.bnot($i)", "bit.lshift($i, $i)", "bit.tobit($i)",
        "bit.rshift($i, $i)", "select('#', $x, $x)", "table.maxn($t)", "tonumber(cjson.decode($j))",
        "math.pow($n, $i)", "($n + $q)", "math.huge", "table.getn(dense($t))",
        "(select($i, $n, $n, $n))", "bit.arshift($i, $i)", "bit.rol($i, $i)", "bit.bswap($i)",
        "(math.modf($n))", "math.exp($i)", "math.log($n)", "math.sin($i)", "math.ldexp($n, $i)",
        "(math.frexp($n))", "($b and $n or $n)", "struct.size($f)", "(struct.unpack($f, $s, $i))",
        "(struct.unpack($f, $s))",
    ],
    "s": [
        "($s .. $s)", "($s .. real($n))", "string.rep($s, $i)", "string.sub($s, $i, $i)",
        "string.upper($s)", "($s):lower()", "string.reverse($s)", "tostring(real($n))",
        "tostring($b)",
        "string.format('%d', $i)", "string.format('%5.2f|%-8g|%+e', $i, $i, $i)",
        "string.format('%s %q', $s .. '', 'a\"b\\\\c')", "string.char(32 + $i % 128)",
        "string.format('%.17g', real($n))", "string.format('%.14g', real($n))",
        "string.format('%5s|%-5s|%.2s', $s .. '', $s .. '', $s .. '')",
        "string.format('%x %X %o %c %%', $i, $i, $i, 33 + $i % 64)", "redis.sha1hex($s)",
        "table.concat(dense($t), $s)", "cjson.encode($x)", "cjson.encode($t)",
        "(string.gsub($s, $p, $s))", "(string.match($s, $p))", "type($x)",
        "(string.gsub($s, $p, string.upper, $i))", "bit.tohex($i)",
        "table.concat(dense($t), ',', $i, $i)", "string.format('%i %05d %u', $i, $i, $i)",
        "tostring(nil)", "cjson.encode({k = $x})", "($b and $s or $s)",
        "string.format($q, $s .. '')", "table.concat(dense($t))", "($s):rep($i)",
        "string.sub($s, $i)", "table.concat(dense($t), $s, $i)",
        "(string.gsub($s, $p, function(c) return c .. $q end))",
        "(string.gsub($s, $p, {a = 'A', b = $x}))", "hex(cmsgpack.pack($v, nil, add))",
        "hex(cmsgpack.pack($v, $v))", "hex(cmsgpack.pack(cmsgpack.unpack(cmsgpack.pack($v, $v))))",
        "hex(cmsgpack.pack(cmsgpack.unpack($m)))", "hex(struct.pack($f, $v, $v, $v))",
        "hex(cmsgpack.pack(cmsgpack.unpack_one($m, $i)))",
        "hex(cmsgpack.pack(cmsgpack.unpack_limit($m, $i, $i)))",
        "hex(struct.pack($f, real($n), real($n), $v, $v))", "hex(struct.pack($f, $s, real($n), $s))",
        "hex(cmsgpack.pack(real((struct.unpack($f, $m)))))",
    ],
    "t": [
        "{$x, $x}", "{$x, nil, $x}", "cjson.decode(cjson.encode($t))", "{unpack(dense($t))}",
        "{string.find($s, $p)}", "{pcall(error, $x)}", "redis.error_reply($q)",
        "redis.status_reply($q)", "{string.byte($s, 1, -1)}", "{ok = $q}", "{err = $q}",
        "{math.modf($n)}", "{select($i, $x, $x)}", "{double = $n}", "{$n, $n, $n}", "{$s, $s, $s}",
        "cjson.decode($j)", "{string.gsub($s, $p, $s)}", "{}", "{[$i] = $x}",
        "{[1] = $x, [2] = $x, [4] = $x}", "{unpack(dense($t), $i, $i)}", "{map = {k = $x}}",
        "{set = {k = true}}", "{big_number = '12345678901234567890'}",
        "{pcall(function() return $x, $x end)}",
        "{xpcall(function() error($s, 0) end, function(e) return {$i, e} end)}",
        "sorted(dense({$n, $n, $n}))", "sorted(dense({$s, $s, $s}))", "{string.match($s, $p)}",
        "{ok = $n}", "{pcall(($x))}", "{string.byte($s, $i, $i)}",
        "{coroutine.resume(coroutine.create(function(a) error(coroutine.yield(a), 0) end), $x)}",
        "{err = redis.pcall($s).err}", "{err = redis.pcall($s, $x).err}",
        "{table.remove(dense($t)), table.remove(dense($t), $i)}", "{next(dense($t))}",
        "{table.unpack}", "{pcall(redis.call, $s, $s)}", "{pcall(cjson.decode, $s)}",
        "{pcall(error, {err = $q})}", "{pcall(error, redis.error_reply($q))}",
        "{rawget(dense($t), $i), rawequal($x, $x)}", "{pcall(struct.unpack, $f, $s, $i)}",
        "{pcall(cmsgpack.unpack, $s)}", "{pcall(struct.pack, $f, $v)}",
    ],
    "v": [
        "real($n)", "real($n)", "$s", "$b", "{$v}", "{$v, $v, $v}", "{k = $v}", "{[$i] = $v}",
        "{[$s] = $v}", "{[real($n)] = $v}", "{[$b] = $v}", "{{{{$v}}}}", "string.rep($s, $i * 7)",
        "{$v, {$v, {$v}}}",
    ],
    "b": [
        "($n < $n)", "($n <= $n)", "($s < $s)", "($x == $x)", "($n ~= $n)", "(not $x)",
        "($b and $b)", "($b or $b)", "($s == $s)", "(type($x) == 'table')", "(next($t) == nil)",
        "(cjson.decode($j) == cjson.null)", "($x == nil)",
    ],
}
# The number formatter of LuaJIT rounds ties up: no number has a five behind 14 digits,
# and only integers and %.17g are written otherwise.
LITERALS = {
    "n": ["0", "1", "-1", "3.7", "-3.7", "2", "10", "1e10", "1e11", "123456789012", "2^53", "1e300",
          "0.1", "1/3", "-0.5", "9007199254740993", "1e100", "2^63", "-2^63", "100", "0x10",
          "1e-5", "5e-324", "-1e300"],
    "b": ["true", "false"],
    "v": ["true", "false", "0", "127", "128", "256", "65536", "2^32", "2^53", "2^64", "-1", "-33",
          "-129", "-32769", "-2^31 - 1", "-2^63", "0.5", "0.1", "{}", "{1, 2}", "''", "'a'", "math.huge",
          "-1.5", "2^63"],
    "t": ["{}", "{1, 2, 3}", "{'a', 'b'}", "{1, 'b', true}", "{false}", "KEYS", "ARGV",
          "{{1}, {{2}}}", "{1, nil, 3}"],
    "i": ["0", "1", "2", "3", "-1", "-2", "4", "5", "8", "16", "31", "64", "255", "10"],
}
PATTERNS = [
    "a", "l+", ".", "(.)", "(.)(.)", "^h", "o$", "%d+", "[a-c]", "[^a-c]", "%a*", "()", "", "x*",
    "l-o", "%w+", "%s", "(a*(.)%w(%s*))", "%b()", "%f[%w]", "[]]", "%1", "(", "[", "%", "(a)%1",
    "h.-o", "[%a_]+", "^", "$", "%z", "a?", ".-", "%p", "(()",
]
JSON = [
    "1", "-1.5e3", "\"text\"", "[1,2,[3,\"x\"]]", "{}", "[]", "null", "true", "false", "[null,1]",
    "{\"k\":[1,{\"a\":null}]}", "{\"a\":1}", "[1,", "nope", "", " ", "[1] x",
    "\"\\u00e9\\n\\ud83d\\ude00\"", "\"\\x\"", "1e400", "0x10", "[1,]", "{\"a\"}", "01", "-", "inf",
    "\"\\ud800\"", "tru", "{\"a\":1,}", "[\"a\" \"b\"]", "12345678901234567890", "{1:2}",
    "\"a\tb\"", "1.", ".5", "+1", "1e5", "-0", "[[[[[[1]]]]]]", "\"unfinished", "{\"\":{\"\":1}}",
    "[true,false,null]", "\"\\/\\b\\f\"",
]
# No text has a NUL, where Redis cuts errors off, nor is "nan", of which math.max and
# math.min make different things. Numbers are made real before they become strings.
TEXTS = [
    "", "a", "hello", "Hello World", "a,b,c", "10", "0x1f", " 7 ", "1e5", "abc", "inf", "-ERR x",
    "MY error", "line\r\nend", "\xff\xfe", "a\"b\\c\n", "%d", "%s %s", "(a(b)c)", "zz", "get",
    "type", "é", "ERR ", " ", "1.50",
]

# Ends of a script that has not returned yet. $ as above. None raises a table without
# a text, which is the end of redis-server 7.0.15.
ENDS = [
    "return (setmetatable({$x}, {__index = function() return $x end}))",
    "return {verbatim_string = {format = $q, string = $q}}", "return r", "return r", "return r",
    "return r[1]", "return ($x)", "return ($t)", "return $x, $x", "return", "return nil",
    "return {err = $n}",
]
ERROR_ENDS = [
        "error($s)", "error(real($n))", "error($b)", "error({err = $q})", "error($s, 0)",
    "error($s, 2)",
    "error()", "assert(false, $s .. '')", "assert(nil)", "assert($x, $s .. '')",
    "local a = nil; a.b = 1", "local a = nil; a()", "return nope", "nope = 1", "nope.a = 1",
    "return (nope())", "return (redis.nope())", "return #nil", "return {} + 1", "return {} < {}",
    "return 1 < 'a'", "return 'a' + 1", "return nil .. 'a'", "string = 1", "redis.call = 1",
    "KEYS.x.y = 1", "return (redis.call())", "return (redis.call({}))",
    "return (redis.call('nope'))", "return (redis.call('get'))", "error(redis.pcall('incr'))",
    "return (tostring())", "return (('x'):nope())", "return (math.floor('x'))",
    "return (string.rep())", "redis.error_reply(1)", "return (redis.error_reply())",
    "return (redis.sha1hex())", "redis.setresp(4)", "return (redis.setresp())", "redis.log(1)",
    "return (cjson.encode(function() end))", "local t = {} t.t = t return cjson.encode(t)",
        "return (cjson.decode($q))", "return (setmetatable(dense($t), dense($t)))",
    "return (unpack($x))",
    "for i = $b, $i do add(i) end", "for i = $i, 9 do add(i) end", "return (ipairs())",
    "return (loadstring($q))", "return (loadstring('return $i')())", "return (tonumber($q, $i))",
        "return (select($i))", "return (rawset(dense($t), $i, $i))", "return _G.nope",
    "return math.nope",
    "table.insert($x, $x)", "return (table.concat(dense($t)))",
    "return (string.format(real($n), $s .. ''))", "print(1)", "return io", "return require",
    "return KEYS[$i], ARGV[$i]",
]
# Texts that do not compile. Not among them: bytes above 127, which LuaJIT takes for
# letters.
BROKEN = [
    "return (", "x = = 1", "return 'abc", "for", "if x then", "return }", "1", "local 1 = 2",
    "return ...", "goto", "end", "return [[x", "x", "a.b", "f(", "return 1 +", "local function",
    "\0", "--[[", "while true do", "repeat",
]


def quote(text):
    """Writes a string, or bytes, as a literal of Lua."""
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    plain = [chr(c) if 32 <= c < 127 and c not in b"'\\" else f"\\{c:03d}" for c in data]
    return f"'{''.join(plain)}'"


# Pieces of what cmsgpack unpacks. None is a number that is not one, nor a map of several
# pairs, which have no order, nor nil, which would make such a map of an array.
PACKED = [
    b"\x00", b"\x7f", b"\xff", b"\xe0", b"\xc2", b"\xc3", b"\xcc\xff", b"\xcd\xff\xfe",
    b"\xce\xff\xff\xff\xff", b"\xcf" + b"\xff" * 8, b"\xcf\x00\x20" + b"\x00" * 6, b"\xd0\x80",
    b"\xd1\x80\x01", b"\xd2\x80\x00\x00\x01", b"\xd3" + b"\xf0" * 8, b"\xca\x3f\xc0\x00\x00",
    b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", b"\xa0", b"\xa3abc", b"\xd9\x02ab", b"\xda\x00\x01a",
    b"\xdb\x00\x00\x00\x03xyz", b"\x90", b"\x91", b"\x92", b"\x93", b"\xdc\x00\x02",
    b"\xdd\x00\x00\x00\x01", b"\x80", b"\x81", b"\x81\xa1k", b"\xde\x00\x01", b"\xdf\x00\x00\x00\x01\x05",
    b"\xc1", b"\xc7", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
]
STRUCT = "bBhHlLTiIfdxcs<>! bhicsq"
ODDITIES = ["nil", "cjson.null", "redis.REDIS_VERSION", "redis.LOG_NOTICE", "add", "_VERSION"]
FEW = 50  # Arguments: a call with many of them needs more registers than Lua has.


class Writer:
    """Writes one random script."""

    def __init__(self, arguments, kind):
        self.arguments = arguments
        self.kind = kind
        self.random = arguments.random
        self.choose = self.random.choice
        self.keys = []
        self.argv = []

    def chance(self, probability):
        return self.random.random() < probability

    # Expressions.

    def literal(self, kind):
        if kind == "p":
            return quote(self.choose(PATTERNS))
        if kind == "j":
            return quote(self.choose(JSON))
        if kind in "sq":
            return quote(self.choose(TEXTS))
        if kind == "m":
            return quote(self.packed())
        if kind == "f":
            return quote(self.format())
        return self.choose(LITERALS[kind])

    def packed(self):
        packed = b"".join(self.random.choices(PACKED, k=self.random.randint(1, 8)))
        return packed[:-1] if self.chance(0.2) else packed

    def format(self):
        letters = self.random.choices(STRUCT, k=self.random.randint(0, 5))
        sizes = ["", "0", "1", "2", "3", "4", "8", "9", "16", "33"]
        return "".join(c + (self.choose(sizes) if c in "iIc!" else "") for c in letters)

    def expression(self, kind, depth):
        if kind == "x":
            kind = self.choose("nnssttb")
            if self.chance(0.05):
                return self.choose(ODDITIES)
        if depth <= 0 or kind not in EXPRESSIONS or self.chance(0.25):
            return self.literal(kind)
        return self.expand(self.choose(EXPRESSIONS[kind]), depth)

    def expand(self, template, depth):
        """Puts expressions in the place of letters behind $."""
        return re.sub(r"\$([a-z])", lambda match: self.expression(match[1], depth - 1), template)

    # Calls.

    def allowed(self, command):
        if PLAIN in command.uses or command.compare not in (EXACT, MEMBERS, PAIRS, TIME):
            return False
        return self.kind != READER or READS in command.uses

    def argument(self, arg):
        """Writes an argument as a literal, or as what the script is called with."""
        pick = self.random.random()
        if pick < 0.3 and len(self.keys) < 4:
            self.keys.append(arg)
            return f"KEYS[{len(self.keys)}]"
        if pick < 0.5 and len(self.argv) < 6:
            self.argv.append(arg)
            return f"ARGV[{len(self.argv)}]"
        if pick < 0.7 and arg.isdigit() and str(int(arg)) == arg.decode():
            return arg.decode()
        return quote(arg)

    def write_args(self, args):
        if len(args) <= FEW:
            return ", ".join(map(self.argument, args))
        self.argv += args
        return f"unpack(ARGV, {len(self.argv) - len(args) + 1}, {len(self.argv)})"

    def call(self):
        request = self.arguments.request(self.allowed)
        catches = self.kind == WRITER or self.chance(0.5)
        args = self.write_args(request.args)
        call = f"redis.{'pcall' if catches else 'call'}({args})"
        if request.compare in (MEMBERS, PAIRS):
            return f"add(sorted({call}))"
        return f"add(coarse({call}))" if request.compare == TIME else f"add({call})"

    def number_call(self):
        """A call of which an argument is a number that Lua has to write."""
        function = "pcall" if self.kind == WRITER else "call"
        number = self.expression("n", 1)
        if self.kind == READER:
            return f"try(function() return (redis.{function}('echo', {number})) end)"
        return f"try(function() return (redis.{function}('set', 's1', {number})) end)"

    # Statements.

    def statement(self):
        pick = self.random.random()
        if pick < 0.55:
            return self.call()
        if pick < 0.58:
            return self.number_call()
        if pick < 0.60:
            return "redis.setresp(3)" if self.chance(0.3) else "redis.setresp(2)"
        if pick < 0.65:
            condition = "r[1]" if self.kind == WRITER else self.expression("b", 1)
            return f"if {condition} then {self.call()} end"
        if pick < 0.70:
            return f"for i = 1, {self.random.randint(0, 3)} do {self.call()} end"
        if self.kind == WRITER or self.chance(0.7):
            return f"try(function() return ({self.expression('x', 3)}) end)"
        return f"add({self.expression('x', 2)})"

    def end(self):
        if self.kind != WRITER and self.chance(0.3):
            return self.expand(self.choose(ERROR_ENDS), 2)
        if self.kind == WRITER:
            return self.choose(["return r", "return r", "return r[1]", "return #r", "return"])
        return self.expand(self.choose(ENDS), 2)

    def text(self):
        if self.kind == READER and self.chance(0.03):
            return self.choose(BROKEN)
        lines = [self.statement() for _ in range(self.random.randint(0, 6))]
        return PRELUDE + "\n".join(lines + [self.end()])

    def script(self):
        """Returns its text, keys and arguments."""
        text = self.text().encode("latin-1", "replace")
        return text, self.keys, self.argv


class Scripts:
    """Draws requests that run scripts."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.random = arguments.random

    def key_count(self, keys):
        if self.random.random() < 0.97:
            return b"%d" % len(keys)
        return self.random.choice([b"-1", b"abc", b"", b"100", b"1.5", b"0", b"9" * 20])

    def run(self, kind):
        """Returns the arguments of a request that runs a random script."""
        text, keys, argv = Writer(self.arguments, kind).script()
        word = b"EVAL"
        if kind == READER and self.random.random() < 0.2:
            word = b"EVAL_RO"
        return [word, text, self.key_count(keys), *keys, *argv]

    def run_loaded(self):
        """Returns requests that load a script, ask for it and run it by its digest. The text
        is one that EVAL never has: such a script is forgotten here for newer ones."""
        text, keys, argv = Writer(self.arguments, READER).script()
        text += b" --%d" % self.random.getrandbits(64)
        digest = hashlib.sha1(text).hexdigest().encode()
        wrong = self.random.choice([b"f" * 40, b"f", b"", digest.upper()])
        word = self.random.choice([b"EVALSHA", b"EVALSHA", b"EVALSHA_RO"])
        compare = DEEP if b"setresp(3)" in text else EXACT
        requests = [
            Request([b"SCRIPT", b"LOAD", text], EXACT),
            Request([b"SCRIPT", b"EXISTS", digest, wrong], EXACT),
            Request([word, digest, self.key_count(keys), *keys, *argv], compare),
            Request([word, wrong, b"0"], compare),
        ]
        return self.random.sample(requests, self.random.randint(1, 4))
