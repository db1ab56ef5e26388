"""Streams. Their ids come from a counter, since XADD refuses those that go back; an id
made from the time would be another on each server. Idle times are so long, or zero,
that the few milliseconds between two servers do not matter."""

KEYS = {"stream": [b"q1", b"q2", b"q3"]}

TABLE = """
12 w  exact   XADD stream xadd_option? new_id field_value+
1 w   exact   XADD stream trim_option id field_value
2 w   exact   XTRIM stream trim_option
3 w   exact   XDEL stream id+
2 r   exact   XLEN stream
3 r   exact   XRANGE stream range_id range_id count_option?
3 r   exact   XREVRANGE stream range_id range_id count_option?
3 r   exact   XREAD count_option? stream_ids
1 wb  exact   XREAD BLOCK milliseconds count_option? stream_ids
1 w   exact   XSETID stream id xsetid_option?
4 w   exact   XGROUP CREATE stream group group_id group_option*
1 w   exact   XGROUP SETID stream group group_id
1 w   exact   XGROUP DESTROY stream group
2 w   exact   XGROUP CREATECONSUMER stream group consumer
1 w   exact   XGROUP DELCONSUMER stream group consumer
8 w   exact   XREADGROUP GROUP group consumer count_option? noack? group_ids
1 wb  exact   XREADGROUP GROUP group consumer BLOCK milliseconds noack? group_ids
3 w   exact   XACK stream group id+
2 r   exact   XPENDING stream group
4 r   pending XPENDING stream group idle_option? range_id range_id number consumer?
4 w   exact   XCLAIM stream group consumer idle_ms id+ claim_option*
3 w   exact   XAUTOCLAIM stream group consumer idle_ms range_id autoclaim_option*
2 r   ages    XINFO STREAM stream
2 r   ages    XINFO STREAM stream FULL count_option?
2 r   ages    XINFO GROUPS stream
2 r   ages    XINFO CONSUMERS stream group
"""

RECENT = 60  # Entries that are told of again.


class Streams:
    entries = 0  # Ids that have been given.

    def stream(self):
        return self.key_of("stream")

    def group(self):
        return [self.choose([b"g1", b"g2", b"g1", b"g2", b""])]

    def consumer(self):
        return [self.choose([b"c1", b"c2", b"c3"])]

    def new_id(self):
        self.entries += 1
        pick = self.random.random()
        if pick < 0.7:
            return [b"%d-%d" % (self.entries, self.between(0, 3))]
        if pick < 0.85:
            return [b"%d-*" % (self.entries - self.between(0, 1))]
        if pick < 0.95:
            return [b"%d" % self.entries]
        return self.odd_id()

    def odd_id(self):
        return [self.choose([
            b"0-0", b"0", b"-", b"+", b"-1", b"1-", b"-1-1", b"1-1-1", b"abc", b"", b"$", b">",
            b"0-1", b"1-abc", b"01-01", b"18446744073709551616", b" 1-1", b"*-1", b"0-*",
        ])]

    def id(self):
        if self.chance(0.05):
            return self.odd_id()
        return [b"%d-%d" % (max(0, self.entries - self.between(-1, RECENT)), self.between(0, 3))]

    def range_id(self):
        pick = self.random.random()
        if pick < 0.4:
            return [self.choose([b"-", b"+"])]
        if pick < 0.5:
            return [b"(" + self.id()[0]]
        return self.id() if pick < 0.8 else [self.id()[0].split(b"-")[0]]

    def group_id(self):
        return self.choose([self.id, lambda: [b"0"], lambda: [b"$"]])()

    def trim_option(self):
        sign = self.choose([[], [b"="], [b"~"]])
        limit = self.limit_option() if self.chance(0.1) else []
        if self.chance(0.6):
            return [self.spell(b"MAXLEN")] + sign + self.offset()[:1] + limit
        return [self.spell(b"MINID")] + sign + self.id() + limit

    def xadd_option(self):
        return [self.spell(b"NOMKSTREAM")] if self.chance(0.3) else self.trim_option()

    def ids_of(self, draw):
        keys = [self.stream()[0] for _ in range(self.choose([1, 1, 2, 3]))]
        ids = [draw()[0] for _ in keys]
        if self.chance(0.03):
            ids.pop()
        return [self.spell(b"STREAMS")] + keys + ids

    def stream_ids(self):
        return self.ids_of(self.choose([self.id, lambda: [b"0"], lambda: [b"$"]]))

    def group_ids(self):
        return self.ids_of(lambda: self.choose([[b">"], [b">"], [b">"], [b"0"], self.id()]))

    def xsetid_option(self):
        return [b"ENTRIESADDED"] + self.number() + [b"MAXDELETEDID"] + self.id()

    def group_option(self):
        if self.chance(0.3):
            return [self.spell(b"ENTRIESREAD")] + self.number()
        return self.one_of(b"MKSTREAM", b"MKSTREAM", b"MKSTREAM", b"nope")

    def noack(self):
        return self.one_of(b"NOACK")

    def milliseconds(self):
        return [self.choose([b"1", b"5", b"0", b"-1", b"abc", b"1.5", b"9223372036854775807"])]

    def idle_ms(self):
        return [self.choose([b"0", b"0", b"0", b"1000000", b"1000000000000", b"-1", b"abc"])]

    def idle_option(self):
        return [self.spell(b"IDLE")] + self.idle_ms()

    def claim_option(self):
        if self.chance(0.2):
            return [self.spell(b"IDLE"), self.choose([b"5000000", b"0", b"abc", b"-1"])]
        if self.chance(0.1):
            return [self.spell(b"TIME"), self.choose([b"1000000000000", b"0", b"abc", b"-1"])]
        if self.chance(0.3):
            return [self.spell(b"RETRYCOUNT")] + self.number()
        if self.chance(0.2):
            return [self.spell(b"LASTID")] + self.id()
        return self.one_of(b"FORCE", b"JUSTID")

    def autoclaim_option(self):
        return self.one_of(b"JUSTID") if self.chance(0.5) else self.count_option()
