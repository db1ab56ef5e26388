#include "replica/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <raft.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* What is in the directory. */
struct listing {
    struct segment *segment; /* In the order of the log. */
    size_t segments, cap;
    size_t closed;
    struct snapshot_name newest; /* The newest snapshot of which there are both files, */
    struct snapshot_name orphan; /* and the newest without what libraft knows of it. */
    bool has_newest, has_orphan;
    bool has_metadata;
};

/* The way through the log. */
struct scan {
    struct inspection *found;
    const struct inspect_reader *reader;
    struct listing files;
    struct machine machine;
    uint64_t next;      /* The index of the next entry. */
    uint64_t last_term; /* Of the one before. */
    uint64_t chain;     /* Behind the last one of ours that is in the snapshot, */
    bool has_chain;     /* if one has been seen. */

    const struct segment *segment; /* Where it is. */
    size_t batch_at;
};

__attribute__((format(printf, 3, 4))) static bool refuse(struct inspection *found, const char *name,
                                                         const char *format, ...)
{
    int len = snprintf(found->problem, sizeof found->problem, "'%s/%s': ", found->dir, name);
    va_list args;

    va_start(args, format);
    vsnprintf(found->problem + len, sizeof found->problem - (size_t)len, format, args);
    va_end(args);
    return false;
}

static bool refuse_file(struct inspection *found, const struct file_problem *wrong)
{
    return refuse(found, wrong->name, "%s", wrong->problem);
}

/* The listing. */

static void add_segment(struct listing *l, const struct segment *s)
{
    if (l->segments == l->cap) {
        l->cap = 2 * l->cap + 16;
        l->segment = realloc(l->segment, l->cap * sizeof *l->segment);
        if (l->segment == NULL) {
            abort();
        }
    }
    l->segment[l->segments++] = *s;
    l->closed += !s->is_open;
}

static bool has_sibling(const char *dir, const char *name, bool is_meta)
{
    char path[PATH_MAX];
    size_t len = strlen(name) - (is_meta ? strlen(".meta") : 0);

    snprintf(path, sizeof path, "%s/%.*s%s", dir, (int)len, name, is_meta ? "" : ".meta");
    return access(path, F_OK) == 0;
}

/* libraft makes the file with what it knows first, and removes it first. */
static void add_snapshot(struct listing *l, const char *dir, const char *name,
                         const struct snapshot_name *s)
{
    if (s->is_meta) {
        return;
    }
    if (!has_sibling(dir, name, false)) {
        if (!l->has_orphan || snapshot_compare(&l->orphan, s) < 0) {
            l->orphan = *s;
        }
        l->has_orphan = true;
    } else if (!l->has_newest || snapshot_compare(&l->newest, s) < 0) {
        l->newest = *s;
        l->has_newest = true;
    }
}

static void add(struct listing *l, const char *dir, const char *name)
{
    struct snapshot_name snapshot;
    struct segment segment;

    if (segment_read_name(name, &segment)) {
        add_segment(l, &segment);
    } else if (snapshot_read_name(name, &snapshot)) {
        add_snapshot(l, dir, name, &snapshot);
    } else if (strcmp(name, "metadata1") == 0 || strcmp(name, "metadata2") == 0) {
        l->has_metadata = true;
    }
}

static bool list(struct inspection *found, struct listing *l)
{
    DIR *dir = opendir(found->dir);
    struct dirent *entry;

    if (dir == NULL) {
        return refuse(found, ".", "%s", strerror(errno));
    }
    while ((entry = readdir(dir)) != NULL) {
        add(l, found->dir, entry->d_name);
    }
    closedir(dir);
    if (l->segments > 0) {
        qsort(l->segment, l->segments, sizeof *l->segment, segment_compare);
    }
    return true;
}

/* Who it is. */

