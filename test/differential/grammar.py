"""Random requests: a table of commands, and random arguments for each of its words.

Arguments are few, so that keys meet and types collide; they are often extreme, and a
request is now and then mangled. All of it is drawn from one random.Random.
"""

import collections

from families import bits, field_expiry, functions, generic, lists, places, sorted_sets, streams

# How the replies of two servers are compared. differential.py has the rules.
EXACT = "exact"  # Byte for byte.
MEMBERS = "members"  # An array in any order.
PAIRS = "pairs"  # An array of fields and values in any order.
TIME = "time"  # An integer that tells a time.
PICK = "pick"  # Random members of what the next request lists.
DEEP = "deep"  # Arrays in any order, at all depths.
SCANNED = "scanned"  # A cursor and an array in any order.
SCANNED_PAIRS = "scanned-pairs"
SHAPE = "shape"  # Only its kind is the same.
NUMBERS = "numbers"  # An array in the order of numbers, which Redis may take for none.
SORTED = "sorted"  # An array in an order for which Redis looks no further than a NUL.
PENDING = "pending"  # Entries of a stream that are pending; of each, an idle time.
AGES = "ages"  # Names and values, of which some are times or ages.
HELLO = "hello"  # Properties of two different servers.
SCRIPT = "script"  # As the script says.
RECKLESS = "reckless"  # Likewise; if it fails, the data are made equal again.
WAIT = "wait"  # Sent over another connection, where it waits for the others of the step.
POP = "pop"  # Random members that are gone now.
WALK = "walk"  # The first step of a walk with a cursor.

# How a command may be used.
READS = "r"  # The others, with a "w", write.
TIMED = "t"  # Has a time among its arguments: no small number may come in its place.
PLAIN = "p"  # Not in scripts and transactions.
BLOCKS = "b"  # Waits where it may: not outside of scripts and transactions.
FIXED = "f"  # Not mangled: it could become one that SPOPs at random, or that has no order, or
# the SDIFFSTORE of three sets, which in Redis may use a hash table for numbers, as it
# works that out.

Command = collections.namedtuple("Command", "weight uses compare words")
Request = collections.namedtuple("Request", "args compare")

