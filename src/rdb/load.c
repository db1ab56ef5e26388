#include "rdb/load.h"

#include "rdb/crc64.h"
#include "rdb/decode.h"
#include "rdb/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct load {
    struct rdb_reader r;
    const struct rdb_loading *to;
    struct rdb_loaded *loaded;
    int version;
    uint64_t db;
    int64_t expires_ms;    /* Of the next key. */
    const char *told_to;   /* What of the progress. */
    const char *summed_to; /* Up to there, */
    uint64_t checksum;     /* the checksum is this. */
    char refused[96];      /* A problem that is not the same each time. */
};

/* The checksum is taken while the bytes are still in the cache. */
static void sum_up(struct load *l)
{
    l->checksum =
        crc64(l->checksum, (struct bytes){l->summed_to, (size_t)(l->r.at - l->summed_to)});
    l->summed_to = l->r.at;
}

__attribute__((format(printf, 2, 3))) static bool refuse(struct load *l, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(l->refused, sizeof l->refused, format, args);
    va_end(args);
    return rdb_refuse(&l->r, l->refused);
}

static bool read_head(struct load *l)
{
    struct bytes magic;
    int64_t version;

    if (!rdb_read_bytes(&l->r, RDB_MAGIC_LEN, &magic)) {
        return false;
    }
    if (memcmp(magic.at, "REDIS", 5) != 0) {
        return rdb_refuse(&l->r, "it does not begin as an RDB file does");
    }
    version = 0;
    for (size_t i = 5; i < RDB_MAGIC_LEN; i++) {
        if (magic.at[i] < '0' || magic.at[i] > '9') {
            return rdb_refuse(&l->r, "it does not begin as an RDB file does");
        }
        version = version * 10 + (magic.at[i] - '0');
    }
    if (version < 1 || version > RDB_VERSION_READ) {
        return refuse(l, "its version is %d; this server reads versions 1 to %d", (int)version,
                      RDB_VERSION_READ);
    }
    l->version = (int)version;
    return true;
}

/* What may come between keys. */

static bool read_select(struct load *l)
{
    uint64_t db;

    if (!rdb_read_length(&l->r, &db)) {
        return false;
    }
    if (db >= l->to->databases) {
        return refuse(l, "it has a database %llu, but the option databases is %u",
                      (unsigned long long)db, l->to->databases);
    }
    l->db = db;
    return true;
}

static bool skip_lengths(struct load *l, int count)
{
    uint64_t length;

    for (; count > 0; count--) {
        if (!rdb_read_length(&l->r, &length)) {
            return false;
        }
    }
    return true;
}

/* How many keys there are is not needed to make room for them. */
static bool skip_sizes(struct load *l)
{
    return skip_lengths(l, 2);
}

static bool skip_slot(struct load *l)
{
    return skip_lengths(l, 3);
}

static bool skip_idle(struct load *l)
{
    return skip_lengths(l, 1);
}

static bool skip_frequency(struct load *l)
{
    uint8_t frequency;

    return rdb_read_byte(&l->r, &frequency);
}

/* A time before 1970 has passed, as that has: EXPIRES_NEVER must not come of it. */
static bool expires_at(struct load *l, int64_t ms)
{
    l->expires_ms = ms < 0 ? 0 : ms;
    return true;
}

static bool read_expires_s(struct load *l)
{
    int32_t seconds;

    return rdb_read_int32(&l->r, &seconds) && expires_at(l, (int64_t)seconds * 1000);
}

static bool read_expires_ms(struct load *l)
{
    int64_t ms;

    return rdb_read_int64(&l->r, &ms) && expires_at(l, ms);
}

static bool read_aux(struct load *l)
{
    RDB_TEXT_LOCAL(name);
    RDB_TEXT_LOCAL(content);
    int64_t number;

    if (!rdb_read_text(&l->r, &name) || !rdb_read_text(&l->r, &content)) {
        return false;
    }
    if (bytes_is(name.bytes, RDB_AUX_TIME) && number_parse_int(content.bytes, &number)) {
        l->loaded->time_us = number;
    } else if (bytes_is(name.bytes, RDB_AUX_SCRIPT) && l->to->take_script != NULL) {
        l->to->take_script(content.bytes, l->to->context);
    }
    return true;
}

static bool read_library(struct load *l)
{
    RDB_TEXT_LOCAL(text);

    if (!rdb_read_text(&l->r, &text)) {
        return false;
    }
    if (l->to->take_library == NULL) {
        l->loaded->libraries_left_out++;
        return true;
    }
    return l->to->take_library(text.bytes, l->to->context) ||
           rdb_refuse(&l->r, "a library of functions cannot be loaded");
}

static bool refuse_old_library(struct load *l)
{
    return rdb_refuse(&l->r, "it has functions as release candidates of Redis 7.0 wrote them");
}

/* What a module has kept beside its values: a name, and numbers and strings, each
 * behind what it is. */
