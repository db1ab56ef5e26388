#include "test/simulation/disk.h"

#include "test/simulation/mutant.h"
#include "test/simulation/server.h"
#include "test/simulation/wire.h"

#include <raft/uv.h>
#include <stdlib.h>
#include <string.h>

enum {
    CAPACITY_KIB = 16 * 1024, /* What libraft is told of a disk with room. */
    RETRY_US = 50 * MS,       /* Of one that is full. */
};

enum write_kind { WRITE_ENTRIES, WRITE_END, WRITE_SNAPSHOT };

struct write {
    struct write *next;
    enum write_kind kind;
    struct disk *disk;
    struct stored *entry; /* WRITE_ENTRIES: the disk's once they are on it. */
    unsigned count;
    raft_index end; /* WRITE_END: of the log, from there on. */
    struct stored_snapshot snapshot;
    unsigned trailing;
    uint64_t behind; /* Of a snapshot of our own: how many writes come first. */
    struct raft_io_append *append;
    struct raft_io_snapshot_put *put;
};

struct get {
    struct get *next;
    struct disk *disk;
    struct raft_io_snapshot_get *req;
};

static struct disk *disk_of(struct raft_io *io)
{
    return io->impl;
}

static void *new (size_t size)
{
    void *at = calloc(1, size);

    if (at == NULL) {
        abort();
    }
    return at;
}

/* What lies on it. */

raft_index disk_last(const struct disk *d)
{
    return d->first + d->count - 1;
}

static void copy_configuration(const struct raft_configuration *from, struct raft_configuration *to)
{
    raft_configuration_init(to);
    for (unsigned i = 0; i < from->n; i++) {
        const struct raft_server *server = &from->servers[i];
        raft_configuration_add(to, server->id, server->address, server->role);
    }
}

static void drop_entries(struct disk *d, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        free(d->entry[i].data);
    }
    memmove(d->entry + from, d->entry + from + count, (d->count - from - count) * sizeof *d->entry);
    d->count -= count;
}

static void keep_entries(struct disk *d, struct write *w)
{
    if (d->count + w->count > d->cap) {
        d->cap = 2 * (d->count + w->count);
        d->entry = realloc(d->entry, d->cap * sizeof *d->entry);
        if (d->entry == NULL) {
            abort();
        }
    }
    memcpy(d->entry + d->count, w->entry, w->count * sizeof *w->entry);
    d->count += w->count;
    w->count = 0;
}

static void end_log(struct disk *d, raft_index end)
{
    if (end < d->first) {
        violation("server %u drops entries from %llu on, of which %llu is the first",
                  d->server->number, end, d->first);
    }
    if (end <= disk_last(d)) {
        drop_entries(d, end - d->first, disk_last(d) + 1 - end);
    }
}

static void keep_snapshot(struct disk *d, struct write *w)
{
    if (d->snapshots == SNAPSHOTS_KEPT) {
        raft_configuration_close(&d->snapshot[0].configuration);
        memmove(d->snapshot, d->snapshot + 1, (SNAPSHOTS_KEPT - 1) * sizeof *d->snapshot);
        d->snapshots--;
    }
    d->snapshot[d->snapshots] = w->snapshot;
    copy_configuration(&w->snapshot.configuration, &d->snapshot[d->snapshots++].configuration);
}

/* What a snapshot makes superfluous goes by the segment: some more may stay. */
static void trim(struct disk *d, const struct write *w)
{
    raft_index keep = w->snapshot.index;
    raft_index more = chance(10);

    if (w->trailing == 0) {
        drop_entries(d, 0, d->count);
        d->first = w->snapshot.index + 1;
        return;
    }
    if (keep <= w->trailing) {
        return;
    }
    keep = keep - w->trailing + 1;
    keep -= more < keep ? more : 0;
    if (keep > d->first) {
        size_t count = keep - d->first < d->count ? keep - d->first : d->count;
        drop_entries(d, 0, count);
        d->first += count;
    }
}