# weight, uses, compare, words. A word in capitals stands for itself; others for what
# the function of that name in Arguments gives. Behind a word, '+' means one or more,
# '*' none or more, '?' perhaps.
TABLE = """
6 w   exact   APPEND string value
3 w   exact   DECR string
3 w   exact   DECRBY string integer
8 r   exact   GET string
2 w   exact   GETDEL string
4 wt  exact   GETEX string getex_option*
4 r   exact   GETRANGE string index index
2 w   exact   GETSET string value
6 w   exact   INCR string
5 w   exact   INCRBY string integer
8 w   exact   INCRBYFLOAT string float
2 r   exact   LCS string string lcs_option*
2 r   exact   MGET key+
2 w   exact   MSET pair+
2 w   exact   MSETNX pair+
2 wt  exact   PSETEX string future_ms value
16 wt exact   SET string value set_option*
2 wt  exact   SETEX string future_s value
2 w   exact   SETNX string value
3 w   exact   SETRANGE string offset value
2 r   exact   STRLEN string
1 r   exact   SUBSTR string index index

4 w   exact   HDEL hash field+
2 r   exact   HEXISTS hash field
3 r   exact   HGET hash field
4 r   pairs   HGETALL hash
4 w   exact   HINCRBY hash field integer
6 w   exact   HINCRBYFLOAT hash field float
2 r   members HKEYS hash
2 r   exact   HLEN hash
2 r   exact   HMGET hash field+
2 w   exact   HMSET hash field_value+
3 r   pick    HRANDFIELD hash pick_count?
2 r   pick    HRANDFIELD hash pick_count WITHVALUES
12 w  exact   HSET hash field_value+
1 w   exact   HSET hash many_fields
1 w   exact   HSETNX hash field value
1 r   exact   HSTRLEN hash field
2 r   members HVALS hash
2 rp  scanned-pairs HSCAN hash 0 whole_option* COUNT 100000
1 rp  shape   HSCAN hash cursor scan_option*

10 w  exact   SADD set member+
1 w   exact   SADD set many_members
2 r   exact   SCARD set
2 r   members SDIFF set+
3 wf  exact   SDIFFSTORE set set set?
2 r   members SINTER set+
3 r   exact   SINTERCARD number set+ limit_option*
3 w   exact   SINTERSTORE set set+
2 r   exact   SISMEMBER set member
3 r   members SMEMBERS set
2 r   exact   SMISMEMBER set member+
3 w   exact   SMOVE set set member
3 r   pick    SRANDMEMBER set pick_count?
4 w   exact   SREM set member+
2 r   members SUNION set+
3 w   exact   SUNIONSTORE set set+
2 wf  members SPOP set large_count
2 rp  scanned SSCAN set 0 whole_option* COUNT 100000
1 rp  shape   SSCAN set cursor scan_option*

3 wt  exact   COPY key key copy_option*
3 w   exact   DEL key+
4 r   exact   EXISTS key+
1 wp  exact   FLUSHALL flush_option?
1 wp  exact   FLUSHDB flush_option?
1 r   members KEYS pattern
2 w   exact   MOVE key database
6 r   exact   OBJECT ENCODING key
1 rp  shape   OBJECT IDLETIME key
1 r   exact   OBJECT FREQ key
1 rp  shape   OBJECT REFCOUNT key
1 r   exact   OBJECT word key*
1 rp  pick    RANDOMKEY
3 w   exact   RENAME key key
3 w   exact   RENAMENX key key
2 rp  scanned SCAN 0 scan_whole_option* COUNT 100000
1 rp  shape   SCAN cursor scan_option*
1 wp  exact   SWAPDB database database
1 r   exact   TOUCH key+
3 r   exact   TYPE key
1 w   exact   UNLINK key+

5 wt  exact   EXPIRE key future_s expire_option*
3 wt  exact   EXPIREAT key moment_s expire_option*
2 r   time    EXPIRETIME key
3 w   exact   PERSIST key
5 wt  exact   PEXPIRE key future_ms expire_option*
3 wt  exact   PEXPIREAT key moment_ms expire_option*
2 r   time    PEXPIRETIME key
3 r   time    PTTL key
3 r   time    TTL key

1 rp  exact   AUTH value value?
2 rp  exact   CLIENT GETNAME
1 rp  shape   CLIENT ID
1 rp  exact   CLIENT NO-EVICT on_off
2 rp  exact   CLIENT SETNAME client_name
1 rp  exact   COMMAND GETKEYS any_request
1 rp  exact   COMMAND GETKEYSANDFLAGS fixed_request
1 rp  shape   DBSIZE
2 r   exact   ECHO value
2 rp  hello   HELLO protocol hello_options?
2 r   exact   PING value?
1 rp  exact   RESET
6 rp  exact   SELECT database
1 r   exact   unknown value*

3 wp  exact   WATCH key+
1 wp  exact   UNWATCH
1 wp  exact   EXEC
1 wp  exact   DISCARD
"""


FAMILIES = [bits, field_expiry, functions, generic, lists, places, sorted_sets, streams]

# Words that begin with the number of the keys that follow.
COUNTED = {"number", "list_count", "zset_count"}


def read_table(table):
    commands = []
    for line in table.split("\n"):
        if line:
            weight, uses, compare, *words = line.split()
            commands.append(Command(int(weight), uses, compare, words))
    return commands


COMMANDS = sum([read_table(family.TABLE) for family in FAMILIES], read_table(TABLE))


def available(names):
    """Returns the rows of commands that are among these, which COMMAND LIST has given."""
    names = {name.decode().lower() for name in names}
    containers = {name.split("|")[0] for name in names if "|" in name}

    def is_there(command):
        name, *rest = (word.lower() for word in command.words)
        if name in containers and rest and command.words[1].isupper():
            return f"{name}|{rest[0]}" in names
        return name in names or name == "unknown"
    return [command for command in COMMANDS if is_there(command)]


