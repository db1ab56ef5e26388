#include "test/files/site.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENT_BYTES = 64 * 1024 };

/* Nobody is on the network. */

static int transport_init(struct raft_uv_transport *t, raft_id id, const char *address)
{
    (void)t;
    (void)id;
    (void)address;
    return 0;
}

static int transport_listen(struct raft_uv_transport *t, raft_uv_accept_cb cb)
{
    (void)t;
    (void)cb;
    return 0;
}

static int transport_connect(struct raft_uv_transport *t, struct raft_uv_connect *req, raft_id id,
                             const char *address, raft_uv_connect_cb cb)
{
    (void)t;
    (void)req;
    (void)id;
    (void)address;
    (void)cb;
    return RAFT_NOCONNECTION;
}

static void transport_close(struct raft_uv_transport *t, raft_uv_transport_close_cb cb)
{
    cb(t);
}

static const struct raft_uv_transport nobody = {
    .version = 1,
    .init = transport_init,
    .listen = transport_listen,
    .connect = transport_connect,
    .close = transport_close,
};

/* The executor. */

static void save(struct site *s, const struct message *asked)
{
    char path[128], content[256];
    struct manifest m = {.at = asked->at};
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", s->dir, (const char *)asked->data);
    for (size_t i = 0; i < sizeof content; i++) {
        content[i] = (char)(i * 7 + (size_t)s->snapshots);
    }
    file = fopen(path, "we");
    assert(file != NULL && fwrite(content, sizeof content, 1, file) == 1);
    fclose(file);
    assert(manifest_of_file(path, &m) == 0);
    core_saved(&s->core, 0, &m);
}

static void put(void *context, struct message *m)
{
    struct site *s = context;

    switch (m->kind) {
    case MESSAGE_LEAD:
        s->leads = true;
        s->epoch = m->epoch;
        s->seq = 0;
        break;
    case MESSAGE_COMMITTED:
        s->acknowledged = m->at.index;
        s->chain[m->at.index] = m->at.chain;
        break;
    case MESSAGE_LOST: /* At the end. */
    case MESSAGE_FOLLOW:
    case MESSAGE_RESTORE:
        break;
    case MESSAGE_SAVE:
        save(s, m);
        break;
    default:
        fprintf(stderr, "message %d: %s\n", (int)m->kind,
                m->kind == MESSAGE_FATAL ? (char *)m->data : "");
        abort();
    }
    free(m);
}

static void fetch(void *context, const struct manifest *m)
{
    (void)context;
    (void)m;
    abort();
}

static void stored(void *context, uint64_t index)
{
    struct site *s = context;

    (void)index;
    s->snapshots++;
}

static const struct core_ops ops = {put, fetch, stored};

static void turn(struct site *s)
{
    uv_run(&s->loop, UV_RUN_ONCE);
    core_watch(&s->core);
    s->committed = raft_commit_index(&s->raft);
}

static void identify(struct site *s)
{
    if (identity_read(s->dir, &s->identity) != 0) {
        s->identity = (struct identity){.id = 7, .group = 77, .address = "127.0.0.1:1@2"};
        assert(identity_write(s->dir, &s->identity) == 0);
    }
}

static void begin(struct site *s)
{
    struct raft_configuration only;

    raft_configuration_init(&only);
    assert(raft_configuration_add(&only, s->identity.id, s->identity.address, RAFT_VOTER) == 0);
    raft_bootstrap(&s->raft, &only);
    raft_configuration_close(&only);
}

void site_open(struct site *s, const char *dir)
{
    snprintf(s->dir, sizeof s->dir, "%s", dir);
    s->leads = false;
    s->is_closed = false;
    identify(s);
    uv_loop_init(&s->loop);
    s->transport = nobody;
    assert(raft_uv_init(&s->io, &s->loop, dir, &s->transport) == 0);
    s->io.version = 2;
    core_init(&s->core, &s->raft, &s->io, s->identity.id, &ops, s);
    assert(raft_init(&s->raft, &s->io, &s->core.fsm, s->identity.id, s->identity.address) == 0);
    raft_uv_set_segment_size(&s->io, SEGMENT_BYTES);
    raft_uv_set_auto_recovery(&s->io, false);
    raft_set_snapshot_threshold(&s->raft, UINT32_MAX);
    raft_set_capacity_threshold(&s->raft, 0);
    begin(s);
    assert(raft_start(&s->raft) == 0);
    core_watch(&s->core);
    while (!s->leads) {
        turn(s);
    }
}

