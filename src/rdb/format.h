/* The numbers of the RDB format, as Redis 2.8 to 7.4 write it. */
#ifndef RDB_FORMAT_H
#define RDB_FORMAT_H

enum {
    RDB_VERSION = 10,          /* What we write: the newest that Redis 7.0 reads. */
    RDB_VERSION_EXPIRING = 12, /* What we write if fields of a hash expire: Redis 7.4 reads it. */
    RDB_VERSION_READ = 12,     /* The newest that we read: that of Redis 7.4. */
    RDB_MAGIC_LEN = 9,         /* "REDIS0010" */
    RDB_CHECKSUM_SINCE = 5,    /* Files of older versions end without one. */
};

/* What the auxiliary fields of a file say: whose it could be, and, in a field that
 * only we know, the log time in microseconds. */
#define RDB_REDIS_VERSION "7.0.15"
#define RDB_AUX_TIME      "moonlatch-time"
#define RDB_AUX_SCRIPT    "lua" /* A script, as versions before 7.0 wrote them. */

/* What a length begins with: its upper two bits, or all eight. */
enum rdb_length {
    RDB_LENGTH_6 = 0,
    RDB_LENGTH_14 = 1,
    RDB_LENGTH_SPECIAL = 3, /* No length, but how a string is written. */
    RDB_LENGTH_32 = 0x80,
    RDB_LENGTH_64 = 0x81,
};

enum rdb_special {
    RDB_SPECIAL_INT8,
    RDB_SPECIAL_INT16,
    RDB_SPECIAL_INT32,
    RDB_SPECIAL_LZF,
};

enum rdb_type {
    RDB_STRING = 0,
    RDB_LIST = 1,
    RDB_SET = 2,
    RDB_ZSET = 3, /* Scores as text. */
    RDB_HASH = 4,
    RDB_ZSET_2 = 5, /* Scores as doubles. */
    RDB_MODULE = 6,
    RDB_MODULE_2 = 7,
    RDB_HASH_ZIPMAP = 9,
    RDB_LIST_ZIPLIST = 10,
    RDB_SET_INTSET = 11,
    RDB_ZSET_ZIPLIST = 12,
    RDB_HASH_ZIPLIST = 13,
    RDB_LIST_QUICKLIST = 14, /* Of ziplists. */
    RDB_STREAM = 15,
    RDB_HASH_LISTPACK = 16,
    RDB_ZSET_LISTPACK = 17,
    RDB_LIST_QUICKLIST_2 = 18, /* Of listpacks and single elements. */
    RDB_STREAM_2 = 19,         /* With entries-added and -read, and the first and deleted ids. */
    RDB_SET_LISTPACK = 20,
    RDB_STREAM_3 = 21,         /* With when consumers were active. */
    RDB_HASH_EXPIRING_RC = 22, /* As release candidates of Redis 7.4 wrote the next two. */
    RDB_HASH_EXPIRING_PACK_RC = 23,
    RDB_HASH_EXPIRING = 24, /* With when fields expire. */
    RDB_HASH_EXPIRING_PACK = 25,
    RDB_TYPE_END,
};

enum rdb_opcode {
    RDB_SLOT_INFO = 244,
    RDB_FUNCTION = 245,
    RDB_FUNCTION_RC = 246, /* As release candidates of Redis 7.0 wrote it. */
    RDB_MODULE_AUX = 247,
    RDB_IDLE = 248,
    RDB_FREQ = 249,
    RDB_AUX = 250,
    RDB_RESIZE = 251,
    RDB_EXPIRES_MS = 252,
    RDB_EXPIRES_S = 253,
    RDB_SELECT = 254,
    RDB_END = 255,
};

/* A node of RDB_LIST_QUICKLIST_2. */
enum { RDB_NODE_PLAIN = 1, RDB_NODE_PACKED = 2 };

#endif
