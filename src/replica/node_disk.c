/* The node and its disk: what is looked at before libraft starts, what is written beside
 * its files, and what becomes of trouble. */
#include "replica/node_state.h"

#include "base/clock.h"
#include "base/log.h"
#include "replica/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { MARK_EACH_US = 1000 * 1000 };

/* The lock. */

int node_lock_dir(const char *path, char error[NODE_ERROR_MAX])
{
    char name[PATH_MAX + 8];
    int lock;

    snprintf(name, sizeof name, "%s/lock", path);
    lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
        return lock;
    }
    if (lock >= 0 && errno == EWOULDBLOCK) {
        snprintf(error, NODE_ERROR_MAX, "Another server is at work in '%s'", path);
    } else {
        snprintf(error, NODE_ERROR_MAX, "Cannot lock '%s': %s", name, strerror(errno));
    }
    if (lock >= 0) {
        close(lock);
    }
    return -1;
}

/* Inspection. */

static void tell_repairs(const struct inspection *found)
{
    if (found->torn_bytes > 0) {
        log_write(LOG_WARNING,
                  "'%s/%s' ends in the middle of what was being written: %zu bytes at byte %zu, of "
                  "which nobody was told, are cut off. The log ends with entry %" PRIu64,
                  found->dir, found->torn.name, found->torn_bytes, found->torn_at, found->last);
    }
    if (!found->has_mark && found->first <= found->last) {
        log_write(LOG_WARNING,
                  "'%s/" MARK_NAME "' is missing: whether the log is complete cannot be seen",
                  found->dir);
    }
}

/* A child that was killed with its server has left the beginning of a file, or one that
 * has not become a snapshot. */
static bool is_left_over(const struct inspection *found, const char *name)
{
    static const char suffix[] = ".saving";
    size_t len = strlen(name);
    uint64_t index;

    if (manifest_name_read(name, &index)) {
        return found->has_snapshot && index > found->manifest.at.index;
    }
    return strncmp(name, "data-", 5) == 0 && len > sizeof suffix &&
           strcmp(name + len - strlen(suffix), suffix) == 0;
}

