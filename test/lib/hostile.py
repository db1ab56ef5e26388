"""Random requests made from what the server tells of the syntax of its commands."""

import hashlib
import re
import struct

from server import Error

# Not sent, and why.
LEFT_OUT = {
    "shutdown": "it ends the server",
    "monitor": "some rounds have it on; others would see nothing but it",
    "client|pause": "a pause without end leaves nobody who could end it",
    "client|reply": "a client that hears nothing shows nothing",
    "migrate": "it waits for another server as long as it is told to",
    "config|set": "there are options that lock everybody out; see OPTIONS",
    "config|rewrite": "there is no file",
    "debug": "its subcommands are in DEBUG_CALLS",
}

DEBUG_CALLS = [
    [b"DIGEST"], [b"CHECK"], [b"RELOAD"], [b"LOADAOF"], [b"HTSTATS", b"0"], [b"HELP"],
    [b"POPULATE", b"100"], [b"POPULATE", b"3", b"p", b"100000"], [b"POPULATE", b"-1"],
    [b"RELOAD", b"NOSAVE", b"NOFLUSH", b"MERGE"], [b"QUICKLIST-PACKED-THRESHOLD", b"1"],
    [b"CHANGE-REPL-ID"], [b"SLEEP", b"-1"], [b"SLEEP", b"nan"], [b"SLEEP", b"0"],
]

KINDS = {
    "bitmap": ["str", "bits", "num"], "generic": [], "geo": ["geo"], "hash": ["hash", "hexp"],
    "hyperloglog": ["hll", "bad"], "list": ["list"], "set": ["set", "ints"],
    "sorted-set": ["zset", "geo", "set"], "sorted_set": ["zset", "geo", "set"],
    "stream": ["stream"], "string": ["str", "num", "hll"],
}
ALL_KINDS = ["str", "num", "bits", "hll", "bad", "list", "set", "ints", "hash", "hexp", "zset",
             "geo", "stream"]