/* A crash may come between the two halves of storing a snapshot. */
static void keep(struct disk *d, struct write *w, bool is_crash)
{
    switch (w->kind) {
    case WRITE_ENTRIES:
        keep_entries(d, w);
        break;
    case WRITE_END:
        end_log(d, w->end);
        break;
    case WRITE_SNAPSHOT:
        keep_snapshot(d, w);
        if (!is_crash || one_in(2)) {
            trim(d, w);
        }
        break;
    }
}

static void free_write(struct write *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        free(w->entry[i].data);
    }
    free(w->entry);
    if (w->kind == WRITE_SNAPSHOT) {
        raft_configuration_close(&w->snapshot.configuration);
    }
    free(w);
}

static void finish(struct write *w, int status)
{
    struct raft_io_append *append = w->append;
    struct raft_io_snapshot_put *put = w->put;

    free_write(w);
    if (append != NULL) {
        append->cb(append, status);
    } else if (put != NULL) {
        put->cb(put, status);
    }
}

/* Writing: one write at a time, of all the entries that wait. */

struct job {
    struct disk *disk;
    unsigned opened;
    unsigned count;
};

static struct job *job_new(struct disk *d)
{
    struct job *j = new (sizeof *j);

    *j = (struct job){.disk = d, .opened = d->opened};
    return j;
}

/* Whether libraft is still the one that has asked. */
static bool is_wanted(const struct job *j)
{
    return j->disk->opened == j->opened && !j->disk->closing;
}

static void post(struct disk *d, int64_t delay_us, void (*run)(void *context), void *context)
{
    world_post(delay_us, d->server, LOG_THREAD, run, free, context);
}

static int64_t latency(const struct disk *d)
{
    return 20 + around(d->latency_us);
}

static bool takes_nothing(struct disk *d)
{
    if (!d->is_full) {
        return false;
    }
    if (d->room == 0) {
        return true;
    }
    d->room--;
    return false;
}

static void start_writing(struct disk *d);

static void on_written(void *context)
{
    struct job *j = context;
    struct disk *d = j->disk;
    struct write *done = d->writes;
    struct write *last = done;

    if (!is_wanted(j)) {
        free(j);
        return;
    }
    if (done->kind != WRITE_END && takes_nothing(d)) {
        post(d, RETRY_US, on_written, j);
        return;
    }
    for (unsigned i = 0; i < j->count; i++) {
        keep(d, d->writes, false);
        last = d->writes;
        d->writes = last->next;
        d->finished++;
    }
    last->next = NULL;
    free(j);
    d->writing = false;
    while (done != NULL) {
        struct write *next = done->next;
        finish(done, 0);
        done = next;
    }
    start_writing(d);
}

static void start_writing(struct disk *d)
{
    struct job *j;

    if (d->writing || d->writes == NULL) {
        return;
    }
    j = job_new(d);
    j->count = 1;
    for (struct write *w = d->writes;
         w->kind == WRITE_ENTRIES && w->next != NULL && w->next->kind == WRITE_ENTRIES;
         w = w->next) {
        j->count++;
    }
    d->writing = true;
    post(d, latency(d), on_written, j);
}

static struct write *enqueue(struct disk *d, enum write_kind kind)
{
    struct write **end = &d->writes;
    struct write *w = new (sizeof *w);

    w->kind = kind;
    w->disk = d;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = w;
    d->enqueued++;
    return w;
}

static int io_append(struct raft_io *io, struct raft_io_append *req,
                     const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
    struct disk *d = disk_of(io);
    struct write *w = enqueue(d, WRITE_ENTRIES);

    req->cb = cb;
    w->append = req;
    w->count = n;
    w->entry = new (n * sizeof *w->entry);
    for (unsigned i = 0; i < n; i++) {
        const struct raft_entry *e = &entries[i];
        w->entry[i] = (struct stored){e->term, e->type, e->buf.len, malloc(e->buf.len)};
        memcpy(w->entry[i].data, e->buf.base, e->buf.len);
    }
    start_writing(d);
    return 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
    struct disk *d = disk_of(io);

    enqueue(d, WRITE_END)->end = index;
    start_writing(d);
    return 0;
}

