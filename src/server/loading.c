#include "server/loading.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/sha1.h"
#include "server/server.h"
#include "store/journal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SERVE_EACH_US = 5 * 1000,
    LOG_EACH_US = 2 * 1000 * 1000,
};

/* Reading. */

/* Values wait for some more, so that the cache misses of their keys overlap. */
struct reading {
    struct dataset *into;
    struct journal journal;
    const struct loading_watch *watch;
    struct value *waiting[TABLE_PREFETCH];
    size_t count;
    unsigned db; /* Theirs. */
};

static bool put(struct reading *r, struct value *v)
{
    if (keyspace_find_any(r->into->db[r->db], value_key(v)) != NULL) {
        value_free(v);
        return false;
    }
    journal_make(&r->journal, change_bind(r->db, v));
    if (r->watch != NULL) {
        r->watch->after_key(r->watch->context);
    }
    return true;
}

/* Returns false if the key of one of them is there already. */
static bool put_waiting(struct reading *r)
{
    struct bytes keys[TABLE_PREFETCH];
    bool fine = true;

    for (size_t i = 0; i < r->count; i++) {
        keys[i] = value_key(r->waiting[i]);
    }
    keyspace_prefetch(r->into->db[r->db], keys, r->count);
    for (size_t i = 0; i < r->count; i++) {
        fine &= put(r, r->waiting[i]);
    }
    r->count = 0;
    return fine;
}

static bool take(struct value *v, unsigned db, void *context)
{
    struct reading *r = context;
    bool fine = true;

    if (r->count == TABLE_PREFETCH || r->db != db) {
        fine = put_waiting(r);
    }
    r->db = db;
    r->waiting[r->count++] = v;
    return fine;
}

static bool take_library(struct bytes text, void *context)
{
    struct reading *r = context;
    struct bytes name;

    if (!script_library_name(text, &name) ||
        texts_find(r->into->texts[TEXT_LIBRARY], name) != NULL) {
        return false;
    }
    journal_make(&r->journal, change_text_put(TEXT_LIBRARY, text_new(name, text)));
    return true;
}

static void take_script(struct bytes text, void *context)
{
    struct reading *r = context;
    char sha[SHA1_HEX + 1];

    sha1_hex(text, sha);
    journal_make(&r->journal,
                 change_text_put(TEXT_SCRIPT, text_new((struct bytes){sha, SHA1_HEX}, text)));
}

static void tell_progress(size_t read, size_t total, void *context)
{
    struct reading *r = context;

    if (r->watch != NULL) {
        r->watch->progress(r->watch->context, read, total);
    }
}

bool loading_read(const char *path, int64_t now_ms, struct dataset *into,
                  const struct value_limits *limits, const struct loading_watch *watch,
                  struct rdb_loaded *loaded, struct buf *error)
{
    struct reading r = {.into = into, .journal = {.data = into}, .watch = watch};
    struct rdb_loading loading = {.databases = into->count,
                                  .now_ms = now_ms,
                                  .limits = limits,
                                  .take = take,
                                  .take_library = take_library,
                                  .take_script = take_script,
                                  .progress = tell_progress,
                                  .context = &r};
    bool fine = rdb_load_file(path, &loading, loaded, error) == 0;

    if (!put_waiting(&r) && fine) {
        buf_addf(error, "a key is there twice");
        fine = false;
    }
    journal_clear(&r.journal);
    return fine;
}

/* What the server is to have. */

/* What is on the disk stays as it is, so there is nothing to wait for. */
static void end_if_told(struct server *s)
{
    if (s->engine->stop) {
        log_write(LOG_NOTICE, "Moonlatch has stopped, while it was loading");
        _exit(EXIT_SUCCESS);
    }
}

static void serve(struct server *s, int64_t now_us)
{
    struct loading *l = &s->loading;
    const struct door *door = &s->engine->door;

    end_if_told(s);
    if (now_us - l->served_us >= SERVE_EACH_US) {
        door->serve(door->context);
        l->served_us = clock_monotonic_us();
    }
}

static unsigned percents(const struct loading *l)
{
    return l->total > 0 ? (unsigned)(100.0 * (double)l->read / (double)l->total) : 100;
}

static void progress(void *context, size_t read, size_t total)
{
    struct server *s = context;
    struct loading *l = &s->loading;
    int64_t now_us = clock_monotonic_us();

    l->read = read;
    l->total = total;
    serve(s, now_us);
    if (now_us - l->logged_us >= LOG_EACH_US) {
        log_write(LOG_NOTICE, "Loading: %u %% of %zu MB", percents(l), total >> 20);
        l->logged_us = now_us;
    }
}

/* key-load-delay: makes it slow, so that tests can meet it. */
static void after_key(void *context)
{
    struct server *s = context;

    if (s->settings.key_load_delay_us > 0) {
        usleep((useconds_t)s->settings.key_load_delay_us);
        progress(s, s->loading.read, s->loading.total);
    }
}

bool loading_read_all(struct server *s, const char *path, int64_t now_ms, struct rdb_loaded *loaded,
                      struct buf *error)
{
    struct loading_watch watch = {progress, after_key, s};
    struct dataset *data = s->engine->data;
    int64_t start_us = clock_monotonic_us();
    struct stat status = {0};
    bool fine;

    stat(path, &status); /* Whether it is there, the reader says. */
    s->loading = (struct loading){.is_on = true,
                                  .total = (size_t)status.st_size,
                                  .started_s = clock_wall_us() / 1000000,
                                  .served_us = start_us,
                                  .logged_us = start_us};
    fine = loading_read(path, now_ms, data, &data->limits, &watch, loaded, error);
    s->loading.is_on = false;
    s->persist.loaded_keys = loaded->keys;
    s->persist.loaded_expired = loaded->expired;
    if (fine) {
        log_write(LOG_NOTICE, "%zu keys loaded, %zu had expired: %.3f seconds", loaded->keys,
                  loaded->expired, (double)(clock_monotonic_us() - start_us) / 1e6);
    }
    if (loaded->empty > 0) {
        log_write(LOG_WARNING, "%zu collections without elements were left out", loaded->empty);
    }
    return fine;
}

/* As Redis reckons it: in whole seconds. */
static int64_t seconds_left(const struct loading *l)
{
    int64_t passed_s = clock_wall_us() / 1000000 - l->started_s;

    if (passed_s <= 0) {
        return 1;
    }
    return (int64_t)((double)passed_s * (double)(l->total - l->read) / (double)(l->read + 1));
}

void loading_info(const struct server *s, struct buf *out)
{
    const struct loading *l = &s->loading;

    if (!l->is_on) {
        return;
    }
    buf_addf(out, "loading_start_time:%" PRId64 "\r\nloading_total_bytes:%zu\r\n", l->started_s,
             l->total);
    buf_addf(out, "loading_rdb_used_mem:0\r\nloading_loaded_bytes:%zu\r\n", l->read);
    buf_addf(out, "loading_loaded_perc:%.2f\r\nloading_eta_seconds:%" PRId64 "\r\n",
             l->total > 0 ? 100 * (double)l->read / (double)l->total : 0, seconds_left(l));
}
