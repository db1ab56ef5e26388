#include "rdb/save.h"

#include "base/mem.h"
#include "rdb/crc64.h"
#include "rdb/encode.h"
#include "rdb/format.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

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

/* What only newer versions of Redis have is rare, and the others shall read the rest. */
static int version_for(const struct dataset *data)
{
    int version = RDB_VERSION;
    const struct value *v;

    for (unsigned db = 0; db < data->count; db++) {
        struct table_walk walk = {0};
        while ((v = keyspace_next(data->db[db], &walk)) != NULL) {
            int needed = rdb_version_for(v);
            version = needed > version ? needed : version;
        }
    }
    return version;
}

static void write_head(struct rdb_writer *w, const struct rdb_saving *s)
{
    BUF_LOCAL(magic);

    buf_addf(&magic, "REDIS%04d", version_for(s->data));
    rdb_write_bytes(w, buf_bytes(&magic));
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

static void write_texts(struct rdb_writer *w, const struct dataset *data)
{
    struct table_walk libraries = {0}, scripts = {0};
    const struct text *text;

    while ((text = texts_next(data->texts[TEXT_LIBRARY], &libraries)) != NULL) {
        rdb_write_byte(w, RDB_FUNCTION);
        rdb_write_text(w, text_content(text));
    }
    while ((text = texts_next(data->texts[TEXT_SCRIPT], &scripts)) != NULL) {
        write_aux(w, RDB_AUX_SCRIPT, text_content(text));
    }
}

int rdb_save(struct rdb_writer *w, const struct rdb_saving *s)
{
    write_head(w, s);
    write_texts(w, s->data);
    for (unsigned db = 0; db < s->data->count; db++) {
        if (keyspace_count(s->data->db[db]) > 0) {
            write_keyspace(w, s, db);
        }
    }
    write_end(w, s);
    return rdb_flush(w);
}

/* The file on disk. */

static int write_file(int fd, const struct rdb_saving *s)
{
    RDB_WRITER_LOCAL(w) = {.file = fd, .compresses = s->compresses};
    int err = rdb_save(&w, s);

    return err == 0 && fsync(fd) != 0 ? -errno : err;
}

/* A new name is on the disk when its directory is. */
static int sync_directory_of(const char *path)
{
    char copy[PATH_MAX];
    int fd, err;

    snprintf(copy, sizeof copy, "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    err = fsync(fd) != 0 ? -errno : 0;
    close(fd);
    return err;
}

int rdb_save_file(const char *path, const struct rdb_saving *s)
{
    char written[PATH_MAX];
    int fd, err;

    if (snprintf(written, sizeof written, "%s.saving", path) >= (int)sizeof written) {
        return -ENAMETOOLONG;
    }
    fd = open(written, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -errno;
    }
    err = write_file(fd, s);
    close(fd);
    if (err == 0 && rename(written, path) != 0) {
        err = -errno;
    }
    if (err != 0) {
        unlink(written);
        return err;
    }
    return sync_directory_of(path);
}