/* Snapshots. */

static void on_taken(void *context)
{
    struct job *j = context;
    struct disk *d = j->disk;
    struct write *w = d->taking;

    if (!is_wanted(j)) {
        free(j);
    } else if (d->finished < w->behind) {
        post(d, MS, on_taken, j);
    } else if (d->is_full) {
        post(d, RETRY_US, on_taken, j);
    } else {
        free(j);
        keep(d, w, false);
        d->taking = NULL;
        finish(w, 0);
    }
}

static int io_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                           const struct raft_snapshot *s, raft_io_snapshot_put_cb cb)
{
    struct disk *d = disk_of(io);
    struct write *w;

    if (trailing == 0) {
        w = enqueue(d, WRITE_SNAPSHOT);
    } else {
        w = new (sizeof *w);
        w->kind = WRITE_SNAPSHOT;
        w->disk = d;
        w->behind = d->enqueued;
        d->taking = w;
        post(d, 2 * latency(d), on_taken, job_new(d));
    }
    req->cb = cb;
    w->put = req;
    w->trailing = trailing;
    w->snapshot.index = s->index;
    w->snapshot.term = s->term;
    w->snapshot.configuration_index = s->configuration_index;
    copy_configuration(&s->configuration, &w->snapshot.configuration);
    memcpy(w->snapshot.data, s->bufs[0].base, sizeof w->snapshot.data);
    start_writing(d);
    return 0;
}

static struct raft_snapshot *load_snapshot(const struct disk *d)
{
    const struct stored_snapshot *from = &d->snapshot[d->snapshots - 1];
    struct raft_snapshot *s = raft_malloc(sizeof *s);

    s->index = from->index;
    s->term = from->term;
    s->configuration_index = from->configuration_index;
    copy_configuration(&from->configuration, &s->configuration);
    s->n_bufs = 1;
    s->bufs = raft_malloc(sizeof *s->bufs);
    s->bufs[0].len = sizeof from->data;
    s->bufs[0].base = raft_malloc(sizeof from->data);
    memcpy(s->bufs[0].base, from->data, sizeof from->data);
    return s;
}

static void give(struct get *g)
{
    struct get **link = &g->disk->gets;
    struct raft_io_snapshot_get *req = g->req;
    struct disk *d = g->disk;

    while (*link != g) {
        link = &(*link)->next;
    }
    *link = g->next;
    free(g);
    req->cb(req, load_snapshot(d), 0);
}

static void on_got(void *context)
{
    struct job *j = context;
    struct get *g = j->disk->gets;

    if (is_wanted(j)) {
        while (g->next != NULL) {
            g = g->next; /* The oldest. */
        }
        give(g);
    }
    free(j);
}

static int io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req,
                           raft_io_snapshot_get_cb cb)
{
    struct disk *d = disk_of(io);
    struct get *g = new (sizeof *g);

    req->cb = cb;
    *g = (struct get){.next = d->gets, .disk = d, .req = req};
    d->gets = g;
    post(d, latency(d), on_got, job_new(d));
    return 0;
}

/* Beginning and end. */

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

/* As libraft's own: what the snapshot has and the entries do not go on from is left out. */
static int io_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                   struct raft_snapshot **snapshot, raft_index *start_index,
                   struct raft_entry *entries[], size_t *n_entries)
{
    struct disk *d = disk_of(io);
    raft_index covered = d->snapshots > 0 ? d->snapshot[d->snapshots - 1].index : 0;
    struct raft_entry *e;

