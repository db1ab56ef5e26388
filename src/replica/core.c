#include "replica/core.h"

#include "base/clock.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

/* Entries that stay behind a snapshot, for followers that lag a little. */
enum {
    TRAILING_BYTES = 4 * 1024 * 1024,
    TRAILING_LEAST = 16,
    RETRY_US = 1000 * 1000, /* Behind a snapshot that could not be saved. */
    FORCE_US = 30 * 1000 * 1000,
    LOG_SHARE = 8,                /* The log may become so many times smaller than the data, */
    LOG_MOST = 512 * 1024 * 1024, /* and no longer than that. */
};

/* A snapshot that libraft wants stored, and whose file is not there yet. */
struct held_put {
    struct core *core;
    unsigned trailing;
    struct raft_io_snapshot_put *req;
    const struct raft_snapshot *snapshot;
    raft_io_snapshot_put_cb cb;
    struct manifest manifest;
    bool is_storing; /* libraft has it now, and will tell. */
};

static void put(struct core *c, struct message *m)
{
    c->ops->put(c->context, m);
}

static void fail(struct core *c, const char *problem)
{
    struct message *m = message_new(MESSAGE_FATAL, strlen(problem) + 1);

    if (c->fatal == NULL) {
        c->fatal = problem;
        memcpy(m->data, problem, m->len);
        put(c, m);
    } else {
        free(m);
    }
}

/* The tenure. */

static void drop_waiting(struct core *c)
{
    while (c->waiting != NULL) {
        struct message *m = c->waiting;

        c->waiting = m->next;
        free(m->data);
        free(m);
    }
    c->last_waiting = &c->waiting;
}

static void lose(struct core *c, enum lost why)
{
    struct message *m = message_new(MESSAGE_LOST, 0);

    drop_waiting(c);
    c->leads = false;
    c->is_believed = why == LOST_DISK_FULL;
    c->ends = false;
    c->under_way = 0;
    m->status = why;
    put(c, m);
}

/* A disk that is full takes no more, but what it has been given will be committed. */
static void end_when_done(struct core *c)
{
    drop_waiting(c);
    c->ends = true;
    c->is_full = true;
    c->force_us = clock_monotonic_us() + FORCE_US;
    if (c->applied == c->appended) {
        lose(c, LOST_DISK_FULL);
    }
}

static bool raft_leads(const struct core *c)
{
    return raft_state(c->raft) == RAFT_LEADER && raft_transferee(c->raft) == 0;
}

static void begin(struct core *c)
{
    struct message *m = message_new(MESSAGE_LEAD, 0);
    uint64_t last = c->machine.at.epoch > c->epoch ? c->machine.at.epoch : c->epoch;

    c->leads = true;
    c->is_believed = true;
    c->ends = false;
    c->is_full = false;
    c->epoch = last + 1;
    c->chain = c->machine.at.chain;
    c->appended = 0;
    c->applied = 0;
    m->epoch = c->epoch;
    m->at = c->machine.at;
    put(c, m);
}

static void on_barrier(struct raft_barrier *barrier, int status)
{
    struct core *c = barrier->data;

    c->barrier_waits = false;
    if (status == 0 && !c->leads && c->fatal == NULL && raft_leads(c)) {
        begin(c);
    }
}

/* Servers that have found no room when they started look for some only when there is
 * something to be written, and libraft does not take what there is no room for. So it is
 * made to take a barrier, which waits in it: at the beginning, and then seldom, since a full
 * disk may have just enough room left for it. */
static bool may_force(struct core *c)
{
    if (c->is_full && c->io->capacity > 0 && clock_monotonic_us() < c->force_us) {
        return false;
    }
    c->force_us = clock_monotonic_us() + FORCE_US;
    return true;
}

static unsigned voters(const struct core *c)
{
    unsigned count = 0;

    for (unsigned i = 0; i < c->raft->configuration.n; i++) {
        count += c->raft->configuration.servers[i].role == RAFT_VOTER;
    }
    return count;
}

/* libraft has the only voter lead without an election, in the term that there was. If it has led
 * in that before, servers that do not vote may have entries of the same term and index which it has
 * lost since: they would keep those, with other contents. So it gets a term of its own. Returns
 * false if that cannot be written. */