static bool read_mark(struct inspection *found)
{
    int err = mark_read(found->dir, &found->mark);

    found->has_mark = err == 0;
    if (err == -EBADMSG) {
        return refuse(found, MARK_NAME,
                      "it makes no sense. Without it the log cannot be seen to be complete; to go "
                      "on all the same, remove it");
    }
    return err == 0 || err == -ENOENT || refuse(found, MARK_NAME, "%s", strerror(-err));
}

static bool is_empty(const struct scan *s)
{
    const struct listing *l = &s->files;

    return l->segments == 0 && !l->has_newest && !l->has_orphan && !l->has_metadata &&
           !s->found->has_mark;
}

static bool read_identity(struct scan *s)
{
    struct inspection *found = s->found;
    int err = identity_read(found->dir, &found->identity);

    if (err == -ENOENT && is_empty(s)) {
        found->is_new = true;
        return true;
    }
    if (err != 0) {
        return refuse(found, "identity", "%s",
                      err == -EBADMSG ? "it makes no sense" : strerror(-err));
    }
    if (found->has_mark && found->mark.id != found->identity.id) {
        return refuse(found, "identity",
                      "it is that of server %" PRIu64 ", but the log is of server %" PRIu64,
                      found->identity.id, found->mark.id);
    }
    return true;
}

/* Open segments are made ready before anything is written to them. */
static bool has_written_open(struct scan *s)
{
    struct listing *l = &s->files;

    for (size_t i = l->closed; i < l->segments; i++) {
        bool is_blank = segment_open(&l->segment[i], s->found->dir) == 0 &&
                        segment_is_blank_from(&l->segment[i], 0);
        segment_close(&l->segment[i]);
        if (!is_blank) {
            return true;
        }
    }
    return false;
}

/* A vote that was forgotten could be given twice. */
static bool read_metadata(struct scan *s)
{
    struct inspection *found = s->found;
    const struct metadata *m = &found->metadata;
    const struct mark *mark = &found->mark;
    struct file_problem wrong;

    if (!metadata_read(found->dir, &found->metadata, &wrong)) {
        return refuse_file(found, &wrong);
    }
    if (!m->exists &&
        (s->files.closed > 0 || has_written_open(s) || s->files.has_newest || mark->term > 0)) {
        return refuse(found, "metadata1", "it is missing, and so is metadata2");
    }
    if (found->has_mark && (m->term < mark->term ||
                            (m->term == mark->term && mark->vote != 0 && m->vote != mark->vote))) {
        return refuse(found, m->version % 2 == 1 ? "metadata1" : "metadata2",
                      "it is older than what this server has voted for: it has term %" PRIu64
                      ", and the file '" MARK_NAME "' %" PRIu64,
                      m->term, mark->term);
    }
    return true;
}

static bool read_snapshot(struct scan *s)
{
    struct inspection *found = s->found;
    const struct listing *l = &s->files;
    const struct inspect_reader *reader = s->reader;
    struct file_problem wrong;
    char name[MANIFEST_NAME], path[PATH_MAX];
    const char *problem;

    if (l->has_orphan && (!l->has_newest || snapshot_compare(&l->newest, &l->orphan) < 0)) {
        snprintf(path, sizeof path, "snapshot-%llu-%llu-%llu.meta", l->orphan.term, l->orphan.index,
                 l->orphan.time_ms);
        return refuse(found, path, "it is missing");
    }
    if (!l->has_newest) {
        return true;
    }
    found->has_snapshot = true;
    found->snapshot = l->newest;
    if (!snapshot_read(found->dir, &l->newest, &found->manifest, &wrong)) {
        return refuse_file(found, &wrong);
    }
    machine_restore(&s->machine, &found->manifest.at);
    if (reader == NULL) {
        return true;
    }
    manifest_name(found->manifest.at.index, name);
    snprintf(path, sizeof path, "%s/%s", found->dir, name);
    problem = reader->snapshot(reader->context, path, &found->manifest);
    return problem == NULL || refuse(found, name, "%s", problem);
}

/* Entries. */