    *term = d->term;
    *voted_for = d->vote;
    *snapshot = d->snapshots > 0 ? load_snapshot(d) : NULL;
    if (disk_last(d) < covered) {
        drop_entries(d, 0, d->count);
        d->first = covered + 1;
    }
    if (d->first > covered + 1) {
        violation("server %u has entries from %llu on, and a snapshot up to %llu",
                  d->server->number, d->first, covered);
    }
    trace(d->server, "finds a snapshot up to entry %llu, and entries %llu to %llu", covered,
          d->first, disk_last(d));
    *start_index = d->first;
    *n_entries = d->count;
    *entries = d->count > 0 ? raft_malloc(d->count * sizeof **entries) : NULL;
    for (size_t i = 0; i < d->count; i++) {
        e = &(*entries)[i];
        *e = (struct raft_entry){.term = d->entry[i].term, .type = d->entry[i].type};
        e->buf.len = d->entry[i].len;
        e->buf.base = raft_malloc(e->buf.len);
        e->batch = e->buf.base;
        memcpy(e->buf.base, d->entry[i].data, e->buf.len);
    }
    return 0;
}

static void on_tick(void *context)
{
    struct job *j = context;

    if (!is_wanted(j)) {
        free(j);
        return;
    }
    post(j->disk, j->count * MS, on_tick, j);
    j->disk->tick(j->disk->io);
}

static int io_start(struct raft_io *io, unsigned ms, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
    struct disk *d = disk_of(io);
    struct job *j = job_new(d);

    d->tick = tick;
    d->recv = recv;
    j->count = ms;
    post(d, 1 + (int64_t)chance(ms * MS), on_tick, j);
    return 0;
}

void disk_found(struct disk *d, const struct raft_configuration *configuration)
{
    struct raft_buffer buffer;
    struct write w = {.count = 1};
    struct stored entry;

    if (raft_configuration_encode(configuration, &buffer) != 0) {
        abort();
    }
    entry = (struct stored){1, RAFT_CHANGE, buffer.len, malloc(buffer.len)};
    memcpy(entry.data, buffer.base, buffer.len);
    raft_free(buffer.base);
    w.entry = &entry;
    d->term = 1;
    keep_entries(d, &w);
}

static int io_bootstrap(struct raft_io *io, const struct raft_configuration *configuration)
{
    struct disk *d = disk_of(io);

    if (d->term > 0) {
        return RAFT_CANTBOOTSTRAP;
    }
    disk_found(d, configuration);
    return 0;
}

static int io_recover(struct raft_io *io, const struct raft_configuration *configuration)
{
    (void)io;
    (void)configuration;
    return RAFT_IOERR; /* Nothing here has need of it. */
}

static int io_set_term(struct raft_io *io, raft_term term)
{
    struct disk *d = disk_of(io);

    d->term = term;
    d->vote = 0;
    return 0;
}

static int io_set_vote(struct raft_io *io, raft_id id)
{
    disk_of(io)->vote = id;
    return 0;
}

static raft_time io_time(struct raft_io *io)
{
    (void)io;
    return (raft_time)(world.now_us / MS);
}

static int io_random(struct raft_io *io, int min, int max)
{
    (void)io;
    return min + (int)chance((uint64_t)max - (uint64_t)min + 1);
}

/* What waits is canceled; of what is being written, some may be there. */
void disk_close_now(struct disk *d)
{
    raft_io_close_cb closed = d->closed;
    bool is_written = d->writing && !d->server->is_frozen && one_in(2);
    struct write *w;

    if (closed == NULL) {
        return;
    }
    d->closed = NULL;
    while ((w = d->writes) != NULL) {
        d->writes = w->next;
        is_written = is_written && w->kind == WRITE_ENTRIES;
        if (is_written) {
            keep(d, w, false);
        }
        finish(w, is_written ? 0 : RAFT_CANCELED);
        is_written = is_written && one_in(2);
    }
    if ((w = d->taking) != NULL) {
        d->taking = NULL;
        finish(w, RAFT_CANCELED);
    }
    while (d->gets != NULL) {
        give(d->gets);
    }
    wire_cancel(d);
    d->writing = false;
    d->tick = NULL;
    d->recv = NULL;
    closed(d->io);
}