static bool take_term(struct core *c)
{
    struct raft *r = c->raft;

    if (voters(c) > 1 || c->own_term == r->current_term) {
        return true;
    }
    if (r->io->set_term(r->io, r->current_term + 1) != 0) {
        return false;
    }
    r->current_term++;
    r->voted_for = 0;
    c->own_term = r->current_term;
    return true;
}

/* libraft forgets to note that it leads if its disk was full when it began to; and then it
 * does not tell, when it leads no more, of what waits. */
static void want_barrier(struct core *c)
{
    unsigned short threshold = c->raft->capacity_threshold;

    c->raft->legacy.prev_state = RAFT_LEADER;
    c->barrier.data = c;
    c->barrier_waits = true;
    if (may_force(c)) {
        raft_set_capacity_threshold(c->raft, 0);
    }
    if (raft_barrier(c->raft, &c->barrier, on_barrier) != 0) {
        c->barrier_waits = false; /* The disk is full: it is tried again. */
    }
    raft_set_capacity_threshold(c->raft, threshold);
}

/* The larger the data, the more log it takes until it is worth to write them all again; but
 * libraft has the log in memory. */
static uint64_t log_is_long_at(const struct core *c)
{
    uint64_t share = c->file_bytes / LOG_SHARE;
    uint64_t least = share < LOG_MOST ? share : LOG_MOST;

    return c->snapshot_bytes > least ? c->snapshot_bytes : least;
}

/* A change of the group is waited for, but not for ever: the log is in memory. */
static bool is_changing(const struct core *c)
{
    enum { PATIENCE = 4 };

    return c->raft->configuration_uncommitted_index != 0 &&
           c->log_bytes / PATIENCE < log_is_long_at(c);
}

/* Whether it is time for a snapshot, as far as libraft can take one. */
static bool wants_snapshot(const struct core *c)
{
    if (c->not_before_us > clock_monotonic_us() || is_changing(c)) {
        return false;
    }
    return (c->snapshot_wanted || c->log_bytes >= log_is_long_at(c)) && !c->taking &&
           !c->installing && (c->log_entries > 0 || c->not_before_us > 0);
}

static unsigned trailing(const struct core *c)
{
    uint64_t average = c->log_bytes / (c->log_entries + 1) + 1;
    uint64_t fit = TRAILING_BYTES / average;

    return fit < TRAILING_LEAST ? TRAILING_LEAST : (unsigned)fit;
}

/* Appending. */

struct append {
    struct raft_apply apply;
    struct core *core;
};

/* Tells of failures only: see apply(). */
static void on_applied(struct raft_apply *apply, int status, void *result)
{
    struct append *a = apply->data;
    struct core *c = a->core;

    (void)result;
    free(a);
    if (status == 0) {
        return;
    }
    if (status != RAFT_LEADERSHIPLOST && status != RAFT_CANCELED && status != RAFT_SHUTDOWN) {
        fail(c, raft_strerror(status));
    } else if (c->is_believed) {
        lose(c, LOST_LEADERSHIP);
    }
}

/* What libraft does not take for these two reasons it leaves to us. */
static void refused(struct core *c, void *entry, int err)
{
    if (err == RAFT_NOSPACE) {
        free(entry);
        end_when_done(c);
    } else if (err == RAFT_NOTLEADER) {
        free(entry);
        lose(c, LOST_LEADERSHIP);
    } else {
        fail(c, raft_errmsg(c->raft));
    }
}

/* Gives libraft an entry, a block of malloc(), which is then libraft's. */
static bool submit(struct core *c, struct entry_header header, void *entry, size_t len)
{
    struct raft_buffer buffer = {.base = entry, .len = entry_size(len)};
    struct append *a = malloc(sizeof *a);
    uint64_t chain;
    int err;

    if (a == NULL) {
        abort();
    }
    header.chain = c->chain;
    header.applied = c->machine.at.index;
    entry_complete(entry, header, len);
    chain = entry_chain(c->chain, (struct bytes){entry, buffer.len});
    a->core = c;
    a->apply.data = a;
    err = raft_apply(c->raft, &a->apply, &buffer, 1, on_applied);
    if (err == 0) {
        c->chain = chain;
        return true;
    }
    free(a);
    refused(c, entry, err);
    return false;
}