static bool refuse_entry(const struct scan *s, uint64_t index, const char *problem)
{
    return refuse(s->found, s->segment->name,
                  "entry %" PRIu64 " is not what was written: %s; in the batch at byte %zu", index,
                  problem, s->batch_at);
}

/* Of what is in the snapshot, only the chain can be looked at. */
static const char *see_older(struct scan *s, uint64_t index, struct bytes entry)
{
    const struct position *at = &s->found->manifest.at;
    struct entry_header h;
    struct bytes changes;

    if (!entry_read(entry, &h, &changes)) {
        return "it is no entry of ours";
    }
    if (s->has_chain && h.chain != s->chain) {
        return "it does not chain to the one before";
    }
    s->chain = entry_chain(h.chain, entry);
    s->has_chain = true;
    return index == at->index && s->chain != at->chain ? "it does not chain to the snapshot" : NULL;
}

static const char *see_newer(struct scan *s, uint64_t index, struct bytes entry)
{
    struct applied turn;
    const char *problem = machine_apply(&s->machine, index, entry, &turn);

    s->chain = s->machine.at.chain;
    if (problem != NULL) {
        return problem;
    }
    s->found->entries++;
    s->found->bytes += entry.len;
    s->found->at = s->machine.at;
    if (turn.is_whole && s->reader != NULL) {
        return s->reader->turn(s->reader->context, &turn, &s->machine.at);
    }
    return NULL;
}

static const char *see_ours(struct scan *s, uint64_t index, struct bytes entry)
{
    const struct inspection *found = s->found;
    const char *problem = found->has_snapshot && index <= found->manifest.at.index
                              ? see_older(s, index, entry)
                              : see_newer(s, index, entry);

    if (problem == NULL && index == found->mark.at.index && s->chain != found->mark.at.chain) {
        return "another one was there when the file '" MARK_NAME "' was written";
    }
    return problem;
}

static bool see(void *context, const struct segment_entry *entry)
{
    struct scan *s = context;
    const struct inspection *found = s->found;
    uint64_t index = s->next;
    const char *problem = NULL;

    if (entry->term < s->last_term) {
        return refuse_entry(s, index, "it is of an earlier term than the one before");
    }
    if (entry->term > found->metadata.term) {
        return refuse_entry(s, index, "it is of a later term than metadata1 and metadata2 know");
    }
    if (entry->type == RAFT_COMMAND) {
        problem = see_ours(s, index, entry->data);
    } else if (found->has_snapshot && index == found->manifest.at.index) {
        problem = "it is not the one that the snapshot ends with";
    }
    s->last_term = entry->term;
    s->next++;
    return problem == NULL || refuse_entry(s, index, problem);
}

static bool see_batch(struct scan *s, const struct segment *segment, const struct segment_batch *b)
{
    s->segment = segment;
    s->batch_at = b->at;
    return segment_each(b, see, s);
}

/* Segments. */

static bool refuse_segment(const struct scan *s, const struct segment *segment, const char *problem)
{
    return refuse(s->found, segment->name, "%s, at byte %zu of %zu", problem, segment->at,
                  segment->len);
}

static bool read_closed(struct scan *s, struct segment *segment)
{
    struct segment_batch b;
    const char *problem;

    if (segment->first != s->next) {
        return refuse(s->found, segment->name,
                      "entry %" PRIu64 " should come before it, and is missing", s->next);
    }
    do {
        problem = segment_next(segment, &b);
        if (problem != NULL) {
            return refuse_segment(s, segment, problem);
        }
        if (!see_batch(s, segment, &b)) {
            return false;
        }
    } while (segment->at < segment->len);
    if (s->next != segment->last + 1) {
        return refuse(s->found, segment->name, "it ends with entry %" PRIu64, s->next - 1);
    }
    return true;
}

/* What is to be found of what was written later than an entry that is damaged. */
struct evidence {
    uint64_t last; /* The last entry that is not. */
    bool is_found;
};