static void remove_left_over(const struct inspection *found)
{
    DIR *dir = opendir(found->dir);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (is_left_over(found, entry->d_name)) {
            unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

/* A server that was ended while it began its group has voted, and has no log: libraft would
 * not let it begin again. */
static int forget_beginning(const struct inspection *found)
{
    char path[PATH_MAX];

    if (!found->metadata.exists || found->has_mark || found->has_snapshot ||
        found->first <= found->last || found->metadata.version > 1 || found->identity.has_joined) {
        return 0;
    }
    snprintf(path, sizeof path, "%s/metadata1", found->dir);
    return unlink(path) == 0 ? 0 : -errno;
}

static const char advice[] =
    ". Nothing was changed. If its group has other servers, have this one join again with an empty "
    "directory; else put a backup in its place. --check tells what is here, --export saves what "
    "comes before the damage";

bool node_inspect(struct node *n, char error[NODE_ERROR_MAX])
{
    struct inspection *found = malloc(sizeof *found);
    bool fine;
    int err;

    if (found == NULL) {
        abort();
    }
    fine = inspect(n->settings.dir, NULL, found);
    if (fine) {
        tell_repairs(found);
        remove_left_over(found);
        err = inspect_repair(found);
        if (err == 0) {
            err = forget_beginning(found);
        }
        fine = err == 0;
        snprintf(error, NODE_ERROR_MAX, "%s", strerror(-err));
    } else {
        snprintf(error, NODE_ERROR_MAX, "%s%s", found->problem, advice);
    }
    n->mark.term = found->metadata.term;
    n->mark.vote = found->metadata.vote;
    free(found);
    return fine;
}

/* The mark. */

static struct node *node_of(struct raft_io *io)
{
    struct core *c = ((struct raft *)io->data)->fsm->data;

    return c->context;
}

/* A vote must not be forgotten; should it not be possible to write it down twice, libraft
 * has it. */
static void mark_vote(struct node *n, uint64_t term, uint64_t vote)
{
    n->mark.term = term;
    n->mark.vote = vote;
    if (n->mark_file.file >= 0) {
        mark_write(&n->mark_file, &n->mark, true);
    }
}

static int set_term(struct raft_io *io, raft_term term)
{
    struct node *n = node_of(io);
    int err = n->set_term(io, term);

    if (err == 0) {
        mark_vote(n, term, 0);
    }
    return err;
}

static int set_vote(struct raft_io *io, raft_id id)
{
    struct node *n = node_of(io);
    int err = n->set_vote(io, id);

    if (err == 0) {
        mark_vote(n, n->mark.term, id);
    }
    return err;
}

void node_watch_votes(struct node *n)
{
    n->set_term = n->io.set_term;
    n->set_vote = n->io.set_vote;
    n->io.set_term = set_term;
    n->io.set_vote = set_vote;
}

/* A leader may have applied what is so far on other disks only. */
static void see_committed(struct node *n)
{
    uint64_t committed = raft_commit_index(&n->raft);
    uint64_t stored = n->raft.last_stored;
    const struct position *at = &n->core.machine.at;

    committed = committed < stored ? committed : stored;
    if (committed > n->mark.committed) {
        n->mark.committed = committed;
    }
    if (at->index <= n->mark.committed && at->index > n->mark.at.index) {
        n->mark.at = *at;
    }
}

bool node_open_mark(struct node *n, char error[NODE_ERROR_MAX])
{
    int err;

    /* What an earlier log had committed, which has been left behind, says nothing of this one. */
    n->mark = (struct mark){
        .id = n->identity.id, .term = raft_current_term(&n->raft), .vote = n->raft.voted_for};
    err = mark_open(&n->mark_file, n->settings.dir, &n->mark);
    if (err == 0) {
        n->mark.committed = n->mark_file.mark.committed;
        n->mark.at = n->mark_file.mark.at;
        see_committed(n);
        err = mark_write(&n->mark_file, &n->mark, true);
    }
    if (err != 0) {
        snprintf(error, NODE_ERROR_MAX, "'%s/" MARK_NAME "': %s", n->settings.dir, strerror(-err));
    }
    return err == 0;
}

void node_mark(struct node *n)
{
    int64_t now_us = clock_monotonic_us();

    if (now_us - n->marked_us < MARK_EACH_US) {
        return;
    }
    n->marked_us = now_us;
    see_committed(n);
    if (n->mark.committed > n->mark_file.mark.committed) {
        mark_write(&n->mark_file, &n->mark, false);
    }
}

void node_close_mark(struct node *n)
{
    if (n->mark_file.file >= 0) {
        see_committed(n);
        mark_write(&n->mark_file, &n->mark, true);
        mark_close(&n->mark_file);
    }
}

/* Files of data. */

/* Calls `see` with the path of each file of data, and its index. */
static void each_file(struct node *n, void (*see)(struct node *n, const char *path, uint64_t index))
{
    DIR *dir = opendir(n->settings.dir);
    struct dirent *found;

    while (dir != NULL && (found = readdir(dir)) != NULL) {
        char path[PATH_MAX + NAME_MAX + 2];
        uint64_t index;
        if (manifest_name_read(found->d_name, &index)) {
            snprintf(path, sizeof path, "%s/%s", n->settings.dir, found->d_name);
            see(n, path, index);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static void on_removed(uv_fs_t *request)
{
    uv_fs_req_cleanup(request);
    free(request);
}

/* libraft keeps the newest two, and so do we. The disk may take a while to let go. */
static void remove_older(struct node *n, const char *path, uint64_t index)
{
    uv_fs_t *request;

    if (index >= n->core.older_index) {
        return;
    }
    request = malloc(sizeof *request);
    if (request == NULL || uv_fs_unlink(&n->loop, request, path, on_removed) != 0) {
        free(request);
    }
}

void node_remove_older(struct node *n)
{
    each_file(n, remove_older);
}

/* Leaving a group. */

static void remove_file(const char *dir, const char *name)
{
    char path[PATH_MAX + NAME_MAX + 2];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

static void empty_dir(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *found;

    while (dir != NULL && (found = readdir(dir)) != NULL) {
        if (found->d_name[0] != '.' && strcmp(found->d_name, "lock") != 0 &&
            strncmp(found->d_name, "identity", strlen("identity")) != 0) {
            remove_file(path, found->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

/* As long as there is an identity to come, all the rest is to go: if this is interrupted,
 * it is gone on with at the next start. */
bool node_finish_leaving(struct node *n, char error[NODE_ERROR_MAX])
{
    const char *dir = n->settings.dir;
    int err;

    if (!identity_is_to_come(dir)) {
        return true;
    }
    empty_dir(dir);
    err = identity_has_come(dir);
    if (err != 0) {
        snprintf(error, NODE_ERROR_MAX, "'%s/identity': %s", dir, strerror(-err));
    }
    return err == 0;
}

bool node_leave(struct node *n, const struct identity *next, char error[NODE_ERROR_MAX])
{
    int err = identity_write_next(n->settings.dir, next);

    if (err != 0) {
        snprintf(error, NODE_ERROR_MAX, "'%s/identity': %s", n->settings.dir, strerror(-err));
        return false;
    }
    return node_finish_leaving(n, error);
}

/* Trouble. libraft tells of it in words only. */

struct trouble {
    const char *words;
    const char *meaning; /* NULL: they say it themselves. */
    bool is_fatal;       /* What was being written is not known to be there, or never will be. */
};

static const struct trouble troubles[] = {
    {"retry failed write", NULL, true},
    {"prepare segment", NULL, true},
    {"retry creating segment", "there is no room for the next file of the log", false},
    {"retry snapshot write", "there is no room for the snapshot's file", false},
    {"truncate segment", NULL, false},
    {"snapshot creation failed", NULL, false},
    {"snapshot.meta creation failed", NULL, false},
    {"unlink", NULL, false},
    {"sync data directory", NULL, false},
};

enum { TELL_EACH_US = 30 * 1000 * 1000 };

/* What is tried again and again is told now and then. */
static void tell_trouble(struct node *n, const struct trouble *t, const char *message)
{
    int64_t now_us = clock_monotonic_us();

    if (t->meaning != NULL) {
        if (now_us < n->told_again_us) {
            return;
        }
        n->told_again_us = now_us + TELL_EACH_US;
    }
    log_write(LOG_WARNING, "In '%s': %s", n->settings.dir,
              t->meaning != NULL ? t->meaning : message);
}

/* The kernel may have dropped what it could not write, so writing it again proves nothing;
 * nor may anybody be told of more than there is. The executor could be busy: it is not
 * asked. */
void node_hear_trouble(struct node *n, const char *message)
{
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        const struct trouble *t = &troubles[i];
        if (strstr(message, t->words) == NULL) {
            continue;
        }
        if (t->is_fatal) {
            log_write(LOG_WARNING, "The log has failed: in '%s': %s", n->settings.dir, message);
            _exit(EXIT_FAILURE);
        }
        tell_trouble(n, t, message);
    }
}