NUMBERS = [
    b"0", b"1", b"-1", b"2", b"3", b"5", b"10", b"100", b"-2", b"-10", b"1000000",
    b"2147483647", b"2147483648", b"-2147483648", b"-2147483649", b"4294967295",
    b"4294967296", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775807",
    b"-9223372036854775808", b"-9223372036854775809", b"18446744073709551615",
    b"18446744073709551616", b"4611686018427387904", b"9223372036854775", b"-9223372036854775",
    b"9223372036854776", b"536870911", b"4294967294", b"17179869184", b"34359738368",
    b"99999999999999999999999999", b"-0", b"+1", b"01", b" 1", b"1 ", b"1.0", b"1e3", b"0x10",
    b"", b"abc", b"1\0", b"nan",
]
DOUBLES = [
    b"0", b"-0", b"1", b"-1", b"0.1", b"1.5", b"3.0", b"1e308", b"-1e308",
    b"1.7976931348623157e308", b"1e309", b"5e-324", b"inf", b"-inf", b"+inf", b"nan", b"-nan",
    b"1e-300", b" 1", b"1 ", b"", b"0x1p3", b"1e", b"abc", b"123456789012345678901234567890",
    b"9223372036854775807", b"1e18", b"180", b"-180", b"85.05112878", b"-85.05112878", b"90",
    b"13.361389", b"38.115556", b"20000000",
]
GLOBS = [
    b"*", b"?", b"a*", b"*:1", b"[", b"[a-", b"[^", b"[^]", b"\\", b"[\\", b"*" * 30 + b"x",
    b"*a" * 20 + b"b", b"[z-a]", b"[]-a]", b"?" * 100, b"*?" * 15 + b"z", b"", b"h[ae]*",
    b"list:*->*", b"hash:*->f1", b"*->", b"#", b"->*", b"nosort",
]
TEXTS = [
    b"", b"a", b"b", b"f1", b"f2", b"m1", b"m2", b"1", b"12", b"hello world", b"\x00",
    b"\x00\xff\r\n", b"%s%n%d", b"\xff" * 20, b"x" * 70, b"*", b"-", b"+", b"$", b"#", b"(",
    b"[", b"@all", b"k\xc3\xa9", b"\r\n", b"get", b"SET", b"default", b"STREAMS", b"COUNT",
    b"LIMIT", b"WITHSCORES", b"STORE", b"AGGREGATE",
]
RANGES = [
    b"-", b"+", b"[a", b"(a", b"[", b"(", b"(1", b"(-inf", b"(inf", b"-inf", b"+inf", b"[m1",
    b"(nan", b"0", b"1", b"5", b"(abc", b"(1e308", b"[\xff", b"(0-0",
]
SMALL_NUMBERS = [b"0", b"1", b"2", b"3", b"5", b"10", b"100", b"-1", b"-2"]
SMALL_DOUBLES = [b"0", b"1", b"2.5", b"-1", b"10", b"100", b"1000"]
MEMBERS = [
    b"m0", b"m1", b"m2", b"m3", b"m20", b"f0", b"f1", b"f2", b"f7", b"1", b"2", b"3", b"7", b"x",
    b"",
]
LEX = [b"-", b"+", b"[m1", b"(m1", b"[m2", b"[m5", b"(a", b"[z"]
SCORES = [b"-inf", b"+inf", b"0", b"1", b"(1", b"3", b"10", b"(5", b"2.5", b"1000"]
STREAM_IDS = {
    b"XADD": [b"*", b"*", b"5", b"1000-1", b"1000-*", b"2000-*"],
    b"XTRIM": [b"0", b"1", b"3", b"10", b"100"],
    None: [b"0", b"1-1", b"2-1", b"3-1", b"5", b"10-1", b"0-0", b"100-1"],
    b"XRANGE": [b"-", b"+", b"1-1", b"(2-1", b"3", b"10", b"100-1"],
    b"XREVRANGE": [b"-", b"+", b"1-1", b"(2-1", b"3", b"10", b"100-1"],
    b"XPENDING": [b"-", b"+", b"1-1", b"(2-1", b"3", b"10", b"100-1"],
}
IDS = [
    b"*", b"0", b"0-0", b"0-1", b"1-1", b"1-*", b"2-1", b"3-1", b"$", b">", b"-", b"+", b"(1-1",
    b"(0-0", b"5-5", b"5", b"18446744073709551615-18446744073709551615",
    b"18446744073709551615-*", b"18446744073709551615",
    b"(18446744073709551615-18446744073709551615", b"18446744073709551614-0", b"-1", b"1-",
    b"-1-1", b"1-1-1", b"18446744073709551616-0", b"0-18446744073709551615",
    b"1-18446744073709551615", b"",
]
TIMEOUTS = [
    b"0.01", b"0", b"-1", b"nan", b"inf", b"1e308", b"0.0001", b"9223372036854775807", b"1", b"",
]
NAMES = [b"g1", b"g2", b"g3", b"", b"\0", b"c1", b"c2"]
SCRIPTS = [
    b"return 1",
    b"return redis.call('GET', KEYS[1])",
    b"return {1,2,{3,{err='x'}},{ok='y'},{double=3.3}}",
    b"return redis.pcall(unpack(ARGV))",
    b"for i=1,500 do redis.call('SET','fill:'..i,i) end return 1",
    b"return cjson.encode(redis.pcall(unpack(ARGV)))",
    b"return cmsgpack and cmsgpack.pack(ARGV)",
    b"error('x')",
    b"redis.call('SET','x','y') error({err='z'})",
    b"redis.setresp(3) return redis.pcall(unpack(ARGV))",
    b"#!lua flags=no-writes\nreturn redis.call('SET','x','y')",
    b"#!lua flags=",
    b"#!",
    b"#!lua name=x\n",
    b"",
    b"\x00",
    b"return string.rep('x', 100000)",
    b"local t={} for i=1,9000 do t[i]=i end return t",
    b"return tostring(1e308*10) .. tostring(0/0)",
    b"return 0/0",
    b"return 1e308",
    b"return -1e308",
    b"return {nil}",
    b"return {1,nil,3}",
    b"return redis.status_reply(ARGV[1])",
    b"return redis.error_reply(ARGV[1])",
    b"return redis.sha1hex(ARGV[1])",
    b"return cjson.decode(ARGV[1])",
    b"return struct and struct.unpack(ARGV[1],ARGV[2])",
    b"return cmsgpack.unpack(ARGV[1])",
    b"return {cmsgpack.unpack_limit(ARGV[1], tonumber(ARGV[2]) or 1, tonumber(ARGV[3]) or 0)}",
    b"return struct.pack(ARGV[1], ARGV[2], ARGV[3])",
    b"return struct.pack(ARGV[1], tonumber(ARGV[2]) or 0/0)",
    b"return struct.size(ARGV[1])", b"return bit.tohex(tonumber(ARGV[1]) or 0, -2147483648)",
    b"return cjson.encode_number_precision and 1", b"return cjson.encode({0/0, 1e308*10})",
    b"redis.log(redis.LOG_WARNING, ARGV[1])",
    b"return bit.lshift(1, tonumber(ARGV[1]) or 99)",
    b"return redis.pcall('EVAL', 'return 1', 0)",
    b"return string.format(ARGV[1], ARGV[2], ARGV[3])",
    b"return redis.acl_check_cmd(unpack(ARGV))",
    b"redis.breakpoint() return 1",
    b"return redis.REDIS_VERSION_NUM",
    b"#!lua name=lib1\n"
    b"redis.register_function('f1', function(k,a) return redis.pcall(unpack(a)) end)",
    b"#!lua name=lib2\n"
    b"redis.register_function{function_name='f2', callback=function(k,a) return #a end,"
    b" flags={'no-writes'}}",
    b"#!lua name=lib3\nredis.call('SET','x','y')",
    b"#!lua name=lib4\nwhile true do end",
    b"local s = ARGV[1] for i=1,12 do s = s .. s end return #s",
]
ENCODINGS = [b"u8", b"i64", b"u63", b"i1", b"i5", b"u16", b"u1", b"i33"]
BAD_ENCODINGS = [
    b"i0", b"i65", b"u64", b"u", b"", b"i99999999999999999999", b"i-1", b"x8",
]
OFFSETS = [
    b"#0", b"#1", b"#", b"#-1", b"#9223372036854775807", b"#67108863", b"#536870912", b"8388607",
    b"11999999", b"12000000", b"1499999", b"#187499",
]
LOADED = [b"return 1", b"return redis.pcall(unpack(ARGV))"]
SHAS = [hashlib.sha1(code).hexdigest().encode() for code in LOADED]

