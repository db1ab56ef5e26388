"""Bitmaps, bitfields and HyperLogLogs. A request could make a string of half a gigabyte:
most offsets are small, and the others are refused. What comes of a HyperLogLog that has
been edited as a string is left to each server: they have keys of their own."""

KEYS = {}
COUNTERS = [b"p1", b"p2", b"p3"]

TABLE = """
3 r   exact   BITCOUNT string bit_range?
6 w   exact   BITFIELD string bitfield_step*
1 r   exact   BITFIELD_RO string bitfield_get*
4 w   exact   BITOP bit_operation string string+
3 r   exact   BITPOS string bit bit_range?
2 r   exact   BITPOS string bit index*
2 r   exact   GETBIT string bit_offset
5 w   exact   SETBIT string bit_offset bit

6 w   exact   PFADD counter observation*
1 w   exact   PFADD counter many_observations
4 w   exact   PFCOUNT counter
2 w   exact   PFCOUNT counter_or_key+
3 w   exact   PFMERGE counter counter_or_key*
1 wf  exact   PFDEBUG counter_word counter
3 r   exact   GET counter
"""


class Bits:
    def counter(self):
        return [self.choose(COUNTERS)]

    def counter_or_key(self):
        return self.counter() if self.chance(0.9) else self.key()

    def counter_word(self):
        return self.one_of(b"ENCODING", b"DECODE", b"DECODE", b"TODENSE", b"nope")

    def observation(self):
        return [b"%d" % self.between(0, 3000)] if self.chance(0.9) else self.value()

    def many_observations(self):
        start = self.between(0, 5000)
        return [b"%d" % i for i in range(start, start + self.choose([20, 100, 500]))]

    def bit(self):
        return [self.choose([b"0", b"1"])] if self.chance(0.95) else self.integer()

    def bit_offset(self):
        """Not among the far ones that are allowed: the string would be as long."""
        if self.chance(0.9):
            return [b"%d" % self.between(0, 200)]
        return [self.choose([
            b"4294967296", b"-1", b"abc", b"", b"#1", b"1.5", b"9223372036854775807",
        ])]

    def bit_range(self):
        unit = self.one_of(b"BIT", b"BYTE", b"nope") if self.chance(0.5) else []
        return self.index() + self.index() + unit

    def bit_operation(self):
        return self.one_of(b"AND", b"OR", b"XOR", b"NOT", b"AND", b"OR", b"XOR", b"nope")

    def bitfield_place(self):
        if self.chance(0.9):
            width = self.choose([1, 2, 5, 7, 8, 9, 16, 31, 32, 33, 62, 63])
            kind = b"%s%d" % (self.choose([b"i", b"u"]), width)
        else:
            kind = self.choose([b"i64", b"i64", b"u64", b"i0", b"i65", b"x8", b"u", b"", b"u08"])
        place = self.bit_offset()
        if self.chance(0.3):
            place = [b"#%d" % self.between(0, 8)]
        return [kind] + place

    def bitfield_get(self):
        return [self.spell(b"GET")] + self.bitfield_place()

    def bitfield_number(self):
        """Below -2^62, Redis's check for an overflow overflows itself."""
        if self.chance(0.8):
            return [b"%d" % self.between(-100, 100)]
        if self.chance(0.9):
            return [b"%d" % self.between(-(1 << 62), (1 << 63) - 1)]
        return [self.choose([b"9223372036854775808", b"-9223372036854775809", b"1.5", b"", b"abc"])]

    def bitfield_step(self):
        pick = self.random.random()
        if pick < 0.3:
            return self.bitfield_get()
        if pick < 0.5:
            overflow = self.one_of(b"WRAP", b"SAT", b"FAIL", b"SAT", b"FAIL", b"nope")
            return [self.spell(b"OVERFLOW")] + overflow
        return self.one_of(b"SET", b"INCRBY") + self.bitfield_place() + self.bitfield_number()
