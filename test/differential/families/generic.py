"""What works on values of all types, and what is about the server as a whole. No channel
is without a name: a pattern of stars matches none in Redis, and here it does."""

KEYS = {}

TABLE = """
3 rp  numbers SORT_RO sortable sort_options
3 wp  numbers SORT sortable sort_options
1 rp  sorted  SORT_RO sortable range_limit? ALPHA sort_get* direction?
1 wp  sorted  SORT sortable direction? ALPHA range_limit?
2 wf  exact   SORT sortable range_limit? ALPHA sort_get? STORE key
1 r   shape   DUMP key
3 wt  exact   RESTORE key ttl payload restore_option*
1 wt  exact   RESTORE key moment_ms payload ABSTTL restore_option*

2 wf  exact   PUBLISH channel value
1 wf  exact   SPUBLISH channel value
1 r   members PUBSUB CHANNELS pattern
1 r   exact   PUBSUB NUMPAT
1 r   exact   PUBSUB NUMSUB channel*
"""

# Made by redis-server 7.0.15, each with a command that makes such a value.
PAYLOADS = [
    ("SET", b"\x00\x04text\n\x00|\xf3&m\xca\xb5\xa51"),
    ("SET", b"\x00\xc190\n\x00\x9d\x94\xea'\x93\xfc\x08\xb9"),
    ("SET", b"\x00\xc3\n@x\x02aba\xe0j\x01\x01ab\n\x00\xb2\x88p\x8cS\x07\x16\xd2"),
    ("RPUSH", b"\x12\x01\x02\x0f\x0f\x00\x00\x00\x03\x00\x81a\x02\x81b\x02\x01\x01\xff\n\x00"
              b"\xe0\x1b\xabJG\xceY\""),
    ("SADD", b"\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00\x03\x00\n\x00"
             b"\xa5\x02\\\xe2mnM\x1b"),
    ("SADD", b"\x02\x02\x01a\x01b\n\x00\xfed!%\xeb\x03=\r"),
    ("HSET", b"\x10\x12\x12\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81g\x02\x02\x01\xff\n\x00"
             b"\x01\xa6NO\xc1\xd4\xe5C"),
    ("ZADD", b"\x11\x14\x14\x00\x00\x00\x04\x00\x81a\x02\x01\x01\x81b\x02\x832.5\x04\xff\n\x00"
             b"\xd4Ln\xa4\xf6D\xd9\xd7"),
    ("XADD", b"\x13\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01"
             b"\x1d\x1d\x00\x00\x00\n\x00\x01\x01\x00\x01\x01\x01\x81f\x02\x00\x01\x02\x01\x00"
             b"\x01\x00\x01\x81v\x02\x04\x01\xff\x01\x01\x01\x01\x01\x00\x00\x01\x00\n\x00"
             b"\xffU\xabbj\xc05\xdb"),
]
DAMAGED = [b"", b"\x00", b"\x00\x04text\n\x00|\xf3&m\xca\xb5\xa50", b"\xff\xff\n\x00" + bytes(8)]


class Generic:
    def sortable(self):
        return self.key_of(self.choose(["list", "set"]))

    def sort_get(self):
        pattern = self.choose([b"#", b"s*", b"h*->f1", b"h1->*", b"s1"])
        return [self.spell(b"GET"), pattern]

    def direction(self):
        return self.one_of(b"ASC", b"DESC")

    def sort_options(self):
        """By texts of others that are equal, Redis sorts in any order: BY is for numbers."""
        options = []
        if self.chance(0.3):
            options += self.range_limit()
        if self.chance(0.3):
            pattern = self.choose([b"s*", b"h1->*", b"h*->f1", b"s1*", b"w*->"])
            options += [self.spell(b"BY"), pattern]
        for _ in range(self.choose([0, 0, 0, 1, 2])):
            options += self.sort_get()
        if self.chance(0.4):
            options += self.one_of(b"ASC", b"DESC", b"ASC", b"DESC", b"nope")
        return options

    def ttl(self):
        if self.chance(0.1):
            return [self.choose([b"-1", b"abc", b"", b"1.5", b"9223372036854775808"])]
        return [b"%d" % self.choose([0, 0, self.between(10**9, 10**11)])]

    def payload(self):
        payload = self.choose(PAYLOADS)
        return [payload[1] if payload[0] in self.names else self.choose(DAMAGED)]

    def restore_option(self):
        if self.chance(0.2):
            return [self.spell(b"IDLETIME")] + self.number()
        if self.chance(0.1):
            return [self.spell(b"FREQ")] + self.number()
        return self.one_of(b"REPLACE", b"REPLACE", b"REPLACE", b"nope")

    def channel(self):
        return [self.choose([b"news", b"news.art", b"weather", b"\xff"])]