# Arguments that go by their name: what fits, and what does not.
NAMED = [
    ("script|function-code|library-code|code", SCRIPTS, SCRIPTS),
    ("function|function-name", [b"f1", b"f2"], [b"none", b"", b"f" * 1000]),
    ("library.*", [b"lib1", b"lib2", b"*"], TEXTS),
    ("encoding", ENCODINGS, BAD_ENCODINGS),
    ("offset", [b"0", b"1", b"7", b"100", b"3", b"8191"], OFFSETS + NUMBERS),
    ("bit|bit-value", [b"0", b"1"], NUMBERS),
    ("sha1", SHAS, [b"x" * 40, b"", b"a" * 1000]),
    ("cursor", [b"0"], NUMBERS),
    ("db|index|index1|index2|destination-db", [b"0", b"1", b"15", b"-1", b"2"], NUMBERS),
    ("longitude", [b"13.361389", b"-179.9", b"180", b"0", b"-180"], DOUBLES),
    ("latitude", [b"38.115556", b"85.05", b"-85.05", b"0"], DOUBLES),
    ("radius|width|height", [b"1", b"200", b"5000", b"100000", b"0"], DOUBLES),
    ("value|increment|decrement|operand", [b"1", b"2", b"-3", b"10", b"m1", b"abc"],
     NUMBERS + TEXTS),
    ("count|numkeys|limit|len|rank", [b"1", b"2", b"3", b"10", b"100", b"-3"], NUMBERS),
    ("min-idle-time", [b"0", b"1", b"1000"], NUMBERS),
    ("(unix-time-)?(milli)?seconds|ttl", [b"1", b"30", b"1000", b"9999999999999", b"100000"],
     NUMBERS),
]
EVENTS = [b"", b"KEA", b"AKEnm", b"Kg$lszhxetd", b"E", b"?"]

POLICIES = [
    b"allkeys-lru", b"allkeys-lfu", b"allkeys-random", b"volatile-ttl", b"volatile-lru",
    b"noeviction",
]