static void on_closed(void *context)
{
    struct job *j = context;

    if (j->disk->opened == j->opened) {
        disk_close_now(j->disk);
    }
    free(j);
}

static void io_close(struct raft_io *io, raft_io_close_cb cb)
{
    struct disk *d = disk_of(io);

    d->closing = true;
    d->closed = cb;
    if (!d->server->is_frozen) {
        post(d, latency(d), on_closed, job_new(d));
    }
}

int raft_uv_init(struct raft_io *io, struct uv_loop_s *loop, const char *dir,
                 struct raft_uv_transport *transport)
{
    struct loop *mine = loop->data;
    struct disk *d = &mine->server->disk;

    (void)dir;
    (void)transport;
    *io = (struct raft_io){.version = 2,
                           .capacity = CAPACITY_KIB,
                           .impl = d,
                           .init = io_init,
                           .close = io_close,
                           .load = io_load,
                           .start = io_start,
                           .bootstrap = io_bootstrap,
                           .recover = io_recover,
                           .set_term = io_set_term,
                           .set_vote = io_set_vote,
                           .send = wire_send,
                           .append = io_append,
                           .truncate = io_truncate,
                           .snapshot_put = io_snapshot_put,
                           .snapshot_get = io_snapshot_get,
                           .time = io_time,
                           .random = io_random};
    world.totals.reopened += d->server->is_up;
    d->io = io;
    d->opened++;
    d->closing = false;
    d->enqueued = 0;
    d->finished = 0;
    return 0;
}

void raft_uv_close(struct raft_io *io)
{
    disk_of(io)->io = NULL;
}

void raft_uv_set_segment_size(struct raft_io *io, size_t size)
{
    (void)io;
    (void)size;
}

void raft_uv_set_connect_retry_delay(struct raft_io *io, unsigned ms)
{
    (void)io;
    (void)ms;
}

void raft_uv_set_disk_retry(struct raft_io *io, unsigned ms)
{
    (void)io;
    (void)ms;
}

void raft_uv_set_auto_recovery(struct raft_io *io, bool flag)
{
    (void)io;
    (void)flag;
}

void raft_uv_set_tracer(struct raft_io *io, struct raft_tracer *tracer)
{
    (void)io;
    (void)tracer;
}

/* The disk itself. */

void disk_init(struct disk *d, struct server *server)
{
    *d = (struct disk){.server = server, .first = 1, .latency_us = MS};
}

void disk_crash(struct disk *d)
{
    size_t count = 0;
    size_t kept;
    struct write *w;

    for (w = d->writes; w != NULL; w = w->next) {
        count++;
    }
    kept = chance(count + 1);
    for (w = d->writes; w != NULL && kept > 0 && !d->is_full; w = w->next, kept--) {
        keep(d, w, true);
        d->finished++;
    }
    w = d->taking;
    if (w != NULL && d->finished >= w->behind && one_in(2)) {
        keep(d, w, true);
    }
    if (mutant == MUTANT_DISK_FORGETS && d->count > 1) {
        size_t lost = chance(d->count < 8 ? d->count : 8);
        drop_entries(d, d->count - lost, lost);
    }
}

void disk_wipe(struct disk *d)
{
    struct server *server = d->server;
    unsigned opened = d->opened;

    drop_entries(d, 0, d->count);
    free(d->entry);
    for (unsigned i = 0; i < d->snapshots; i++) {
        raft_configuration_close(&d->snapshot[i].configuration);
    }
    disk_init(d, server);
    d->opened = opened;
}