static bool see_evidence(void *context, const struct segment_entry *entry)
{
    struct evidence *e = context;
    struct entry_header h;
    struct bytes changes;

    e->is_found =
        entry->type == RAFT_COMMAND && entry_read(entry->data, &h, &changes) && h.applied > e->last;
    return !e->is_found;
}

static bool was_applied(const struct segment *segment, uint64_t last)
{
    struct evidence e = {.last = last};
    struct segment_batch b;
    size_t at = segment->at;

    while (!e.is_found && segment_find(segment, at, &b)) {
        segment_each(&b, see_evidence, &e);
        at = (size_t)(b.data.at + b.data.len - segment->content);
    }
    return e.is_found;
}

static size_t written_bytes(const struct segment *segment)
{
    size_t end = segment->len;

    while (end > segment->at && segment->content[end - 1] == 0) {
        end--;
    }
    return end - segment->at;
}

/* Behind the last whole entry there is something, or the file is not as long as it should
 * be. */
static bool judge_end(struct scan *s, const struct segment *segment, const char *problem)
{
    struct inspection *found = s->found;
    uint64_t last = s->next - 1;

    if (found->mark.committed > last || was_applied(segment, last)) {
        return refuse(found, segment->name,
                      "%s, at byte %zu of %zu; what was there had been committed", problem,
                      segment->at, segment->len);
    }
    found->torn = *segment;
    found->torn_at = segment->at;
    found->torn_bytes = written_bytes(segment);
    return true;
}

static void note_blank(struct inspection *found, const struct segment *segment)
{
    if (found->blanks < INSPECT_BLANKS) {
        found->blank[found->blanks++] = *segment;
    }
}

/* Zeros that are too few to be the head of a batch libraft does not like. */
static bool ends_blank(const struct segment *segment)
{
    enum { HEAD = 16 };

    return segment->len - segment->at >= HEAD && segment_is_blank_from(segment, segment->at);
}

static bool read_open(struct scan *s, struct segment *segment)
{
    struct segment_batch b;

    if (segment_is_blank_from(segment, 0)) {
        note_blank(s->found, segment);
        return true;
    }
    if (s->found->torn.name[0] != '\0') {
        return refuse(s->found, s->found->torn.name,
                      "it is damaged at byte %zu, but entries behind that are in '%s'",
                      s->found->torn_at, segment->name);
    }
    do {
        const char *problem = segment_next(segment, &b);
        if (problem != NULL) {
            return (segment->at > 0 && ends_blank(segment)) || judge_end(s, segment, problem);
        }
        if (!see_batch(s, segment, &b)) {
            return false;
        }
    } while (segment->at < segment->len);
    return true;
}

static bool read_segment(struct scan *s, struct segment *segment)
{
    int err = segment_open(segment, s->found->dir);
    bool fine;

    if (err != 0) {
        return refuse(s->found, segment->name, "%s", strerror(-err));
    }
    fine = segment->is_open ? read_open(s, segment) : read_closed(s, segment);
    segment_close(segment);
    return fine;
}

/* Finds where the log begins: as libraft does, with the oldest closed segment from which
 * there is no gap up to the last. If a snapshot was sent to this server, all of them may be
 * older than that. */
static bool find_start(struct scan *s, size_t *start)
{
    struct inspection *found = s->found;
    const struct listing *l = &s->files;
    uint64_t snapshot = found->has_snapshot ? found->snapshot.index : 0;
    size_t i = l->closed;

    *start = i;
    s->next = snapshot + 1;
    if (i == 0 || (l->segment[i - 1].last < snapshot && !has_written_open(s))) {
        return true;
    }
    for (i--; i > 0 && l->segment[i - 1].last + 1 == l->segment[i].first; i--) {
    }
    if (!found->has_snapshot) {
        i = 0;
    }
    if (l->segment[i].first > snapshot + 1) {
        return refuse(found, l->segment[i].name,
                      "entry %" PRIu64 " should come before it, and is missing",
                      l->segment[i].first - 1);
    }
    *start = i;
    s->next = l->segment[i].first;
    return true;
}

