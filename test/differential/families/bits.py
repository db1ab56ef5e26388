"""Bitmaps, bitfields and HyperLogLogs. A request could make a string of half a gigabyte:
most offsets are small, and the others are refused."""

KEYS = {"counter": [b"p1", b"p2", b"p3"]}

TABLE = """
4 w   exact   SETBIT string bit_offset bit
3 r   exact   GETBIT string bit_offset
2 r   exact   BITCOUNT string
3 r   exact   BITCOUNT string index index bit_unit?
2 r   exact   BITPOS string bit
2 r   exact   BITPOS string bit index
3 r   exact   BITPOS string bit index index bit_unit?
3 w   exact   BITOP bit_operation string string+
6 w   exact   BITFIELD string bitfield_part*
2 r   exact   BITFIELD_RO string bitfield_get*

5 w   exact   PFADD counter member*
1 w   exact   PFADD counter many_members
3 w   exact   PFCOUNT counter+
2 w   exact   PFMERGE counter counter*
"""


class Bits:
    def counter(self):
        return self.key_of("counter")

    def bit(self):
        return [self.choose([b"0", b"1", b"0", b"1", b"0", b"1", b"2", b"-1", b"abc", b""])]

    def bit_offset(self):
        if self.chance(0.9):
            return [b"%d" % self.between(0, 1000)]
        return [self.choose([b"4294967296", b"-1", b"abc", b"100000", b"99999999999999999999"])]

    def bit_unit(self):
        return self.one_of(b"BIT", b"BYTE", b"BIT", b"BYTE", b"nope")

    def bit_operation(self):
        return self.one_of(b"AND", b"OR", b"XOR", b"NOT", b"AND", b"OR", b"XOR", b"nope")

    def bit_type(self):
        if self.chance(0.05):
            return [self.choose([b"u64", b"i65", b"u0", b"i0", b"x8", b"", b"i", b"u-1", b"i08"])]
        return [b"%s%d" % (self.choose([b"u", b"i"]), self.choose([1, 2, 5, 8, 13, 16, 32, 63]))]

    def field_offset(self):
        sign = self.choose([b"", b"", b"#"])
        if self.chance(0.95):
            return [sign + b"%d" % self.between(0, 60)]
        return [self.choose([b"#-1", b"#", b"-1", b"abc", b"4294967296", b"#99999999999999999"])]

    def bitfield_get(self):
        if self.chance(0.03):
            return [self.spell(b"SET")] + self.bit_type() + self.field_offset() + [b"1"]
        return [self.spell(b"GET")] + self.bit_type() + self.field_offset()

    def bitfield_part(self):
        pick = self.random.random()
        if pick < 0.2:
            return [self.spell(b"OVERFLOW")] + self.one_of(b"WRAP", b"SAT", b"FAIL", b"SAT", b"nope")
        if pick < 0.4:
            return self.bitfield_get()
        word = self.choose([b"SET", b"INCRBY"])
        return [self.spell(word)] + self.bit_type() + self.field_offset() + self.integer()
