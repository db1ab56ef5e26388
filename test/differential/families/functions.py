"""Libraries of functions. None of them fails after it has written: Redis would keep that."""

KEYS = {}

TABLE = """
3 wp  exact   FUNCTION LOAD function_replace? library
1 wp  exact   FUNCTION DELETE library_name
1 wp  exact   FUNCTION FLUSH flush_option?
1 wp  exact   FUNCTION RESTORE function_dump function_policy?
1 rp  shape   FUNCTION LIST
4 wp  exact   FCALL function one_key value
2 rp  exact   FCALL_RO reading_function one_key value
"""

LIBRARIES = [
    b"#!lua name=one\n"
    b"redis.register_function('put', function(keys, args)\n"
    b"  return redis.pcall('SET', keys[1], args[1]) end)\n"
    b"redis.register_function{function_name='look', flags={'no-writes'},\n"
    b"  callback=function(keys, args) return redis.pcall('TYPE', keys[1]) end}\n",
    b"#!lua name=two\n"
    b"redis.register_function('add', function(keys, args)\n"
    b"  return redis.pcall('SADD', keys[1], args[1]) end)\n",
    b"#!lua name=two\nredis.register_function('put', function(keys, args) return 1 end)\n",
    b"#!lua name=bad\nredis.register_function('worse', 1)\n",
    b"#!lua name=bad\nreturn 1\n", b"#!lua\nreturn 1", b"#!lua name=x y=z\n", b"nothing", b"",
]
DUMPED = (b"\xf5\xc3@S@X\x1f#!lua name=dumped\nredis.register\x0f_function('d1', \xe0\x00\x0e\x11"
          b"keys, args) return`\x0c\x07[1] end)\n\x00\x04:\x96Gc\xd6\x14\xee")


class Functions:
    def library(self):
        return [self.choose(LIBRARIES[:2] * 4 + LIBRARIES)]

    def library_name(self):
        return [self.choose([b"one", b"two", b"dumped", b"bad", b""])]

    def function(self):
        return [self.choose([b"put", b"add", b"look", b"d1", b"nope", b""])]

    def reading_function(self):
        return [self.choose([b"look", b"look", b"put", b"d1", b"nope"])]

    def one_key(self):
        return [b"1"] + self.key()

    def function_replace(self):
        return self.one_of(b"REPLACE", b"REPLACE", b"REPLACE", b"nope")

    def function_policy(self):
        return self.one_of(b"APPEND", b"REPLACE", b"REPLACE", b"FLUSH", b"nope")

    def function_dump(self):
        return [self.choose([DUMPED, DUMPED, DUMPED[:-1] + b"x", b""])]