/* Splits what is too long for an entry. */
static bool submit_parts(struct core *c, struct entry_header header, const char *changes,
                         size_t len)
{
    for (header.part = 0; len > 0; header.part++) {
        size_t part = len < ENTRY_PART_MAX ? len : ENTRY_PART_MAX;
        void *entry = malloc(entry_size(part));

        if (entry == NULL) {
            abort();
        }
        memcpy((char *)entry + ENTRY_HEADER, changes, part);
        changes += part;
        len -= part;
        header.is_last = len == 0;
        if (!submit(c, header, entry, part)) {
            return false;
        }
    }
    return true;
}

static bool submit_turn(struct core *c, struct message *m)
{
    struct entry_header header = {
        .writer = c->self, .epoch = c->epoch, .seq = m->seq, .time_us = m->at.time_us};
    bool done;

    if (m->len <= ENTRY_PART_MAX) {
        header.is_last = 1;
        return submit(c, header, m->data, m->len);
    }
    done = submit_parts(c, header, (char *)m->data + ENTRY_HEADER, m->len);
    free(m->data);
    return done;
}

/* What was sent before the executor has heard of an end is void. */
void core_append(struct core *c, struct message *m)
{
    if (c->fatal != NULL || !c->leads || c->ends || m->epoch != c->epoch) {
        free(m->data);
        free(m);
        return;
    }
    m->next = NULL;
    *c->last_waiting = m;
    c->last_waiting = &m->next;
}

/* libraft writes one at a time, so what comes next had better grow meanwhile. Where there
 * are others, one may be on its way to them while another one is written. */
bool core_is_busy(const struct core *c)
{
    unsigned most = c->raft->configuration.n == 1 ? 1 : 2;

    return c->under_way >= most;
}

/* Takes as many of the waiting turns as fit into an entry, at least one. */
static struct message *take_turns(struct core *c, size_t *len)
{
    struct message *first = c->waiting, *last = first;

    *len = first->len;
    while (last->next != NULL && *len + last->next->len <= ENTRY_PART_MAX) {
        last = last->next;
        *len += last->len;
    }
    c->waiting = last->next;
    if (c->waiting == NULL) {
        c->last_waiting = &c->waiting;
    }
    last->next = NULL;
    return first;
}

/* Returns the last of some turns, with the changes of all of them, `len` bytes. */
static struct message *join(struct message *m, size_t len)
{
    char *data = malloc(entry_size(len));
    char *end = data + ENTRY_HEADER;

    if (data == NULL) {
        abort();
    }
    while (true) {
        struct message *next = m->next;

        memcpy(end, (char *)m->data + ENTRY_HEADER, m->len);
        end += m->len;
        free(m->data);
        if (next == NULL) {
            m->data = data;
            m->len = len;
            return m;
        }
        free(m);
        m = next;
    }
}

/* Those that have gathered become one, so that they share an entry. */
static void submit_waiting(struct core *c)
{
    while (c->waiting != NULL && !core_is_busy(c)) {
        size_t len;
        struct message *m = take_turns(c, &len);
        uint64_t seq;

        if (m->next != NULL) {
            m = join(m, len);
        }
        seq = m->seq;
        if (submit_turn(c, m)) {
            c->appended = seq;
            c->under_way++;
        }
        free(m);
    }
}

void core_watch(struct core *c)
{
    if (c->fatal != NULL) {
        return;
    }
    if (c->is_believed && !raft_leads(c)) {
        lose(c, LOST_LEADERSHIP);
    }
    if (!c->leads && !c->barrier_waits && raft_leads(c) && take_term(c)) {
        want_barrier(c);
    }
    if (wants_snapshot(c)) {
        raft_set_snapshot_trailing(c->raft, trailing(c));
        raft_set_snapshot_threshold(c->raft, 1);
    }
    submit_waiting(c);
}

/* The state machine. */

static bool is_own(const struct core *c, const struct entry_header *h)
{
    return c->leads && h->writer == c->self && h->epoch == c->epoch;
}

static void tell_committed(struct core *c, const struct entry_header *h)
{
    struct message *m = message_new(MESSAGE_COMMITTED, 0);

    m->seq = h->seq;
    m->at = c->machine.at;
    c->applied = h->seq;
    c->under_way--;
    put(c, m);
    if (c->ends && c->applied == c->appended) {
        lose(c, LOST_DISK_FULL);
    }
}

static void tell_changes(struct core *c, struct bytes changes)
{
    struct message *m = message_new(MESSAGE_FOLLOW, changes.len);

    if (changes.len > 0) {
        memcpy(m->data, changes.at, changes.len);
    }
    m->at = c->machine.at;
    put(c, m);
}

