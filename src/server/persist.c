#include "server/persist.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rdb/save.h"
#include "replica/replica.h"
#include "server/loop.h"
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RETRY_S = 5,    /* Behind a child that has failed. */
    CHILD_NICE = 5, /* Who waits for a reply comes first. */
};

/* What a child tells. */
struct report {
    int err; /* 0 or a negative errno value. */
    size_t copied;
};

static int64_t wall_s(void)
{
    return clock_wall_us() / 1000000;
}

void persist_path(const struct server *s, char *path, size_t size)
{
    bytes_to_string(buf_bytes(&s->settings.rdb_file), path, size);
}

uint64_t persist_changes(const struct server *s)
{
    uint64_t changes = s->engine->journal.changes;

    return changes > s->persist.saved_changes ? changes - s->persist.saved_changes : 0;
}

/* Loading. */

bool persist_load(struct server *s, const char *path, struct dataset *into,
                  struct rdb_loaded *loaded, struct buf *error)
{
    return loading_read(path, logtime_ms(&s->engine->time), into, &s->engine->data->limits, NULL,
                        loaded, error);
}

/* Log time goes on from where it was, even if a clock was set back meanwhile. */
static void go_on_from(struct server *s, int64_t time_us)
{
    struct engine *e = s->engine;

    if (time_us > e->time.now_us) {
        logtime_start(&e->time, time_us, clock_monotonic_us());
        e->stats.started_ms = logtime_ms(&e->time);
    }
}

void persist_begin(struct server *s)
{
    s->persist.saved_s = wall_s();
    s->persist.took_s = -1;
}

int persist_start(struct server *s)
{
    struct group *g = &s->engine->group;
    struct rdb_loaded loaded = {0};
    char path[PATH_MAX];
    bool fine;
    BUF_LOCAL(error);

    persist_path(s, path, sizeof path);
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return 0;
    }
    g->role = GROUP_LOADING;
    fine = loading_read_all(s, path, logtime_ms(&s->engine->time), &loaded, &error);
    g->role = GROUP_LEADER;
    if (!fine) {
        log_write(LOG_WARNING, "Cannot load '%s': %.*s", path, (int)error.len, error.at);
        log_write(LOG_WARNING, "Not started. To start with an empty database, move the file away "
                               "or choose another by --dbfilename");
        return -1;
    }
    go_on_from(s, loaded.time_us);
    s->persist.saved_changes = s->engine->journal.changes;
    return 0;
}

/* Saving. */

/* rdb-key-save-delay: makes a child slow, so that tests can meet it. */
static void after_key(void *context)
{
    const struct settings *settings = context;

    if (settings->key_save_delay_us > 0) {
        usleep((useconds_t)settings->key_save_delay_us);
    } else if (settings->key_save_delay_us < 0 && rand() % -settings->key_save_delay_us == 0) {
        usleep(1);
    }
}

static int save(struct server *s, const char *path)
{
    struct rdb_saving saving = {.data = s->engine->data,
                                .time_us = s->engine->time.now_us,
                                .compresses = s->settings.engine.rdb_compression,
                                .checks = s->settings.rdb_checksum || s->persist.for_log,
                                .after_key = after_key,
                                .context = &s->settings};

    return rdb_save_file(path, &saving);
}

static void note_saved(struct server *s, uint64_t changes)
{
    s->persist.saved_changes = changes;
    s->persist.saved_s = wall_s();
    s->persist.saves++;
    s->persist.failed = false;
}

int persist_save_to(struct server *s, const char *path)
{
    int err = save(s, path);

    if (err != 0) {
        log_write(LOG_WARNING, "Cannot save to '%s': %s", path, strerror(-err));
    } else {
        log_write(LOG_NOTICE, "Saved to '%s'", path);
    }
    return err;
}

int persist_save(struct server *s)
{
    char path[PATH_MAX];
    int err;

    persist_path(s, path, sizeof path);
    err = persist_save_to(s, path);
    if (err == 0) {
        note_saved(s, s->engine->journal.changes);
        persist_apply(s);
    }
    return err;
}

/* The child. */

/* Returns how many bytes of memory this process does not share any more. */
static size_t private_bytes(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    size_t sum = 0;
    size_t kib;
    char line[256];

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Private_Dirty: %zu kB", &kib) == 1) {
            sum += kib * 1024;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return sum;
}

/* The parent's sockets would otherwise stay open for as long as the child lives, even
 * if the parent has been killed; a child without its parent is of no use either. */
static int leave_parent(int report, pid_t parent)
{
    enum { KEPT = STDERR_FILENO + 1 };

    signal(SIGINT, SIG_IGN); /* Of a terminal: the parent decides. */
    signal(SIGTERM, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpriority(PRIO_PROCESS, 0, CHILD_NICE);
    if (getppid() != parent || dup2(report, KEPT) < 0) {
        _exit(EXIT_FAILURE);
    }
    close_range(KEPT + 1, UINT_MAX, 0);
    return KEPT;
}

/* What is not committed is no part of it. */
__attribute__((noreturn)) static void run_child(struct server *s, const char *path, int report,
                                                pid_t parent)
{
    struct report r = {0};
    int out = leave_parent(report, parent);

    commit_rewind(s->engine);
    r.err = save(s, path);
    r.copied = private_bytes();
    if (write(out, &r, sizeof r) != sizeof r) {
        _exit(EXIT_FAILURE);
    }
    _exit(EXIT_SUCCESS);
}

static void note_forked(struct server *s, pid_t child, int report, int64_t start_us)
{
    struct persist *p = &s->persist;

    p->child = child;
    p->report = report;
    p->child_started_us = start_us;
    p->child_changes = s->engine->journal.changes;
    p->fork_us = clock_monotonic_us() - start_us;
    p->forks++;
    p->scheduled = false;
    log_write(LOG_NOTICE, "Background saving started by pid %d", (int)child);
}

static int fail_fork(struct server *s, int err)
{
    s->persist.failed = true;
    persist_apply(s);
    log_write(LOG_WARNING, "Cannot save in the background: fork: %s", strerror(err));
    return -err;
}

static int fork_saver(struct server *s, const char *path, bool for_log)
{
    int64_t start_us = clock_monotonic_us();
    pid_t parent = getpid();
    int ends[2];
    pid_t child;
    int err;

    s->persist.tried_s = wall_s();
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return fail_fork(s, errno);
    }
    s->persist.for_log = for_log;
    child = fork();
    if (child == 0) {
        run_child(s, path, ends[1], parent);
    }
    err = errno;
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return fail_fork(s, err);
    }
    note_forked(s, child, ends[0], start_us);
    return 0;
}