# Options that are set at random: those that change what commands do.
OPTIONS = {
    b"hash-max-listpack-entries": [b"0", b"4", b"512"],
    b"hash-max-listpack-value": [b"0", b"8", b"64", b"4gb"],
    b"set-max-intset-entries": [b"0", b"4", b"512"],
    b"list-max-listpack-size": [b"-5", b"-1", b"1", b"0", b"4", b"2147483647", b"-2147483648"],
    b"zset-max-listpack-entries": [b"0", b"4", b"128"],
    b"zset-max-listpack-value": [b"0", b"8", b"64"],
    b"stream-node-max-entries": [b"0", b"1", b"4", b"100"],
    b"stream-node-max-bytes": [b"0", b"1", b"64", b"4096"],
    b"hll-sparse-max-bytes": [b"0", b"10", b"3000", b"16000"],
    b"notify-keyspace-events": EVENTS,
    b"maxmemory-policy": POLICIES,
    b"maxmemory-samples": [b"1", b"5", b"64"],
    b"lfu-log-factor": [b"0", b"10", b"2147483647"],
    b"lfu-decay-time": [b"0", b"1", b"2147483647"],
    b"tracking-table-max-keys": [b"0", b"1", b"5"],
    b"slowlog-log-slower-than": [b"0", b"-1"],
    b"slowlog-max-len": [b"0", b"1", b"1000"],
    b"latency-monitor-threshold": [b"0", b"1"],
    b"rdbcompression": [b"yes", b"no"],
    b"busy-reply-threshold": [b"1", b"1000"],
    b"client-query-buffer-limit": [b"1mb", b"1gb"],
}

# What clients wait for through a round.
WAITS = [
    b"BLPOP list:1 list:9 0",
    b"BZPOPMIN zset:9 0",
    b"XREAD BLOCK 0 STREAMS stream:1 $",
    b"XREADGROUP GROUP g1 c1 BLOCK 0 STREAMS stream:1 >",
]

# Options that lock clients out, let them run for long or take much memory.
LOCKING = [
    b"bind", b"busy-reply-threshold", b"client-output-buffer-limit", b"lua-time-limit",
    b"maxclients", b"port", b"proto-max-bulk-len", b"requirepass", b"script-memory-limit",
    b"script-time-limit", b"timeout",
]


def shown(batch):
    requests = (" ".join(f"{arg!r:.60}"[1:] for arg in request[:40]) for request in batch)
    return "; ".join(requests)[:6000]


def crc64(data):
    crc = 0
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


def crc_row(value):
    for _ in range(8):
        value = (value >> 1) ^ (0x95AC9329AC4BC9B5 if value & 1 else 0)
    return value


CRC_TABLE = [crc_row(i) for i in range(256)]


def tree_of(reply):
    """Makes dicts of the lists of pairs that COMMAND DOCS replies with."""
    return {reply[i].decode(): reply[i + 1] for i in range(0, len(reply), 2)}