/* The first sign that others lead may be an entry of theirs. */
static int apply(struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    struct core *c = fsm->data;
    struct bytes entry = {buffer->base, buffer->len};
    struct applied applied;
    const char *problem;

    *result = NULL;
    if (c->is_believed && raft_state(c->raft) != RAFT_LEADER) {
        lose(c, LOST_LEADERSHIP);
    }
    if (c->fatal != NULL) {
        return 0;
    }
    problem = machine_apply(&c->machine, raft_last_applied(c->raft) + 1, entry, &applied);
    if (problem != NULL) {
        fail(c, problem);
        return 0;
    }
    c->log_bytes += buffer->len;
    c->log_entries++;
    if (!applied.is_whole) {
        return 0;
    }
    if (is_own(c, &applied.header)) {
        tell_committed(c, &applied.header);
    } else {
        tell_changes(c, applied.changes);
    }
    return 0;
}

/* Snapshots. */

static struct message *message_of_file(enum message_kind kind, const struct position *at)
{
    struct message *m = message_new(kind, MANIFEST_NAME);

    manifest_name(at->index, m->data);
    m->at = *at;
    return m;
}

/* The manifest is filled in when the file is there. libraft takes its commit index for where
 * the state machine is; but a leader that goes back over a follower's log, to see where it
 * ends to be the same, makes that fall behind. And of two changes of the group that are
 * applied in one go it would note neither, and take the second for uncommitted ever after. */
static int snapshot(struct raft_fsm *fsm, struct raft_buffer *buffers[], unsigned *count)
{
    struct core *c = fsm->data;

    raft_set_snapshot_threshold(c->raft, UINT_MAX);
    if (c->fatal != NULL || c->taking || c->installing || c->machine.parts > 0 || is_changing(c) ||
        raft_last_applied(c->raft) != raft_commit_index(c->raft)) {
        return RAFT_BUSY; /* core_watch() goes on wanting it. */
    }
    *buffers = raft_malloc(sizeof **buffers);
    if (*buffers == NULL) {
        return RAFT_NOMEM;
    }
    (*buffers)->len = MANIFEST_SIZE;
    (*buffers)->base = raft_calloc(1, MANIFEST_SIZE);
    if ((*buffers)->base == NULL) {
        raft_free(*buffers);
        return RAFT_NOMEM;
    }
    *count = 1;
    c->taking = true;
    c->snapshot_wanted = false;
    c->log_bytes = 0;
    c->log_entries = 0;
    return 0;
}

static int restore(struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    struct core *c = fsm->data;
    struct manifest m;

    if (!manifest_read((struct bytes){buffer->base, buffer->len}, &m)) {
        return RAFT_CORRUPT;
    }
    machine_restore(&c->machine, &m.at);
    c->snapshot_index = m.at.index;
    c->file_bytes = m.size;
    c->log_bytes = 0;
    c->log_entries = 0;
    put(c, message_of_file(MESSAGE_RESTORE, &m.at));
    raft_free(buffer->base);
    return 0;
}

static void on_stored(struct raft_io_snapshot_put *req, int status)
{
    struct held_put *h = req->data;
    struct core *c = h->core;
    struct raft_io_snapshot_put *original = h->req;
    raft_io_snapshot_put_cb cb = h->cb;

    c->held = NULL;
    c->taking = false;
    c->installing = false;
    if (status == 0) {
        c->older_index = c->snapshot_index;
        c->snapshot_index = h->manifest.at.index;
        c->file_bytes = h->manifest.size;
        c->ops->stored(c->context, c->snapshot_index);
    }
    free(h);
    free(req);
    cb(original, status);
}

/* Has the held snapshot stored. */
static void store(struct held_put *h)
{
    struct raft_io_snapshot_put *req = malloc(sizeof *req);
    struct core *c = h->core;

    if (req == NULL) {
        abort();
    }
    manifest_write(&h->manifest, h->snapshot->bufs[0].base);
    req->data = h;
    h->is_storing = true;
    if (c->put_snapshot(c->io, h->trailing, req, h->snapshot, on_stored) != 0) {
        on_stored(req, RAFT_CANCELED);
    }
}