int persist_fork(struct server *s)
{
    char path[PATH_MAX];

    persist_path(s, path, sizeof path);
    return fork_saver(s, path, false);
}

int persist_fork_for_log(struct server *s, const char *path)
{
    return fork_saver(s, path, true);
}

static void log_child(const struct report *r, int status)
{
    if (WIFSIGNALED(status)) {
        log_write(LOG_WARNING, "Background saving terminated by signal %d", WTERMSIG(status));
    } else if (r->err != 0) {
        log_write(LOG_WARNING, "Background saving error: %s", strerror(-r->err));
    } else {
        log_write(LOG_NOTICE, "Background saving terminated with success, %zu MB copied on write",
                  r->copied >> 20);
    }
}

/* Takes note of a child that has ended. */
static void bury_child(struct server *s, int status)
{
    struct persist *p = &s->persist;
    struct report r = {.err = -EIO};

    if (read(p->report, &r, sizeof r) != sizeof r) {
        r = (struct report){.err = -EIO};
    }
    close(p->report);
    log_child(&r, status);
    p->child = 0;
    p->took_s = (clock_monotonic_us() - p->child_started_us) / 1000000;
    p->copied = r.copied;
    p->failed = status != 0 || r.err != 0;
    if (p->for_log) {
        replica_saved(s->replica, p->failed ? -EIO : 0);
    } else if (s->replica != NULL && !p->failed) {
        replica_want_snapshot(s->replica); /* Who saves wants the log to be short as well. */
    }
    if (!p->failed) {
        note_saved(s, p->child_changes);
    }
    persist_apply(s);
}

void persist_stop(struct server *s)
{
    struct persist *p = &s->persist;

    p->scheduled = false;
    if (p->child != 0) {
        log_write(LOG_WARNING, "The child that saves, pid %d, is ended", (int)p->child);
        kill(p->child, SIGKILL);
        waitpid(p->child, NULL, 0);
        close(p->report);
        p->child = 0;
        if (p->for_log) {
            replica_saved(s->replica, -ECANCELED);
        }
    }
}

/* When to save. */

/* Splits the next number off the option save. Returns false if there is none. */
static bool next_number(const char **at, int64_t *number)
{
    char *end;

    *number = strtoll(*at, &end, 10);
    if (end == *at) {
        return false;
    }
    *at = end;
    return true;
}

static bool has_points(const struct server *s)
{
    return s->settings.save_points.len > 0;
}

/* Returns whether there have been so many changes in so many seconds that it is time. */
static bool is_due(const struct server *s)
{
    int64_t passed_s = wall_s() - s->persist.saved_s;
    uint64_t changes = persist_changes(s);
    int64_t seconds, needed;
    char points[4096];
    const char *at = points;

    if (changes == 0 || (s->persist.failed && wall_s() - s->persist.tried_s <= RETRY_S)) {
        return false;
    }
    bytes_to_string(buf_bytes(&s->settings.save_points), points, sizeof points);
    while (next_number(&at, &seconds) && next_number(&at, &needed)) {
        if (changes >= (uint64_t)needed && passed_s > seconds) {
            return true;
        }
    }
    return false;
}

static bool may_fork(const struct server *s)
{
    return s->persist.child == 0 && !s->engine->running.is_script;
}

void persist_tick(struct server *s)
{
    struct persist *p = &s->persist;
    int status;

    if (p->child != 0 && waitpid(p->child, &status, WNOHANG) == p->child) {
        bury_child(s, status);
    }
    if (may_fork(s) && (p->scheduled || is_due(s))) {
        persist_fork(s);
    }
}

void persist_apply(struct server *s)
{
    bool refuses = s->persist.failed && s->settings.stops_writes && has_points(s);

    s->engine->write_refusal =
        refuses ? "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to "
                  "persist to disk. Commands that may modify the data set are disabled, because "
                  "this instance is configured to report errors during writes if RDB snapshotting "
                  "fails (stop-writes-on-bgsave-error option). Please check the Redis logs for "
                  "details about the RDB error."
                : NULL;
}

bool persist_may_end(struct server *s)
{
    struct persist *p = &s->persist;
    bool saves = p->ending == ENDING_SAVED || (p->ending == ENDING_AS_CONFIGURED && has_points(s));

    persist_stop(s);
    if (!saves || persist_save(s) == 0 || p->ends_anyway) {
        return true;
    }
    p->ending = ENDING_AS_CONFIGURED;
    log_write(LOG_WARNING, "The server goes on, since its data would be lost. To end it all the "
                           "same, use SHUTDOWN NOSAVE");
    return false;
}
