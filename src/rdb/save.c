#include "rdb/save.h"

#include "base/mem.h"
#include "rdb/crc64.h"
#include "rdb/encode.h"
#include "rdb/format.h"

#include <inttypes.h>
#include <stdio.h>

static void write_aux(struct rdb_writer *w, const char *name, struct bytes content)
{
    rdb_write_byte(w, RDB_AUX);
    rdb_write_text(w, bytes_of(name));
    rdb_write_text(w, content);
}

static void write_aux_number(struct rdb_writer *w, const char *name, int64_t number)
{
    char text[NUMBER_INT_MAX];

    write_aux(w, name, (struct bytes){text, number_format_int(text, number)});
}

static void write_head(struct rdb_writer *w, const struct rdb_saving *s)
{
    char magic[RDB_MAGIC_LEN + 1];

    snprintf(magic, sizeof magic, "REDIS%04d", RDB_VERSION);
    rdb_write_bytes(w, bytes_of(magic));
    write_aux(w, "redis-ver", BYTES(RDB_REDIS_VERSION));
    write_aux_number(w, "redis-bits", 8 * sizeof(void *));
    write_aux_number(w, "ctime", s->time_us / 1000000);
    write_aux_number(w, "used-mem", (int64_t)mem_used());
    write_aux_number(w, "aof-base", 0);
    write_aux_number(w, RDB_AUX_TIME, s->time_us);
}

static void write_key(struct rdb_writer *w, const struct value *v)
{
    if (value_expires_ms(v) != EXPIRES_NEVER) {
        rdb_write_byte(w, RDB_EXPIRES_MS);
        rdb_write_int64(w, value_expires_ms(v));
    }
    rdb_write_byte(w, rdb_type_of(v));
    rdb_write_text(w, value_key(v));
    rdb_encode(w, v);
}

static void write_keyspace(struct rdb_writer *w, const struct rdb_saving *s, unsigned db)
{
    const struct keyspace *keys = s->data->db[db];
    struct table_walk walk = {0};
    const struct value *v;

    rdb_write_byte(w, RDB_SELECT);
    rdb_write_length(w, db);
    rdb_write_byte(w, RDB_RESIZE);
    rdb_write_length(w, keyspace_count(keys));
    rdb_write_length(w, keyspace_count_expiring(keys));
    while (w->error == 0 && (v = keyspace_next(keys, &walk)) != NULL) {
        write_key(w, v);
        if (s->after_key != NULL) {
            s->after_key(s->context);
        }
    }
}

/* The checksum includes all but itself; 0 says that there is none. */
static void write_end(struct rdb_writer *w, const struct rdb_saving *s)
{
    rdb_write_byte(w, RDB_END);
    rdb_flush(w);
    rdb_write_int64(w, s->checks ? (int64_t)w->checksum : 0);
}

int rdb_save(struct rdb_writer *w, const struct rdb_saving *s)
{
    write_head(w, s);
    for (unsigned db = 0; db < s->data->count; db++) {
        if (keyspace_count(s->data->db[db]) > 0) {
            write_keyspace(w, s, db);
        }
    }
    write_end(w, s);
    return rdb_flush(w);
}
