"""Sorted sets. Ranges by lexicographical order mean nothing where scores differ, and
what Redis makes of them then is left to chance: they have keys of their own."""

KEYS = {"zset": [b"z1", b"z2", b"z3", b"z4"]}
EQUAL_SCORES = [b"x1", b"x2"]

TABLE = """
10 w  exact   ZADD zset zadd_option* score_member+
2 w   exact   ZADD zset score_member+
1 w   exact   ZADD zset many_score_members
4 w   exact   ZINCRBY zset score member
2 r   exact   ZCARD zset
2 r   exact   ZCOUNT zset score_bound score_bound
4 w   exact   ZREM zset member+
3 r   exact   ZSCORE zset member
2 r   exact   ZMSCORE zset member+
2 rf  exact   ZRANK zset member
2 rf  exact   ZREVRANK zset member
5 r   exact   ZRANGE zset index index zrange_option*
3 r   exact   ZRANGE zset score_bound score_bound BYSCORE zrange_option*
2 r   exact   ZREVRANGE zset index index withscores?
3 r   exact   ZRANGEBYSCORE zset score_bound score_bound byscore_option*
3 r   exact   ZREVRANGEBYSCORE zset score_bound score_bound byscore_option*
2 w   exact   ZRANGESTORE zset zset index index reverse?
2 w   exact   ZRANGESTORE zset zset score_bound score_bound BYSCORE zrangestore_option*
1 w   exact   ZREMRANGEBYRANK zset index index
1 w   exact   ZREMRANGEBYSCORE zset score_bound score_bound
2 w   exact   ZPOPMIN zset pop_count?
2 w   exact   ZPOPMAX zset pop_count?
2 w   exact   ZMPOP zset_count extreme count_option?
2 r   exact   ZUNION zset_count weigh_option* withscores?
2 r   exact   ZINTER zset_count weigh_option* withscores?
2 r   exact   ZDIFF zset_count withscores?
2 r   exact   ZINTERCARD zset_count limit_option*
2 w   exact   ZUNIONSTORE zset zset_count weigh_option*
2 w   exact   ZINTERSTORE zset zset_count weigh_option*
2 w   exact   ZDIFFSTORE zset zset_count
3 r   pick    ZRANDMEMBER zset pick_count?
2 r   pick    ZRANDMEMBER zset pick_count WITHSCORES
2 rp  scanned-pairs ZSCAN zset 0 whole_option* COUNT 100000
1 rp  shape   ZSCAN zset cursor scan_option*
1 wb  exact   BZPOPMIN zset+ timeout
1 wb  exact   BZPOPMAX zset+ timeout
1 wb  exact   BZMPOP timeout zset_count extreme count_option?

4 wf  exact   ZADD lex_zset zero_member+
1 wf  exact   ZREM lex_zset member+
2 rf  exact   ZRANGE lex_zset lex_bound lex_bound BYLEX lex_option*
2 rf  exact   ZRANGEBYLEX lex_zset lex_bound lex_bound range_limit?
2 rf  exact   ZREVRANGEBYLEX lex_zset lex_bound lex_bound range_limit?
2 rf  exact   ZLEXCOUNT lex_zset lex_bound lex_bound
1 wf  exact   ZREMRANGEBYLEX lex_zset lex_bound lex_bound
1 wf  exact   ZRANGESTORE lex_zset lex_zset lex_bound lex_bound BYLEX lex_option*
"""


class SortedSets:
    def zset(self):
        return self.key_of("zset")

    def lex_zset(self):
        return [self.choose(EQUAL_SCORES)]

    def zset_or_set(self):
        return self.key_of("set") if self.chance(0.2) else self.zset()

    def zset_count(self):
        return self.counted(self.zset_or_set)

    def score(self):
        pick = self.random.random()
        if pick < 0.5:
            return [b"%d" % self.between(-5, 10)]
        if pick < 0.7:
            return [self.choose([b"inf", b"-inf", b"+inf", b"-0", b"0", b"1.5", b"0.1", b"0.2"])]
        return self.float()

    def score_member(self):
        return self.score() + self.member()

    def many_score_members(self):
        start, args = self.between(0, 100), []
        for i in range(start, start + self.between(100, 140)):
            args += [b"%d" % (i % 50), b"%d" % i]
        return args

    def zero_member(self):
        return [b"0"] + self.member()

    def score_bound(self):
        if self.chance(0.1):
            return [self.choose([b"(", b"((1", b"(abc", b"(nan", b"[1", b"( 1", b"(-inf", b"(inf"])]
        return [self.choose([b"", b"", b"("]) + self.score()[0]]

    def lex_bound(self):
        if self.chance(0.2):
            return [self.choose([b"-", b"+"])]
        if self.chance(0.05):
            return [self.choose([b"a", b"", b"--", b"+a", b"-inf"])]
        return [self.choose([b"[", b"("]) + self.member()[0]]

    def withscores(self):
        return self.one_of(b"WITHSCORES", b"WITHSCORES", b"WITHSCORES", b"nope")

    def reverse(self):
        return self.one_of(b"REV", b"REV", b"WITHSCORES")

    def range_limit(self):
        return [self.spell(b"LIMIT")] + self.index() + self.index()

    def zrange_option(self):
        return self.choose([self.withscores, self.withscores, self.reverse, self.range_limit])()

    def zrangestore_option(self):
        return self.choose([self.reverse, self.range_limit])()

    def byscore_option(self):
        return self.choose([self.withscores, self.range_limit])()

    def lex_option(self):
        return self.choose([self.reverse, self.range_limit])()

    def zadd_option(self):
        return self.one_of(b"NX", b"XX", b"GT", b"LT", b"CH", b"CH", b"INCR")

    def extreme(self):
        return self.one_of(b"MIN", b"MAX", b"MIN", b"MAX", b"nope")

    def weigh_option(self):
        if self.chance(0.5):
            return [self.spell(b"AGGREGATE")] + self.one_of(b"SUM", b"MIN", b"MAX", b"MIN", b"nope")
        weights = [self.spell(b"WEIGHTS")]
        for _ in range(self.choose([1, 2, 2, 2, 3])):
            weights += self.score()
        return weights