/* Of two files that have the same entry, libraft takes one or the other. */
static bool check_names(const struct scan *s)
{
    const struct listing *l = &s->files;

    for (size_t i = 0; i < l->closed; i++) {
        const struct segment *segment = &l->segment[i];
        if (segment->first == 0 || segment->first > segment->last) {
            return refuse(s->found, segment->name, "no segment can be called so");
        }
        if (i > 0 && segment->first <= l->segment[i - 1].last) {
            return refuse(s->found, segment->name, "entry %" PRIu64 " is in '%s' as well",
                          segment->first, l->segment[i - 1].name);
        }
    }
    return true;
}

static bool read_log(struct scan *s)
{
    struct inspection *found = s->found;
    struct listing *l = &s->files;
    size_t i;

    if (!check_names(s) || !find_start(s, &i)) {
        return false;
    }
    found->first = s->next;
    for (; i < l->segments; i++) {
        found->segments++;
        if (!read_segment(s, &l->segment[i])) {
            return false;
        }
    }
    found->last = s->next - 1;
    return true;
}

/* What is there is in order; is it all? */
static bool check_end(const struct scan *s)
{
    struct inspection *found = s->found;
    uint64_t needed = found->mark.committed;

    if (found->has_snapshot && found->snapshot.index > needed) {
        needed = found->snapshot.index;
    }
    if (found->last >= needed) {
        return true;
    }
    return refuse(found, s->files.segments > 0 ? s->files.segment[s->files.segments - 1].name : ".",
                  "the log ends with entry %" PRIu64 ", but was committed up to %" PRIu64
                  ": its end, or a file of it, is missing",
                  found->last, needed);
}

static bool read_all(struct scan *s)
{
    if (!list(s->found, &s->files) || !read_mark(s->found) || !read_identity(s)) {
        return false;
    }
    return s->found->is_new ||
           (read_metadata(s) && read_snapshot(s) && read_log(s) && check_end(s));
}

bool inspect(const char *dir, const struct inspect_reader *reader, struct inspection *found)
{
    struct scan s = {.found = found, .reader = reader};
    bool fine;

    *found = (struct inspection){.dir = dir, .first = 1};
    fine = read_all(&s);
    if (found->entries == 0 && found->has_snapshot) {
        found->at = found->manifest.at;
    }
    machine_clear(&s.machine);
    free(s.files.segment);
    return fine;
}

/* A server makes the file for the lock; where there is none, none is at work. */
int inspect_lock(const char *dir)
{
    char path[PATH_MAX];
    int lock, err;

    snprintf(path, sizeof path, "%s/lock", dir);
    lock = open(path, O_RDONLY | O_CLOEXEC);
    if (lock < 0 && errno == ENOENT) {
        lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (lock < 0) {
        return -errno;
    }
    if (flock(lock, LOCK_SH | LOCK_NB) != 0) {
        err = -errno;
        close(lock);
        return err;
    }
    return lock;
}

/* Repairs. */

/* A segment without a single entry is removed as an empty file by libraft. */
static int cut(const char *path, size_t at)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    int err = 0;

    if (file < 0) {
        return -errno;
    }
    if (ftruncate(file, at > sizeof(uint64_t) ? (off_t)at : 0) != 0 || fsync(file) != 0) {
        err = -errno;
    }
    close(file);
    return err;
}

int inspect_repair(const struct inspection *found)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < found->blanks; i++) {
        snprintf(path, sizeof path, "%s/%s", found->dir, found->blank[i].name);
        if (unlink(path) != 0) {
            return -errno;
        }
    }
    if (found->torn.name[0] == '\0') {
        return 0;
    }
    snprintf(path, sizeof path, "%s/%s", found->dir, found->torn.name);
    return cut(path, found->torn_at);
}
