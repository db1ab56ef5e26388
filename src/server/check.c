#include "server/check.h"

#include "base/clock.h"
#include "rdb/save.h"
#include "replica/inspect.h"
#include "server/loading.h"
#include "store/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

struct check {
    const struct settings *settings;
    char dir[PATH_MAX];
    struct inspection found;
    struct dataset *data;
    char problem[256];
};

/* What is found in the log becomes data. */

static const char *read_snapshot(void *context, const char *path, const struct manifest *m)
{
    struct check *c = context;
    struct rdb_loaded loaded;
    BUF_LOCAL(error);

    (void)m;
    if (loading_read(path, 0, c->data, &c->data->limits, NULL, &loaded, &error)) {
        return NULL;
    }
    bytes_to_string(buf_bytes(&error), c->problem, sizeof c->problem);
    return c->problem;
}

static const char *make_turn(void *context, const struct applied *turn, const struct position *at)
{
    struct check *c = context;

    (void)at;
    return journal_replay(c->data, turn->changes) ? NULL : "its changes cannot be read";
}

/* The directory of the log is that which was given, or one in it. */
static void choose_dir(struct check *c, const char *dir)
{
    char name[NAME_MAX + 1];

    bytes_to_string(buf_bytes(&c->settings->raft.dir), name, sizeof name);
    snprintf(c->dir, sizeof c->dir, "%s/%s", dir, name);
    if (access(c->dir, F_OK) != 0) {
        snprintf(c->dir, sizeof c->dir, "%s", dir);
    }
}

/* Printing. */

static void print_snapshot(const struct inspection *f)
{
    char name[MANIFEST_NAME];

    if (!f->has_snapshot) {
        printf("snapshot   none\n");
        return;
    }
    manifest_name(f->manifest.at.index, name);
    printf("snapshot   up to entry %llu, '%s', %" PRIu64 " bytes\n", f->snapshot.index, name,
           f->manifest.size);
}

static void print_log(const struct inspection *f)
{
    if (f->first > f->last) {
        printf("log        no entries\n");
    } else {
        printf("log        entries %" PRIu64 " to %" PRIu64 " in %zu segments; %" PRIu64
               " with changes behind the snapshot, %" PRIu64 " bytes\n",
               f->first, f->last, f->segments - f->blanks, f->entries, f->bytes);
    }
    if (f->has_mark) {
        printf("committed  at least up to entry %" PRIu64 "\n", f->mark.committed);
    } else {
        printf("committed  not known: there is no file '" MARK_NAME "'\n");
    }
    if (f->torn_bytes > 0) {
        printf("torn       %zu bytes at byte %zu of '%s': they were being written when the server "
               "ended, nobody was told of them, and it will cut them off\n",
               f->torn_bytes, f->torn_at, f->torn.name);
    }
}

static void print_data(const struct check *c)
{
    char digest[DIGEST_HEX + 1];

    digest_hex(dataset_digest(c->data), digest);
    printf("data       %zu keys, digest %s\n", dataset_count(c->data), digest);
}

static void print(const struct check *c)
{
    const struct inspection *f = &c->found;

    printf("directory  %s\n", c->dir);
    if (f->identity.id != 0) {
        printf("server     %" PRIu64 " of group %" PRIu64 ", %s\n", f->identity.id,
               f->identity.group, f->identity.address);
    }
    print_snapshot(f);
    print_log(f);
    print_data(c);
}

/* Log time goes on from where it was. */
static bool export(const struct check *c, const char *file)
{
    int64_t time_us = c->found.at.time_us;
    struct rdb_saving saving = {.data = c->data,
                                .time_us = time_us > 0 ? time_us : clock_wall_us(),
                                .compresses = c->settings->engine.rdb_compression,
                                .checks = true};
    int err = rdb_save_file(file, &saving);

    if (err != 0) {
        printf("Cannot write '%s': %s\n", file, strerror(-err));
        return false;
    }
    printf("%zu keys are in '%s' now\n", dataset_count(c->data), file);
    return true;
}

static bool look(struct check *c, const char *file)
{
    const struct inspect_reader reader = {read_snapshot, make_turn, c};
    bool fine = inspect(c->dir, &reader, &c->found);
    bool written;

    if (c->found.is_new) {
        printf("'%s': there is no log here\n", c->dir);
        return false;
    }
    print(c);
    printf(fine ? "It is in order.\n" : "Damaged: %s\n", c->found.problem);
    written = file == NULL || export(c, file);
    if (!fine && file != NULL && written) {
        printf("That is what comes before the damage.\n");
    }
    return fine && written;
}

bool check_directory(const struct settings *settings, const char *dir, const char *file)
{
    struct check c = {.settings = settings};
    bool fine;
    int lock;

    choose_dir(&c, dir);
    lock = inspect_lock(c.dir);
    if (lock < 0) {
        printf("'%s': %s\n", c.dir,
               lock == -EWOULDBLOCK ? "a server is at work here; end it first, or ask it"
                                    : strerror(-lock));
        return false;
    }
    c.data = dataset_new((unsigned)settings->databases);
    c.data->limits = settings->limits;
    fine = look(&c, file);
    dataset_free(c.data);
    close(lock);
    return fine;
}