KEYS = {
    "string": [b"s1", b"s2", b"s3", b"s4"],
    "hash": [b"h1", b"h2", b"h3"],
    "set": [b"t1", b"t2", b"t3", b"t4"],
}
for family in FAMILIES:
    KEYS.update(family.KEYS)
ODD_KEYS = [b"", b"\x00\r\n\xff", b"{h1}x", b"k" * 70]
ALL_KEYS = [key for keys in KEYS.values() for key in keys] + ODD_KEYS

FIELDS = [b"f1", b"f2", b"f3", b"f4", b"", b"1", b"\xfe\r\n", b"f" * 64, b"f" * 65]

# Numbers at the edges of what is one, and what is none at all.
ODD_INTEGERS = [
    b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808",
    b"-9223372036854775809", b"18446744073709551615", b"18446744073709551616", b"2147483648",
    b"4294967296", b"-2147483649", b"-9223372036854775807", b"99999999999999999999999999",
    b"-1", b"-0", b"+1", b" 1", b"1 ", b"01", b"-", b"+", b"", b"1.0", b"1e3", b"0x10", b"abc",
    b"1\x00", b"\x00", b"- 1", b"--1", b"00", b"-01",
]
ODD_FLOATS = [
    b"inf", b"-inf", b"+inf", b"Infinity", b"nan", b"-nan", b"NaN", b"1e400", b"-1e400", b"1e-400",
    b"1e308", b"1.7976931348623157e308", b"5e-324", b"0x10", b"0x1p4", b"0x", b" 1", b"1 ", b"1.",
    b".5", b".", b"-.5", b"+1.5", b"1e", b"1e+", b"1e5", b"1E5", b"1e-5", b"3.0", b"-0", b"-0.0",
    b"0.1", b"0.2", b"1e17", b"1e18", b"123456789012345678", b"0.12345678901234567890123",
    b"1.0e", b"1,5", b"3.14159265358979323846", b"1e4932", b"1e-4940", b"1\x00", b"", b"abc",
    b"00001", b"1_000", b"1e22", b"99999999999999999999", b"5e-5", b"0.000001", b"1e16", b"1d",
    b"infinite", b"1.5f", b"1p3", b"e5", b"0e0", b"nan(1)", b"inf ", b"\t1", b"1\n",
    b"0." + b"3" * 100, b"9" * 100, b"1" + b"0" * 300,
]
TEXTS = [
    b"", b"a", b"hello", b"Hello World", b"a\r\nb", b"\x00", b"\xff\xfe\x80", b"OK", b"nil",
    b"(", b"*1\r\n", b"\xc3\xa9t\xc3\xa9", b"ab" * 22, b"c" * 44, b"d" * 45, b"e" * 64, b"f" * 65,
]

# A time that may come soon would expire keys at different moments: all of them are
# past, or so far in the future that no test lasts as long. No two times from now on
# are equal: which is later would hang on the millisecond in which each was set.
PAST = [b"0", b"-1", b"-9223372036854775808", b"-1000000"]
NO_TIME = [b"", b"abc", b"1.5", b" 1", b"1e5", b"+5", b"\x00", b"9223372036854775808"]
YEAR_2100_S = 4102444800