/* Gives the held snapshot up. */
static void give_up(struct held_put *h)
{
    struct raft_io_snapshot_put *req = malloc(sizeof *req);

    if (req == NULL) {
        abort();
    }
    req->data = h;
    on_stored(req, RAFT_CANCELED);
}

/* libraft tells by trailing == 0 that it has been sent this one. */
static int hold_put(struct raft_io *io, unsigned trailing_entries, struct raft_io_snapshot_put *req,
                    const struct raft_snapshot *s, raft_io_snapshot_put_cb cb)
{
    struct core *c = ((struct raft *)io->data)->fsm->data;
    struct bytes manifest = {s->bufs[0].base, s->bufs[0].len};
    struct held_put *h = calloc(1, sizeof *h);

    if (h == NULL) {
        abort();
    }
    assert(c->held == NULL);
    *h = (struct held_put){
        .core = c, .trailing = trailing_entries, .req = req, .snapshot = s, .cb = cb};
    c->held = h;
    if (trailing_entries > 0) {
        h->manifest.at = c->machine.at;
        put(c, message_of_file(MESSAGE_SAVE, &h->manifest.at));
    } else if (manifest_read(manifest, &h->manifest)) {
        c->installing = true;
        c->ops->fetch(c->context, &h->manifest);
    } else {
        fail(c, "a snapshot was sent that is none of ours");
    }
    return 0;
}

void core_saved(struct core *c, int err, const struct manifest *m)
{
    struct held_put *h = c->held;

    if (h == NULL || !c->taking || m->at.index != h->manifest.at.index) {
        return; /* It was for another one, which has been given up. */
    }
    if (err != 0) {
        c->not_before_us = clock_monotonic_us() + RETRY_US;
        c->snapshot_wanted = true;
        give_up(h);
        return;
    }
    h->manifest.size = m->size;
    h->manifest.checksum = m->checksum;
    store(h);
}

void core_fetched(struct core *c, int err)
{
    if (c->held == NULL || !c->installing) {
        return;
    }
    if (err != 0) {
        give_up(c->held);
    } else {
        store(c->held);
    }
}

void core_end(struct core *c)
{
    if (c->is_believed) {
        lose(c, LOST_LEADERSHIP);
    }
    if (c->held != NULL && !c->held->is_storing) {
        give_up(c->held);
    }
}

void core_want_snapshot(struct core *c)
{
    c->snapshot_wanted = true;
    core_watch(c);
}

/* Between libraft and its input. */

static void drop_snapshot(struct raft_install_snapshot *s)
{
    raft_configuration_close(&s->conf);
    raft_free(s->data.base);
}

const struct heard *core_heard(const struct core *c, uint64_t id)
{
    for (size_t i = 0; i < CORE_PEERS; i++) {
        if (c->heard[i].id == id) {
            return &c->heard[i];
        }
    }
    return NULL;
}

/* Of more servers than there are places, who has been silent for longest is forgotten. */
static void note_heard(struct core *c, uint64_t id)
{
    struct heard *place = (struct heard *)core_heard(c, id);

    if (place == NULL) {
        place = c->heard;
        for (size_t i = 1; i < CORE_PEERS; i++) {
            if (c->heard[i].at_us < place->at_us) {
                place = &c->heard[i];
            }
        }
    }
    *place = (struct heard){id, clock_monotonic_us()};
}

static struct raft_server *self_in_group(const struct core *c)
{
    struct raft_configuration *all = &c->raft->configuration;

    for (unsigned i = 0; i < all->n; i++) {
        if (all->servers[i].id == c->self) {
            return &all->servers[i];
        }
    }
    return NULL;
}

/* Who counts a vote decides by its own log whose vote counts; who is asked may not know yet that
 * it is to vote, and answers all the same (Ongaro's dissertation, 4.1). libraft has it refuse:
 * then the only voter, killed while it made another server a second one, could never be elected
 * again. So a server that does not vote does as if it did while it is asked. */
static void receive_vote_request(struct core *c, struct raft_io *io, struct raft_message *m)
{
    struct raft_server *self = self_in_group(c);
    int role = self != NULL ? self->role : RAFT_VOTER;

    if (role != RAFT_VOTER) {
        self->role = RAFT_VOTER;
    }
    c->recv(io, m);
    self = self_in_group(c);
    if (role != RAFT_VOTER && self != NULL) {
        self->role = role;
    }
}

