"""Geo. Places that are as far away as each other would come in any order; all are drawn
anew, so that there are none, and no other commands write to their keys. COUNT with ANY
gives whatever is found first."""

KEYS = {}
PLACES = [b"e1", b"e2"]

TABLE = """
8 w   exact   GEOADD geo geoadd_option* place+
2 r   exact   GEOPOS geo member*
2 r   exact   GEODIST geo member member unit?
2 r   exact   GEOHASH geo member*
3 rp  members GEOSEARCH geo center area with_option*
3 rf  exact   GEOSEARCH geo center area order with_option* count_option?
3 wf  exact   GEOSEARCHSTORE zset geo center area order? storedist? count_option?
2 rp  members GEORADIUS_RO geo point radius unit with_option*
2 rf  exact   GEORADIUS_RO geo point radius unit order with_option* count_option?
1 rp  members GEORADIUSBYMEMBER_RO geo member radius unit with_option*
1 rf  exact   GEORADIUSBYMEMBER_RO geo member radius unit order with_option* count_option?
1 wf  exact   GEORADIUS geo point radius unit order with_option* count_option?
2 w   exact   GEORADIUS geo point radius unit store zset count_option?
1 wf  exact   GEORADIUSBYMEMBER geo member radius unit order with_option* count_option?
2 w   exact   GEORADIUSBYMEMBER geo member radius unit store zset count_option?
"""


class Places:
    def geo(self):
        return [self.choose(PLACES)]

    def point(self):
        if self.chance(0.04):
            return [self.choose([b"181", b"abc", b"nan", b"inf", b""]), b"86"]
        if self.chance(0.1):
            longitude, latitude = self.random.uniform(-180, 180), self.random.uniform(-85, 85)
            return [b"%.6f" % longitude, b"%.6f" % latitude]
        return [b"%.9f" % self.random.gauss(13, 1), b"%.9f" % self.random.gauss(38, 1)]

    def place(self):
        return self.point() + self.member()

    def unit(self):
        return self.one_of(b"m", b"km", b"ft", b"mi", b"km", b"nope")

    def radius(self):
        if self.chance(0.05):
            return [self.choose([b"-1", b"abc", b"0", b"nan", b"inf", b""])]
        return [b"%d" % self.choose([1, 50, 100, 200, 1000, 30000])]

    def center(self):
        if self.chance(0.4):
            return [self.spell(b"FROMMEMBER")] + self.member()
        return [self.spell(b"FROMLONLAT")] + self.point()

    def area(self):
        if self.chance(0.5):
            return [self.spell(b"BYRADIUS")] + self.radius() + self.unit()
        return [self.spell(b"BYBOX")] + self.radius() + self.radius() + self.unit()

    def order(self):
        return self.one_of(b"ASC", b"DESC")

    def with_option(self):
        return self.one_of(b"WITHCOORD", b"WITHDIST", b"WITHHASH")

    def store(self):
        return self.one_of(b"STORE", b"STOREDIST")

    def storedist(self):
        return self.one_of(b"STOREDIST")

    def geoadd_option(self):
        return self.one_of(b"NX", b"XX", b"CH")