class Requests:
    def __init__(self, rand, control):
        self.rand = rand
        self.commands = []
        self.hostility = 0
        self.payloads, self.libraries, self.options = [b""], [b""], []
        docs = tree_of(control.call("COMMAND", "DOCS"))
        for name, doc in docs.items():
            self.add(name, tree_of(doc))
        reply = control.call("CONFIG", "GET", "*")
        self.options = reply[::2]

    def add(self, name, doc):
        for sub, subdoc in tree_of(doc.get("subcommands", [])).items():
            self.add(sub, tree_of(subdoc))
        if name in LEFT_OUT or "subcommands" in doc:
            return
        words = [word.encode().upper() for word in name.split("|")]
        group = doc["group"].decode()
        self.commands.append((words, group, [tree_of(arg) for arg in doc.get("arguments", [])]))

    # Chance.

    def chance(self, p):
        return self.rand.random() < p

    def pick(self, choices):
        return self.rand.choice(choices)

    # Arguments.

    def key(self, group=""):
        kinds = KINDS.get(group) or ALL_KINDS
        if self.chance(0.2 * self.hostility):
            kinds = ALL_KINDS
        if self.chance(0.05):
            return self.pick([b"", b"none", b"x", b"\0", b"k" * 1000])
        return b"%s:%d" % (self.pick(kinds).encode(), self.rand.randint(1, 4))

    def either(self, friendly, hostile):
        return self.pick(hostile if self.chance(self.hostility) else friendly)

    def text(self):
        if self.chance(0.01):
            return self.pick([b"x", b"0", b"ab", b"\0"]) * self.pick([100, 5000, 1 << 20])
        if self.chance(0.4 * self.hostility):
            return self.rand.randbytes(self.rand.randint(1, 40))
        return self.either(MEMBERS, TEXTS + NUMBERS + DOUBLES)

    def number(self):
        return self.either(SMALL_NUMBERS, NUMBERS)

    def double(self):
        return self.either(SMALL_DOUBLES, DOUBLES)

    def payload(self, source):
        payload = bytearray(self.pick(source))
        if len(payload) < 12 or self.chance(0.2):
            return bytes(payload)
        body = payload[:-8]
        for _ in range(self.rand.randint(0, 3)):
            at = self.rand.randrange(len(body))
            body[at] = self.pick([0, 1, 127, 128, 255, 254, self.rand.randrange(256)])
        if self.chance(0.2):
            at = self.rand.randrange(len(body))
            del body[at : at + self.rand.randint(1, 5)]
        return bytes(body) + struct.pack("<Q", crc64(body))

    def named(self, name, group, words):
        """Returns an argument by its name, or None if that tells nothing."""
        if words[0] in (b"RESTORE", b"RESTORE-ASKING") and "serialized" in name:
            return self.payload(self.payloads)
        if words == [b"FUNCTION", b"RESTORE"] and "payload" in name or name == "serialized-value":
            return self.payload(self.libraries)
        if "timeout" in name:
            return self.either([b"0.01", b"0.001"], TIMEOUTS)
        if group == "stream" and "group" in name or name in ("consumer", "newconsumer"):
            return self.either(NAMES[:1] + NAMES[-2:], NAMES)
        if group == "stream" and (name in ("start", "end", "threshold",
            "maxlen") or "id" in name.split("-")):
            return self.either(STREAM_IDS.get(words[0], STREAM_IDS[None]), IDS + NUMBERS)
        if group.startswith("sorted") and name in ("min", "max", "start", "stop", "end"):
            lex = any(b"LEX" in word for word in words)
            rank = any(b"RANK" in word for word in words) or words[-1] == b"ZREVRANGE"
            return self.either(LEX if lex else SMALL_NUMBERS if rank else SCORES, RANGES + NUMBERS)
        if "pattern" in name:
            return self.pick(GLOBS)
        if group == "bitmap" and name == "value" and words[0] == b"SETBIT":
            return self.either([b"0", b"1"], NUMBERS)
        for pattern, friendly, hostile in NAMED:
            if re.fullmatch(pattern, name):
                return self.either(friendly, hostile)
        if name == "command":
            return self.pick(self.commands)[0][0]
        return None

    def value(self, arg, group, words):
        kind, name = arg["type"], arg["name"].decode()
        if self.chance(0.1 * self.hostility):
            return self.pick([self.text, self.number, self.double])()
        named = self.named(name, group, words)
        if named is not None:
            return named
        if kind == b"key":
            return self.key(group)
        if kind in (b"integer", b"unix-time"):
            return self.number()
        if kind == b"double":
            return self.double()
        if kind == b"pattern":
            return self.pick(GLOBS)
        return self.text()

    def times(self):
        if self.chance(0.01):
            return 1500
        return self.rand.randint(1, 4)

    def argument(self, arg, group, words):
        flags = arg.get("flags", [])
        if b"optional" in flags and self.chance(0.55):
            return []
        parts = []
        again = self.times() if b"multiple" in flags else 1
        for i in range(again):
            again_named = i == 0 or b"multiple_token" in flags
            if "token" in arg and arg["type"] != b"pure-token" and again_named:
                parts.append(arg["token"])
            parts += self.one(arg, group, words)
        return parts

    def one(self, arg, group, words):
        kind = arg["type"]
        if kind == b"pure-token":
            return [arg["token"]]
        if kind == b"oneof":
            return self.argument(tree_of(self.pick(arg["arguments"])), group, words)
        if kind == b"block":
            return self.arguments([tree_of(a) for a in arg["arguments"]], group, words)
        return [self.value(arg, group, words)]

    def arguments(self, args, group, words):
        """Makes them all; a number of keys is mostly that of the keys behind it."""
        parts, count_at = [], None
        for arg in args:
            made = self.argument(arg, group, words)
            if count_at is not None:
                if self.chance(0.85):
                    parts[count_at] = b"%d" % len(made)
                count_at = None
            if made and arg["name"] in (b"numkeys", b"numfields"):
                count_at = len(parts) + len(made) - 1
            parts += made
        return parts

    def request(self):
        if self.chance(0.02):
            return self.special()
        words, group, args = self.pick(self.commands)
        self.hostility = self.pick([0, 0.1, 0.3, 0.8])
        parts = self.arguments(args, group, words)
        if group == "stream" and b"STREAMS" in parts and self.chance(1 - 0.4 * self.hostility):
            at = parts.index(b"STREAMS")
            keys = [self.key(group) for _ in range(self.rand.randint(1, 3))]
            newest = b">" if words[0] == b"XREADGROUP" else b"$"
            ids = [self.either([b"0", newest, b"5-1"], IDS) for _ in keys]
            parts[at + 1 :] = keys + ids
        if self.chance(0.3 * self.hostility):
            parts = self.disturbed(parts, args, group, words)
        return [*words, *parts]

    def disturbed(self, parts, args, group, words):
        for _ in range(self.rand.randint(1, 2)):
            at = self.rand.randint(0, len(parts))
            way = self.rand.randrange(6)
            if way == 0:
                parts[at:at] = [self.text()]
            elif way == 1:
                del parts[at : at + self.rand.randint(1, 2)]
            elif way == 2 and args:
                parts += self.argument(self.pick(args), group, words)
            elif way == 3:
                parts += parts
            elif way == 4 and parts:
                parts[at % len(parts)] = self.pick(parts)
            elif parts:
                anything = self.pick([self.text, self.number, self.double, self.key])
                parts[at % len(parts)] = anything()
        return parts

    def special(self):
        way = self.rand.randrange(6)
        if way == 0:
            return [b"DEBUG", *self.pick(DEBUG_CALLS)]
        if way == 1:
            name = self.pick([*OPTIONS])
            return [b"CONFIG", b"SET", name, self.pick(OPTIONS[name] + [b"-1", b"", b"nan"])]
        if way == 2:
            return [b"COMMAND", self.pick([b"GETKEYS", b"GETKEYSANDFLAGS"]), *self.request()]
        if way == 3:
            time = self.pick([b"1", b"0", b"5", b"-1", b"nan"])
            return [b"CLIENT", b"PAUSE", time, self.pick([b"WRITE", b"ALL", b""])]
        if way == 4:
            return [self.text() for _ in range(self.rand.randint(1, 4))]
        port = self.pick([b"1", b"0", b"-1", b"65536", b"x"])
        return [b"MIGRATE", b"127.0.0.1", port, self.key(), b"0", b"50"]

    def by_script(self, request):
        script = self.pick([
            b"return redis.pcall(unpack(ARGV))", b"return redis.pcall(unpack(ARGV))",
            b"redis.setresp(3) return redis.pcall(unpack(ARGV))",
            b"local r = redis.pcall(unpack(ARGV)) error('undone')",
            b"return cjson.encode(redis.pcall(unpack(ARGV)))",
        ])
        return [b"EVAL", script, b"0", *request]

    def maybe_by_script(self):
        request = self.request()
        return self.by_script(request) if self.chance(0.2) else request

    def batch(self):
        batch = [self.maybe_by_script() for _ in range(self.rand.randint(1, 8))]
        if self.chance(0.25):
            batch = [[b"MULTI"], *batch, [self.pick([b"EXEC", b"EXEC", b"EXEC", b"DISCARD"])]]
            if self.chance(0.2):
                batch = [[b"WATCH", self.key()], *batch]
        if self.chance(0.05):
            batch = [[b"HELLO", self.pick([b"2", b"3"])], *batch]
        return batch

    # What surrounds a round.

    def setting(self):
        """Returns requests that configure the server for a round."""
        requests = [[b"CONFIG", b"SET", b"proto-max-bulk-len", b"1500000"]]
        requests.append([b"CONFIG", b"SET", b"script-time-limit", b"100"])
        requests.append([b"CONFIG", b"SET", b"script-memory-limit", b"8mb"])
        for name, values in OPTIONS.items():
            if self.chance(0.4):
                requests.append([b"CONFIG", b"SET", name, self.pick(values)])
        if self.chance(0.15):
            requests += [[b"CONFIG", b"SET", name, self.pick(NUMBERS + TEXTS)]
                         for name in self.options if name not in LOCKING]
        if self.chance(0.3):
            limit = self.pick([b"1", b"3mb", b"5mb", b"20mb"])
            requests.append([b"CONFIG", b"SET", b"maxmemory", limit])
        return requests

    def watching(self):
        """Returns requests that make clients listen."""
        requests = []
        if self.chance(0.5):
            requests.append([b"HELLO", b"3"])
            ways = self.pick([[], [b"BCAST"], [b"NOLOOP"], [b"OPTIN"]])
            requests.append([b"CLIENT", b"TRACKING", b"ON", *ways])
        if self.chance(0.3):
            requests.append([b"PSUBSCRIBE", b"*"])
        if self.chance(0.2):
            requests.append([b"MONITOR"])
        for line in WAITS:
            if self.chance(0.2):
                requests.append(line.split())
        return requests

    def filling(self):
        """Returns requests that make keys of all types, small and larger."""
        requests = [request for i, size in enumerate([3, 10, 140, 700], 1)
                    for request in self.filling_of(i, size)]
        libraries = [code for code in SCRIPTS if b"register_function" in code]
        requests += [[b"FUNCTION", b"LOAD", code] for code in libraries]
        requests += [[b"SCRIPT", b"LOAD", code] for code in LOADED]
        return [*requests, [b"EXPIRE", self.key(), b"1"], [b"PEXPIRE", self.key(), b"20"]]

    def filling_of(self, number, size):
        many = [b"%d" % j for j in range(size)]
        named = [b"m" + m for m in many]
        fields = [part for m in many for part in (b"f" + m, m)]
        scored = [part for m in many for part in (m, b"m" + m)]
        places = [part for m in named for part in (*self.place(), m)]
        broken = [b"SET", b"u8", 8 * self.rand.randint(0, 40), self.rand.randrange(256)]
        lines = [
            ("SET str:N", [b"ab" * size]), ("SET num:N", [self.pick(NUMBERS)]),
            ("SETBIT bits:N", [size * 8, 1]),
            ("PFADD hll:N", named), ("PFADD bad:N", named), ("BITFIELD bad:N", broken),
            ("RPUSH list:N", named if number % 2 else many),
            ("SADD set:N", [*named, b"x" * 100]), ("SADD ints:N", many),
            ("HSET hash:N", fields), ("HSET hexp:N", fields),
            ("HPEXPIRE hexp:N", [self.pick([b"1", b"50", b"100000"]), "FIELDS", 2, "f1", "f2"]),
            ("ZADD zset:N", scored), ("ZADD zset:N", ["inf", "m1", "-inf", "m2"]),
            ("GEOADD geo:N", places),
            *(("XADD stream:N", [f"{j + 1}-1", "f1", "v"]) for j in range(min(size, 150))),
            ("XGROUP CREATE stream:N", ["g1", 0]), ("XGROUP CREATE stream:N", ["g2", "$"]),
            ("XREADGROUP GROUP g1 c1 COUNT 5 STREAMS stream:N", [">"]),
            ("XREADGROUP GROUP g1 c2 COUNT 5 STREAMS stream:N", [">"]),
        ]
        return [[*line.replace(":N", f":{number}").split(), *rest] for line, rest in lines]

    def place(self):
        return self.rand.uniform(-180, 180), self.rand.uniform(-85, 85)

    def look(self, control):
        """Keeps payloads of what is there."""
        keys = [b"%s:%d" % (kind.encode(), i) for kind in ALL_KINDS for i in (1, 2)]
        self.payloads = [p for p in (control.call("DUMP", key) for key in keys)
                         if p and not isinstance(p, Error)] or [b""]
        dumped = control.call("FUNCTION", "DUMP")
        self.libraries = [dumped if dumped and not isinstance(dumped, Error) else b""]