/* Makes *to some of the entries of *from, in memory of their own. */
static void copy_entries(struct raft_append_entries *to, const struct raft_append_entries *from,
                         unsigned first, unsigned count)
{
    size_t len = 0;
    char *batch;

    *to = *from;
    for (unsigned i = first; i < first + count; i++) {
        len += from->entries[i].buf.len;
    }
    batch = raft_malloc(len);
    to->entries = raft_malloc(count * sizeof *to->entries);
    if (batch == NULL || to->entries == NULL) {
        abort();
    }
    to->n_entries = count;
    for (unsigned i = 0; i < count; i++) {
        to->entries[i] = from->entries[first + i];
        to->entries[i].batch = i == 0 ? batch : to->entries[0].batch;
        to->entries[i].buf.base = batch;
        memcpy(batch, from->entries[first + i].buf.base, to->entries[i].buf.len);
        batch += to->entries[i].buf.len;
    }
    if (first > 0) {
        to->prev_log_index += first;
        to->prev_log_term = from->entries[first - 1].term;
    }
}

/* Returns the number of the first change of the group among these entries, behind the first; or how
 * many there are. */
static unsigned find_change(const struct raft_append_entries *a)
{
    unsigned i = 1;

    while (i < a->n_entries && a->entries[i].type != RAFT_CHANGE) {
        i++;
    }
    return i;
}

/* libraft takes a change of the group that it is sent to be the first of the entries that come with
 * it: then it does not see that it is committed, and never allows another one, once this server
 * leads. So it gets such entries as two messages. */
static void receive_entries(struct core *c, struct raft_io *io, struct raft_message *m)
{
    struct raft_append_entries whole = m->append_entries;
    struct raft_message rest = *m;
    unsigned change = find_change(&whole);

    if (change >= whole.n_entries) {
        c->recv(io, m);
        return;
    }
    copy_entries(&m->append_entries, &whole, 0, change);
    copy_entries(&rest.append_entries, &whole, change, whole.n_entries - change);
    raft_free(whole.entries[0].batch);
    raft_free(whole.entries);
    c->recv(io, m);
    receive_entries(c, io, &rest);
}

static void receive(struct raft_io *io, struct raft_message *m)
{
    struct core *c = ((struct raft *)io->data)->fsm->data;

    note_heard(c, m->server_id);
    if (m->type == RAFT_INSTALL_SNAPSHOT && (c->taking || c->installing)) {
        drop_snapshot(&m->install_snapshot);
    } else if (m->type == RAFT_REQUEST_VOTE) {
        receive_vote_request(c, io, m);
    } else if (m->type == RAFT_APPEND_ENTRIES) {
        receive_entries(c, io, m);
    } else {
        c->recv(io, m);
    }
}

/* Whoever asks whether it would be elected and is told no has to learn of a later term, or it asks
 * for ever for one that has passed. libraft tells it its own. */
static int send_message(struct raft_io *io, struct raft_io_send *req, const struct raft_message *m,
                        raft_io_send_cb cb)
{
    const struct raft *r = io->data;
    const struct core *c = r->fsm->data;
    struct raft_message told = *m;
    struct raft_request_vote_result *result = &told.request_vote_result;

    if (m->type == RAFT_REQUEST_VOTE_RESULT && result->pre_vote && !result->vote_granted &&
        result->term < r->current_term) {
        result->term = r->current_term;
    }
    return c->send(io, req, &told, cb);
}

static int start(struct raft_io *io, unsigned ms, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
    struct core *c = ((struct raft *)io->data)->fsm->data;

    c->recv = recv;
    return c->start(io, ms, tick, receive);
}

void core_init(struct core *c, struct raft *raft, struct raft_io *io, uint64_t self,
               const struct core_ops *ops, void *context)
{
    *c = (struct core){.raft = raft, .io = io, .self = self, .ops = ops, .context = context};
    c->last_waiting = &c->waiting;
    c->snapshot_bytes = UINT64_MAX;
    c->fsm = (struct raft_fsm){
        .version = 1, .data = c, .apply = apply, .snapshot = snapshot, .restore = restore};
    c->start = io->start;
    c->send = io->send;
    c->put_snapshot = io->snapshot_put;
    io->start = start;
    io->send = send_message;
    io->snapshot_put = hold_put;
}

void core_clear(struct core *c)
{
    drop_waiting(c);
    machine_clear(&c->machine);
    free(c->held);
    c->held = NULL;
}
