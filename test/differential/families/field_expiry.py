"""Hashes whose fields expire, as since Redis 7.4."""

KEYS = {}

TABLE = """
3 wt  exact   HEXPIRE hash future_s expire_option? fields
2 wt  exact   HPEXPIRE hash future_ms expire_option? fields
1 wt  exact   HEXPIREAT hash moment_s expire_option? fields
1 wt  exact   HPEXPIREAT hash moment_ms expire_option? fields
2 w   exact   HPERSIST hash fields
1 rp  shape   HTTL hash fields
1 rp  shape   HPTTL hash fields
1 rp  shape   HEXPIRETIME hash fields
1 rp  shape   HPEXPIRETIME hash fields
"""


class FieldExpiry:
    def fields(self):
        return [self.spell(b"FIELDS")] + self.counted(self.field)