static void append(struct site *s, size_t size)
{
    struct message *m = message_new(MESSAGE_APPEND, 0);

    m->data = malloc(entry_size(size));
    for (size_t i = 0; i < size; i++) {
        ((char *)m->data)[ENTRY_HEADER + i] = (char)rand();
    }
    m->len = size;
    m->seq = ++s->seq;
    m->epoch = s->epoch;
    core_append(&s->core, m);
}

void site_append(struct site *s, unsigned count, size_t size)
{
    for (unsigned i = 0; i < count; i++) {
        append(s, 1 + (size_t)rand() % (2 * size));
        while (i % 3 == 0 && s->core.applied < s->seq) {
            turn(s);
        }
    }
    while (s->core.applied < s->seq) {
        turn(s);
    }
}

void site_snapshot(struct site *s)
{
    int before = s->snapshots;

    core_want_snapshot(&s->core);
    append(s, 8); /* libraft looks whether it is time behind an entry. */
    while (s->snapshots == before || s->core.taking) {
        turn(s);
    }
}

void site_mark(struct site *s, unsigned behind)
{
    struct mark m = {.id = s->identity.id};
    struct mark_file f;
    uint64_t index = s->acknowledged - behind;

    m.term = raft_current_term(&s->raft);
    m.vote = s->raft.voted_for;
    while (index > 0 && s->chain[index] == 0) { /* Not one of ours. */
        index--;
    }
    m.committed = index;
    m.at = (struct position){.index = index, .chain = s->chain[index]};
    assert(mark_open(&f, s->dir, &m) == 0);
    assert(mark_write(&f, &m, true) == 0);
    mark_close(&f);
}

static void on_closed(struct raft *raft)
{
    struct site *s = raft->data;

    s->is_closed = true;
}

void site_close(struct site *s)
{
    s->raft.data = s;
    raft_close(&s->raft, on_closed);
    while (!s->is_closed) {
        uv_run(&s->loop, UV_RUN_ONCE);
    }
    raft_uv_close(&s->io);
    core_clear(&s->core);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    uv_loop_close(&s->loop);
}

/* Loading. */

static void free_snapshot(struct raft_snapshot *s, struct position *at)
{
    struct manifest m;

    if (s == NULL) {
        return;
    }
    if (manifest_read((struct bytes){s->bufs[0].base, s->bufs[0].len}, &m)) {
        *at = m.at;
    }
    raft_configuration_close(&s->configuration);
    raft_free(s->bufs[0].base);
    raft_free(s->bufs);
    raft_free(s);
}

static void take_entries(struct site_loaded *l, uint64_t first, struct raft_entry *entries,
                         size_t count)
{
    struct machine machine = {0};
    struct applied turn;
    void *batch = NULL;

    machine_restore(&machine, &l->at);
    for (size_t i = 0; i < count; i++) {
        if (entries[i].type == RAFT_COMMAND && first + i > l->at.index && l->problem == NULL) {
            l->problem =
                machine_apply(&machine, first + i,
                              (struct bytes){entries[i].buf.base, entries[i].buf.len}, &turn);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (entries[i].batch != batch) {
            batch = entries[i].batch;
            raft_free(batch);
        }
    }
    raft_free(entries);
    l->last = first + count - 1;
    l->at = machine.at;
    machine_clear(&machine);
}

/* Without raft_io.init(), which has the kernel set up what only writers need, and takes
 * longer than all the rest. */
void site_load(const char *dir, struct site_loaded *l)
{
    struct raft_uv_transport transport = nobody;
    struct raft_io io = {0};
    uv_loop_t loop;
    raft_term term;
    raft_id vote;
    struct raft_snapshot *snapshot = NULL;
    raft_index first = 1;
    struct raft_entry *entries = NULL;
    size_t count = 0;

    *l = (struct site_loaded){0};
    uv_loop_init(&loop);
    assert(raft_uv_init(&io, &loop, dir, &transport) == 0);
    raft_uv_set_auto_recovery(&io, false);
    l->err = io.load(&io, &term, &vote, &snapshot, &first, &entries, &count);
    if (l->err == 0) {
        free_snapshot(snapshot, &l->at);
        take_entries(l, first, entries, count);
    } else {
        fprintf(stderr, "libraft: %s\n", io.errmsg);
    }
    raft_uv_close(&io);
    uv_loop_close(&loop);
}
