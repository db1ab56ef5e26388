"""Lists."""

KEYS = {"list": [b"l1", b"l2", b"l3", b"l4"]}

TABLE = """
6 w   exact   LPUSH list element+
6 w   exact   RPUSH list element+
1 w   exact   RPUSH list many_elements
2 w   exact   LPUSHX list element+
2 w   exact   RPUSHX list element+
4 w   exact   LPOP list pop_count?
4 w   exact   RPOP list pop_count?
2 r   exact   LLEN list
3 r   exact   LINDEX list index
5 r   exact   LRANGE list index index
3 w   exact   LSET list index element
3 w   exact   LINSERT list side element element
3 w   exact   LREM list index element
2 w   exact   LTRIM list index index
3 w   exact   LMOVE list list end end
2 w   exact   RPOPLPUSH list list
2 w   exact   LMPOP list_count end count_option?
3 r   exact   LPOS list element lpos_option*
1 wb  exact   BLPOP list+ timeout
1 wb  exact   BRPOP list+ timeout
1 wb  exact   BLMOVE list list end end timeout
1 wb  exact   BRPOPLPUSH list list timeout
1 wb  exact   BLMPOP timeout list_count end count_option?
"""


class Lists:
    def list(self):
        return self.key_of("list")

    def list_count(self):
        return self.counted(self.list)

    def element(self):
        return self.member()

    def many_elements(self):
        start = self.between(0, 100)
        return [b"%d" % i for i in range(start, start + self.between(100, 160))]

    def pop_count(self):
        if self.chance(0.8):
            return [b"%d" % self.between(0, 4)]
        return self.integer()

    def side(self):
        return self.one_of(b"BEFORE", b"AFTER", b"BEFORE", b"AFTER", b"nope")

    def end(self):
        return self.one_of(b"LEFT", b"RIGHT", b"LEFT", b"RIGHT", b"nope")

    def lpos_option(self):
        word = self.choose([b"RANK", b"COUNT", b"MAXLEN"])
        number = self.index()
        if number == [b"-9223372036854775808"]:  # Redis negates it, and has the same again.
            number = [b"-9223372036854775807"]
        return [self.spell(word)] + number if self.chance(0.95) else [word]