static bool skip_module(struct load *l)
{
    enum { END, SIGNED, UNSIGNED, FLOAT, DOUBLE, STRING };
    RDB_TEXT_LOCAL(text);
    struct bytes raw;
    uint64_t kind;

    if (!skip_lengths(l, 1)) {
        return false;
    }
    for (;;) {
        if (!rdb_read_length(&l->r, &kind)) {
            return false;
        }
        switch (kind) {
        case END:
            return true;
        case SIGNED:
        case UNSIGNED:
            if (!skip_lengths(l, 1)) {
                return false;
            }
            break;
        case FLOAT:
        case DOUBLE:
            if (!rdb_read_bytes(&l->r, kind == FLOAT ? sizeof(float) : sizeof(double), &raw)) {
                return false;
            }
            break;
        case STRING:
            if (!rdb_read_text(&l->r, &text)) {
                return false;
            }
            break;
        default:
            return rdb_refuse(&l->r, "what a module has written is damaged");
        }
    }
}

static bool (*const between_keys[])(struct load *l) = {
    [RDB_SLOT_INFO] = skip_slot,
    [RDB_FUNCTION] = read_library,
    [RDB_FUNCTION_RC] = refuse_old_library,
    [RDB_MODULE_AUX] = skip_module,
    [RDB_IDLE] = skip_idle,
    [RDB_FREQ] = skip_frequency,
    [RDB_AUX] = read_aux,
    [RDB_RESIZE] = skip_sizes,
    [RDB_EXPIRES_MS] = read_expires_ms,
    [RDB_EXPIRES_S] = read_expires_s,
    [RDB_SELECT] = read_select,
};

/* Keys. */

static bool take(struct load *l, struct value *v)
{
    if (value_has_expired(v, l->to->now_ms)) {
        value_free(v);
        l->loaded->expired++;
        return true;
    }
    if (!l->to->take(v, (unsigned)l->db, l->to->context)) {
        return rdb_refuse(&l->r, "a key is there already");
    }
    l->loaded->keys++;
    return true;
}

static bool read_key(struct load *l, uint8_t type)
{
    RDB_TEXT_LOCAL(key);
    struct rdb_target to = {.expires_ms = l->expires_ms, .limits = l->to->limits};
    struct value *v;

    l->expires_ms = EXPIRES_NEVER;
    if (!rdb_read_text(&l->r, &key)) {
        return false;
    }
    to.key = key.bytes;
    v = rdb_decode(&l->r, type, &to);
    if (v != NULL) {
        return take(l, v);
    }
    if (l->r.problem != rdb_empty) {
        return false;
    }
    l->r.problem = NULL;
    l->loaded->empty++;
    return true;
}

/* The file. */

static bool read_checksum(struct load *l)
{
    int64_t checksum;

    if (l->version >= RDB_CHECKSUM_SINCE) {
        if (!rdb_read_int64(&l->r, &checksum)) {
            return false;
        }
        if (checksum != 0 && (uint64_t)checksum != l->checksum) {
            return rdb_refuse(&l->r, "its checksum is wrong: some byte of it has changed");
        }
    }
    return rdb_left(&l->r) == 0 || rdb_refuse(&l->r, "there is something behind its end");
}

static void tell_progress(struct load *l)
{
    enum { EACH = 256 * 1024 };

    if (l->to->progress != NULL && l->r.at - l->told_to >= EACH) {
        l->told_to = l->r.at;
        l->to->progress((size_t)(l->r.at - l->r.start), (size_t)(l->r.end - l->r.start),
                        l->to->context);
    }
}

static bool read_all(struct load *l)
{
    uint8_t what;
    bool fine = read_head(l);

    while (fine && rdb_read_byte(&l->r, &what)) {
        if (what == RDB_END) {
            sum_up(l);
            return read_checksum(l);
        }
        fine = what < RDB_SLOT_INFO ? read_key(l, what) : between_keys[what](l);
        sum_up(l);
        tell_progress(l);
    }
    return false;
}

bool rdb_load(struct bytes file, const struct rdb_loading *to, struct rdb_loaded *loaded,
              struct buf *error)
{
    struct load l = {.r = rdb_reader_of(file),
                     .to = to,
                     .loaded = loaded,
                     .expires_ms = EXPIRES_NEVER,
                     .told_to = file.at,
                     .summed_to = file.at};

    *loaded = (struct rdb_loaded){0};
    if (!read_all(&l)) {
        buf_addf(error, "%s, at byte %zu of %zu", l.r.problem, (size_t)(l.r.at - l.r.start),
                 file.len);
        return false;
    }
    return true;
}

/* Maps a file, whose pages the system may then take away again. */
static int map_file(int fd, struct bytes *file)
{
    struct stat stat;
    void *at;

    if (fstat(fd, &stat) != 0) {
        return -errno;
    }
    if (!S_ISREG(stat.st_mode)) {
        return -EINVAL;
    }
    if (stat.st_size == 0) {
        *file = (struct bytes){0};
        return 0;
    }
    at = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) {
        return -errno;
    }
    madvise(at, (size_t)stat.st_size, MADV_SEQUENTIAL);
    *file = (struct bytes){at, (size_t)stat.st_size};
    return 0;
}

int rdb_load_file(const char *path, const struct rdb_loading *to, struct rdb_loaded *loaded,
                  struct buf *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 ? -errno : 0;
    struct bytes file;

    if (err == 0) {
        err = map_file(fd, &file);
        close(fd);
    }
    if (err != 0) {
        buf_addf(error, "%s", strerror(-err));
        return err;
    }
    if (!rdb_load(file, to, loaded, error)) {
        err = -EBADMSG;
    }
    if (file.len > 0) {
        munmap((void *)file.at, file.len);
    }
    return err;
}