class Arguments(bits.Bits, field_expiry.FieldExpiry, functions.Functions, generic.Generic,
                lists.Lists, places.Places, sorted_sets.SortedSets, streams.Streams):
    """Draws arguments. A method gives a list of them, and its name is their word in
    the table."""

    def __init__(self, random, commands=COMMANDS):
        self.random = random
        self.choose = random.choice
        self.between = random.randint
        self.names = {command.words[0] for command in commands}
        self.command_choices = [c for c in commands for _ in range(c.weight)]

    def chance(self, probability):
        return self.random.random() < probability

    # Keys and values.

    def key_of(self, kind):
        if self.chance(0.85):
            return [self.choose(KEYS[kind])]
        return [self.choose(ALL_KEYS)]

    def string(self):
        return self.key_of("string")

    def hash(self):
        return self.key_of("hash")

    def set(self):
        return self.key_of("set")

    def key(self):
        return [self.choose(ALL_KEYS)]

    def value(self):
        pick = self.random.random()
        if pick < 0.35:
            return [b"%d" % self.between(-20, 20)]
        if pick < 0.45:
            return [b"%d" % self.between(-(1 << 63), (1 << 63) - 1)]
        if pick < 0.60:
            return [b"%.*g" % (self.between(1, 17), self.random.gauss(0, 1000))]
        if pick < 0.70:
            return [self.choose(ODD_FLOATS)]
        if pick < 0.80:
            return [self.choose(ODD_INTEGERS)]
        if pick < 0.98:
            return [self.choose(TEXTS)]
        return [bytes([self.between(0, 255)]) * self.between(0, 300)]

    def field(self):
        return [self.choose(FIELDS)]

    def field_value(self):
        return self.field() + self.value()

    def many_fields(self):
        start, args = self.between(0, 100), []
        for i in range(start, start + self.between(100, 140)):
            args += [b"n%d" % i, b"%d" % i]
        return args

    def member(self):
        pick = self.random.random()
        if pick < 0.6:
            return [b"%d" % self.between(0, 12)]
        if pick < 0.9:
            return self.field()
        return self.value()

    def many_members(self):
        start = self.between(-100, 100)
        return [b"%d" % i for i in range(start, start + self.between(480, 540))]

    def pair(self):
        return self.key() + self.value()

    def word(self):
        return [self.choose([b"freq", b"nothing", b"", b"encoding"])]

    # Numbers.

    def integer(self):
        if self.chance(0.6):
            return [b"%d" % self.between(-100, 100)]
        if self.chance(0.4):
            return [b"%d" % self.between(-(1 << 63), (1 << 63) - 1)]
        return [self.choose(ODD_INTEGERS)]

    def float(self):
        pick = self.random.random()
        if pick < 0.4:
            return [b"%.*g" % (self.between(1, 20), self.random.gauss(0, 1000))]
        if pick < 0.5:
            number = self.random.gauss(0, 10) * 10 ** self.between(-25, 25)
            return [b"%.*e" % (self.between(0, 20), number)]
        if pick < 0.7:
            return [b"%d" % self.between(-1000, 1000)]
        return [self.choose(ODD_FLOATS)]

    def index(self):
        return [b"%d" % self.between(-12, 12)] if self.chance(0.8) else [self.choose(ODD_INTEGERS)]

    def offset(self):
        if self.chance(0.8):
            return [b"%d" % self.between(0, 100)]
        return [self.choose(ODD_INTEGERS + [b"536870912", b"3000"])]

    def number(self):
        return [b"%d" % self.between(-1, 4)] if self.chance(0.8) else [self.choose(ODD_INTEGERS)]

    def counted(self, key):
        """A number of keys, and mostly as many keys."""
        keys = [key()[0] for _ in range(self.choose([1, 1, 2, 2, 3]))]
        if self.chance(0.95):
            return [b"%d" % len(keys)] + keys
        return self.number() + keys

    def pick_count(self):
        """A negative one may not be huge: so many are picked."""
        if self.chance(0.8):
            return [b"%d" % self.between(-5, 8)]
        return [self.choose([b"0", b"-0", b"abc", b"", b"1.5", b"1000", b"-9223372036854775808",
                             b"9223372036854775808", b"9223372036854775807"])]

    def large_count(self):
        return [self.choose([b"1000000", b"0", b"-1", b"abc", b"9223372036854775807"])]

    def database(self):
        if self.chance(0.7):
            return [b"0"]
        return [self.choose([
            b"0", b"1", b"2", b"15", b"16", b"-1", b"abc", b"", b"1.0", b"99999999999",
        ])]

    def protocol(self):
        return [self.choose([b"2", b"3", b"2", b"3", b"2", b"3", b"1", b"4", b"", b"abc"])]

    # Times.

    def time(self, future):
        pick = self.random.random()
        if pick < 0.75:
            return [b"%d" % future]
        if pick < 0.85:
            return [self.choose(PAST)]
        if pick < 0.90:
            return [self.choose([b"9223372036854775807", b"%d" % self.between(10**15, 10**16)])]
        return [self.choose(NO_TIME)]

    def future_s(self):
        return self.time(self.between(10**6, 10**8))

    def future_ms(self):
        return self.time(self.between(10**9, 10**11))

    def moment_s(self):
        if self.chance(0.2):
            return [b"%d" % self.between(1, 10**9)]
        return self.time(YEAR_2100_S + self.between(0, 10**8))

    def moment_ms(self):
        if self.chance(0.2):
            return [b"%d" % self.between(1, 10**12)]
        return self.time(YEAR_2100_S * 1000 + self.between(0, 10**11))

    def timeout(self):
        """Of what waits, where it does not: then it must be valid, and nothing else."""
        return [self.choose([
            b"0", b"0", b"1", b"0.5", b"1e2", b"-1", b"-0", b"abc", b"", b"nan", b"inf", b"1e400",
            b"9223372036854775807", b"1e15",
        ])]

    # Options.

    def spell(self, word):
        return self.choose([word, word.lower(), word.capitalize()])

    def timed_option(self):
        word, time = self.choose([
            (b"EX", self.future_s), (b"PX", self.future_ms),
            (b"EXAT", self.moment_s), (b"PXAT", self.moment_ms),
        ])
        return [self.spell(word)] + time()

    def lasting_option(self):
        """What SET has made with a time that is past is there for Redis until it is found to
        have expired: a store over it then tells of a key that is removed."""
        option = self.timed_option()
        while self.is_past(*option):
            option = self.timed_option()
        return option

    def is_past(self, word, time):
        limit = {b"EXAT": YEAR_2100_S, b"PXAT": YEAR_2100_S * 1000}.get(word.upper(), 0)
        return time.isdigit() and int(time) < limit

    def one_of(self, *words):
        return [self.spell(self.choose(words))]

    def set_option(self):
        if self.chance(0.45):
            return self.lasting_option()
        return self.one_of(
            b"NX", b"XX", b"GET", b"KEEPTTL", b"GET", b"KEEPTTL", b"PERSIST", b"EX", b"nope")

    def getex_option(self):
        if self.chance(0.6):
            return self.timed_option()
        return self.one_of(b"PERSIST", b"PERSIST", b"KEEPTTL", b"PX")

    def expire_option(self):
        return self.one_of(b"NX", b"XX", b"GT", b"LT", b"LT", b"nope")

    def lcs_option(self):
        if self.chance(0.3):
            return [self.spell(b"MINMATCHLEN")] + self.number()
        return self.one_of(b"LEN", b"IDX", b"IDX", b"WITHMATCHLEN", b"nope")

    def limit_option(self):
        return [self.spell(b"LIMIT")] + self.number() if self.chance(0.9) else [b"LIMIT"]

    def count_option(self):
        return [self.spell(b"COUNT")] + self.number() if self.chance(0.95) else [b"COUNT"]

    def copy_option(self):
        if self.chance(0.4):
            return [self.spell(b"DB")] + self.database()
        return self.one_of(b"REPLACE", b"REPLACE", b"nope")

    def flush_option(self):
        return self.one_of(b"SYNC", b"ASYNC", b"nope")

    def on_off(self):
        return self.one_of(b"ON", b"OFF", b"nope")

    def client_name(self):
        return [self.choose([b"joe", b"", b"two words", b"line\n", b"\x7f", b"!~", b"\xff"])]

    def hello_options(self):
        """The name comes last: an error behind it would leave Redis with the name,
        and us without."""
        login = [self.spell(b"AUTH")] + self.value() + self.value() if self.chance(0.3) else []
        name = [self.spell(b"SETNAME")] + self.client_name() if self.chance(0.8) else []
        return login + name if login or name else [b"nope"]

    def pattern(self):
        return [self.choose([
            b"*", b"s*", b"?1", b"[sh]*", b"[^s]*", b"*1", b"", b"h?", b"\\s1", b"[a-s]?", b"[s",
            b"s[", b"*\x00*", b"[z-a]1", b"[\\s]1", b"**1**", b"s1\\", b"[]1", b"[^]1", b"f*",
            b"[0-9]", b"n1?", b"?", b"[-s]1",
        ])]

    def match_option(self):
        return [self.spell(b"MATCH")] + self.pattern()

    def type_option(self):
        kinds = [b"string", b"HASH", b"set", b"zset", b"list", b"stream", b"nope"]
        return [self.spell(b"TYPE"), self.choose(kinds)]

    def cursor(self):
        return [self.choose([
            b"abc", b"", b"1.5", b"18446744073709551616", b" 1", b"1 ", b"5", b"-", b"0", b"0x1",
        ])]

    def whole_option(self):
        if self.chance(0.8):
            return self.match_option()
        return [self.spell(b"COUNT"), self.choose([b"7", b"0", b"-1", b"abc", b""])]

    def scan_whole_option(self):
        return self.type_option() if self.chance(0.4) else self.whole_option()

    def scan_option(self):
        if self.chance(0.2):
            return self.one_of(b"MATCH", b"COUNT", b"TYPE", b"nope", b"NOVALUES")
        if self.chance(0.5):
            return [self.spell(b"COUNT"), b"%d" % self.between(1, 20)]
        return self.match_option()

    def unknown(self):
        return [self.choose([
            b"nope", b"", b"\r\n", b"GET ", b"SETT", b"x" * 200, b"a|b", b"config|get", b"\xff\x00",
        ])]

    def any_request(self):
        """Not one with a number of keys: where it is none, Redis reads what could be one.
        Nor ZRANK and ZREVRANK, which may tell the score here, as in Redis 7.2."""
        while True:
            command = self.choose(self.command_choices)
            ranks = command.words[0] in ("ZRANK", "ZREVRANK")
            if COUNTED.isdisjoint(command.words) and not ranks:
                break
        return self.fill(command)

    def fixed_request(self):
        """Not SET and BITFIELD: what they do with the key hangs on their options, and
        Redis tells that, while we tell what is said of the command."""
        while (request := self.any_request())[0] in (b"SET", b"BITFIELD"):
            pass
        return request

    # Requests.

    def waiting(self, commands):
        """A request that waits for as long as it takes."""
        command = self.choose(commands)
        patient = ["0" if word in ("timeout", "milliseconds") else word for word in command.words]
        return Request(self.fill(command._replace(words=patient)), WAIT)

    def fill(self, command):
        args = []
        for word in command.words:
            if word[-1] == "+":
                count, word = self.choose([1, 1, 2, 2, 3, 4]), word[:-1]
            elif word[-1] == "*":
                count, word = self.choose([0, 0, 1, 1, 1, 2, 2, 3]), word[:-1]
            elif word[-1] == "?":
                count, word = self.between(0, 1), word[:-1]
            else:
                count = 1
            for _ in range(count):
                args += getattr(self, word)() if word.islower() else [word.encode()]
        return args

    def mangle(self, args, timed):
        """Drops an argument, adds one, or puts another in its place."""
        odd = self.choose(NO_TIME if timed else ODD_INTEGERS[5:] + TEXTS + ALL_KEYS)
        at = self.between(1, len(args)) if len(args) > 1 else 1
        pick = self.random.random()
        if pick < 0.4:
            return args[:at] + args[at + 1 :]
        if pick < 0.7:
            return args[:at] + [odd] + args[at:]
        return args[:at] + [odd] + args[at + 1 :]

    def request(self, allowed):
        """Returns a random request of a command for which allowed(command) holds."""
        while not allowed(command := self.choose(self.command_choices)):
            pass
        args = self.fill(command)
        compare = command.compare
        if self.chance(0.2):
            args[0] = self.choose([args[0].lower(), args[0].capitalize()])
        mangled = FIXED not in command.uses and compare in (EXACT, MEMBERS, PAIRS, TIME)
        if mangled and self.chance(0.04):
            args = self.mangle(args, TIMED in command.uses)
        return Request(args, compare)
