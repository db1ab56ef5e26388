#include "test/simulation/wire.h"

#include "test/simulation/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A way from one server to another. */
struct way {
    bool is_cut;
    unsigned connection; /* Which one it is, */
    int64_t last_us;     /* and when the last message arrives by it. */
    struct letter *held; /* While it is cut, oldest first. */
};

/* A message of libraft's on its way. */
struct letter {
    struct letter *next;
    unsigned from, to; /* Numbers of servers. */
    unsigned connection;
    uint64_t group; /* Of the sender, and */
    raft_id recipient;
    struct raft_message m;
    char address[ADDRESS_TEXT_MAX + 1]; /* Of the sender. */
};

static struct {
    struct way way[SERVERS + 1][SERVERS + 1];
    int64_t latency_us[SERVERS + 1];
    unsigned lost_in_a_thousand;
    unsigned failed_in_a_hundred;
    struct call *calls;
    struct transfer *transfers;
} net;

static void *new (size_t size)
{
    void *at = calloc(1, size);

    if (at == NULL) {
        abort();
    }
    return at;
}

void wire_init(void)
{
    memset(&net, 0, sizeof net);
    for (unsigned i = 0; i <= SERVERS; i++) {
        net.latency_us[i] = MS;
    }
}

void wire_set(unsigned from, int64_t latency_us)
{
    net.latency_us[from] = latency_us;
}

void wire_lose(unsigned in_a_thousand)
{
    net.lost_in_a_thousand = in_a_thousand;
}

void wire_fail_fetches(unsigned in_a_hundred)
{
    net.failed_in_a_hundred = in_a_hundred;
}

bool wire_is_cut(unsigned from, unsigned to)
{
    return net.way[from][to].is_cut;
}

/* Messages of libraft's. */

static void free_letter(void *context)
{
    struct letter *l = context;
    struct raft_message *m = &l->m;

    if (m->type == RAFT_APPEND_ENTRIES && m->append_entries.n_entries > 0) {
        raft_free(m->append_entries.entries[0].batch);
        raft_free(m->append_entries.entries);
    } else if (m->type == RAFT_INSTALL_SNAPSHOT) {
        raft_configuration_close(&m->install_snapshot.conf);
        raft_free(m->install_snapshot.data.base);
    }
    free(l);
}

/* As it is when it has been read off a connection: in memory of its own. */
static void copy_entries(const struct raft_append_entries *from, struct raft_append_entries *to)
{
    size_t len = 0;
    char *batch;

    to->entries = NULL;
    if (from->n_entries == 0) {
        return;
    }
    for (unsigned i = 0; i < from->n_entries; i++) {
        len += from->entries[i].buf.len;
    }
    batch = raft_malloc(len);
    to->entries = raft_malloc(from->n_entries * sizeof *to->entries);
    for (unsigned i = 0; i < from->n_entries; i++) {
        struct raft_entry *e = &to->entries[i];
        *e = from->entries[i];
        e->batch = to->entries[0].batch;
        if (i == 0) {
            e->batch = batch;
        }
        e->buf.base = batch;
        memcpy(batch, from->entries[i].buf.base, e->buf.len);
        batch += e->buf.len;
    }
}

static void copy_snapshot(const struct raft_install_snapshot *from,
                          struct raft_install_snapshot *to)
{
    raft_configuration_init(&to->conf);
    for (unsigned i = 0; i < from->conf.n; i++) {
        const struct raft_server *server = &from->conf.servers[i];
        raft_configuration_add(&to->conf, server->id, server->address, server->role);
    }
    to->data.base = raft_malloc(from->data.len);
    memcpy(to->data.base, from->data.base, from->data.len);
}

static struct letter *write_letter(const struct server *from, const struct server *to,
                                   const struct raft_message *m)
{
    struct letter *l = new (sizeof *l);

    l->from = from->number;
    l->to = to->number;
    l->group = from->node->identity.group;
    l->recipient = m->server_id;
    l->m = *m;
    snprintf(l->address, sizeof l->address, "%s", from->address);
    l->m.server_id = from->node->identity.id;
    l->m.server_address = l->address;
    if (m->type == RAFT_APPEND_ENTRIES) {
        copy_entries(&m->append_entries, &l->m.append_entries);
    } else if (m->type == RAFT_INSTALL_SNAPSHOT) {
        copy_snapshot(&m->install_snapshot, &l->m.install_snapshot);
    }
    return l;
}

/* Servers shake hands first: who is another one by now, or of another group, gets nothing. */
static bool is_for(const struct letter *l, const struct server *s)
{
    const struct identity *identity = &s->node->identity;

    return s->is_up && identity->group == l->group && identity->id == l->recipient;
}

/* What has come by a connection that has broken since may be there, or not. */
static void arrive(void *context)
{
    struct letter *l = context;
    struct server *to = &servers[l->to - 1];
    bool is_late = l->connection != net.way[l->from][l->to].connection;

    if (to->disk.recv == NULL || to->disk.closing || !is_for(l, to) || (is_late && one_in(2))) {
        free_letter(l);
        return;
    }
    to->disk.recv(to->disk.io, &l->m);
    free(l); /* The rest is libraft's. */
}

static void dispatch(struct letter *l)
{
    struct way *w = &net.way[l->from][l->to];
    struct server *to = &servers[l->to - 1];
    int64_t at_us = world.now_us + 20 + around(net.latency_us[l->from]);

    l->connection = w->connection;
    if (at_us < w->last_us) {
        at_us = w->last_us;
    }
    w->last_us = at_us;
    world_post(at_us - world.now_us, to, LOG_THREAD, arrive, free_letter, l);
}

void wire_cut(unsigned from, unsigned to)
{
    net.way[from][to].is_cut = true;
}

static void break_way(struct way *w)
{
    w->connection++;
    w->last_us = world.now_us;
}

void wire_break(unsigned a, unsigned b)
{
    break_way(&net.way[a][b]);
    break_way(&net.way[b][a]);
}

/* What TCP could not deliver it does now, if it has not given up. */
static void heal_way(struct way *w)
{
    bool has_given_up = one_in(2);

    w->is_cut = false;
    if (has_given_up) {
        break_way(w);
    }
    while (w->held != NULL) {
        struct letter *l = w->held;
        w->held = l->next;
        if (has_given_up || !servers[l->to - 1].is_up) {
            free_letter(l);
        } else {
            dispatch(l);
        }
    }
}

void wire_heal(void)
{
    for (unsigned i = 1; i <= server_count; i++) {
        for (unsigned j = 1; j <= server_count; j++) {
            heal_way(&net.way[i][j]);
        }
    }
}

static void hold(struct letter *l)
{
    struct letter **end = &net.way[l->from][l->to].held;
    unsigned count = 0;

    while (*end != NULL) {
        end = &(*end)->next;
        count++;
    }
    if (count < 100) {
        *end = l;
    } else {
        free_letter(l);
    }
}

/* A message that libraft waits to hear the sending of. */
struct sent {
    struct sent *next;
    struct disk *disk; /* NULL: it has heard. */
    struct raft_io_send *req;
    raft_io_send_cb cb;
    int status;
};

static void tell_sent(struct sent *sent, int status)
{
    struct sent **link = &sent->disk->sends;

    while (*link != sent) {
        link = &(*link)->next;
    }
    *link = sent->next;
    sent->disk = NULL;
    sent->cb(sent->req, status);
}

static void on_sent(void *context)
{
    struct sent *sent = context;

    if (sent->disk != NULL) {
        tell_sent(sent, sent->status);
    }
    free(sent);
}

void wire_cancel(struct disk *d)
{
    while (d->sends != NULL) {
        tell_sent(d->sends, RAFT_CANCELED);
    }
}

int wire_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *m,
              raft_io_send_cb cb)
{
    struct disk *d = io->impl;
    struct server *from = d->server;
    struct server *to = server_of_id(m->server_id);
    bool is_there = to != NULL && to->is_up && to != from;
    struct letter *l;
    struct sent *sent;

    if (d->closing) {
        return RAFT_CANCELED;
    }
    req->cb = cb;
    sent = new (sizeof *sent);
    *sent = (struct sent){.next = d->sends,
                          .disk = d,
                          .req = req,
                          .cb = cb,
                          .status = is_there ? 0 : RAFT_NOCONNECTION};
    d->sends = sent;
    world_post(around(100), from, LOG_THREAD, on_sent, free, sent);
    if (!is_there) {
        return 0;
    }
    if (chance(1000) < net.lost_in_a_thousand) {
        world.totals.breaks++;
        wire_break(from->number, to->number);
        return 0;
    }
    l = write_letter(from, to, m);
    if (net.way[l->from][l->to].is_cut) {
        hold(l);
    } else {
        dispatch(l);
    }
    return 0;
}

/* The transport, which libraft is not given here. */

struct transport {
    struct server *server;
};

struct transport *transport_new(uv_loop_t *loop, const struct transport_settings *settings)
{
    struct loop *mine = loop->data;
    struct transport *t = new (sizeof *t);

    (void)settings;
    t->server = mine->server;
    return t;
}

struct raft_uv_transport *transport_for_raft(struct transport *t)
{
    (void)t;
    return NULL;
}

void transport_free(struct transport *t)
{
    free(t);
}

struct peer *transport_peer(struct transport *t)
{
    return (struct peer *)t;
}

static struct server *server_of_peer(struct peer *p)
{
    return ((struct transport *)p)->server;
}

void peer_set_group(struct peer *p, uint64_t group)
{
    (void)p;
    (void)group;
}

/* Whether there is a way there and back. */
static bool is_reached(const struct server *from, const struct server *to)
{
    return to != NULL && to->is_up && !wire_is_cut(from->number, to->number) &&
           !wire_is_cut(to->number, from->number);
}

/* Calls between peers. The stream that the other is given stands for the call. */

struct call {
    struct call *next;
    struct server *from;
    unsigned life;
    uint64_t id; /* Its own, as it was then. */
    struct server *to;
    char address[ADDRESS_TEXT_MAX + 1];
    char request[512];
    char reply[512];
    peer_replied replied; /* NULL: it has been. */
    void *context;
    bool is_answered;
};

static void tell(struct call *c, const char *reply, const char *error)
{
    peer_replied replied = c->replied;

    c->replied = NULL;
    if (replied != NULL) {
        replied(c->context, reply != NULL ? bytes_of(reply) : (struct bytes){0}, error);
    }
}

static void on_call_answered(void *context)
{
    struct call *c = context;

    if (is_reached(c->from, c->to)) {
        tell(c, c->reply, NULL);
    }
}

static void on_call_time_out(void *context)
{
    tell(context, NULL, "Timeout");
}

static void nothing(void *context)
{
    (void)context;
}

/* The serving side. */
static void on_call_arrives(void *context)
{
    struct call *c = context;
    struct peer_caller caller = {
        .kind = PEER_JOIN, .id = c->id, .address = c->address, .request = bytes_of(c->request)};

    if (server_has_raft(c->to)) {
        operation_serve(c->to->node, &caller, (uv_stream_t *)c);
    }
}

/* Calls are few, and are all kept to the end. */
bool peer_call(struct peer *p, struct bytes address, enum peer_kind kind, struct bytes request,
               peer_replied replied, void *context)
{
    enum { TIMEOUT_US = 5 * SECOND };
    struct server *from = server_of_peer(p);
    struct call *c = new (sizeof *c);

    (void)kind;
    bytes_to_string(address, c->address, sizeof c->address);
    bytes_to_string(request, c->request, sizeof c->request);
    c->from = from;
    c->life = from->life;
    c->id = from->node->identity.id;
    c->to = server_of_address(c->address);
    c->replied = replied;
    c->context = context;
    c->next = net.calls;
    net.calls = c;
    if (is_reached(from, c->to)) {
        world_post(around(5 * MS), c->to, LOG_THREAD, on_call_arrives, nothing, c);
    }
    world_post(TIMEOUT_US, from, LOG_THREAD, on_call_time_out, nothing, c);
    return true;
}

/* The asker may have gone, in which case nobody hears. */
void peer_reply(struct peer *p, uv_stream_t *stream, struct bytes reply)
{
    struct call *c = (struct call *)stream;

    (void)p;
    if (c->from->life == c->life) {
        bytes_to_string(reply, c->reply, sizeof c->reply);
        world_post(around(5 * MS), c->from, LOG_THREAD, on_call_answered, nothing, c);
    }
}

void peer_hang_up(uv_stream_t *stream)
{
    (void)stream;
}

/* Files that are fetched. */

struct transfer {
    struct transfer *next;
    struct server *server;
    unsigned references; /* By the node, and by the event to come. */
    bool is_ended;
    struct transfer_settings settings;
    char address[ADDRESS_TEXT_MAX + 1];
    int64_t delay_us;
};

static void release(void *context)
{
    struct transfer *t = context;

    if (--t->references == 0) {
        free(t);
    }
}

static void unlist(struct transfer *t)
{
    struct transfer **link = &net.transfers;

    while (*link != t) {
        link = &(*link)->next;
    }
    *link = t->next;
}

static void end_transfer(struct transfer *t, const char *error)
{
    unlist(t);
    t->is_ended = true;
    t->settings.done(t->settings.context, error);
    release(t);
}

static bool copy_file(const char *from, const char *to)
{
    char block[16 * 1024];
    size_t len;
    FILE *in = fopen(from, "r");
    FILE *out = in != NULL ? fopen(to, "w") : NULL;

    if (in == NULL) {
        return false;
    }
    while ((len = fread(block, 1, sizeof block, in)) > 0) {
        if (fwrite(block, 1, len, out) != len) {
            abort();
        }
    }
    fclose(in);
    return fclose(out) == 0;
}

/* Returns whether all of it has come. */
static bool fetch_all(struct transfer *t)
{
    struct server *from = server_of_address(t->address);
    struct manifest found;
    char name[MANIFEST_NAME];
    char there[PATH_MAX], here[PATH_MAX];

    if (!is_reached(t->server, from) || t->server->disk.is_full ||
        chance(100) < net.failed_in_a_hundred) {
        return false;
    }
    manifest_name(t->settings.file.at.index, name);
    snprintf(there, sizeof there, "%s/%s", from->dir, name);
    snprintf(here, sizeof here, "%s/%s", t->server->dir, name);
    if (manifest_of_file(there, &found) != 0 || found.size != t->settings.file.size ||
        found.checksum != t->settings.file.checksum) {
        return false;
    }
    return copy_file(there, here);
}

static void on_transfer(void *context)
{
    struct transfer *t = context;

    if (t->is_ended) {
        release(t);
    } else if (fetch_all(t)) {
        t->references--;
        end_transfer(t, NULL);
    } else {
        t->delay_us = t->delay_us > SECOND ? t->delay_us : 2 * t->delay_us;
        world_post(t->delay_us, t->server, LOG_THREAD, on_transfer, release, t);
    }
}

struct transfer *transfer_fetch(struct peer *p, const struct transfer_settings *settings)
{
    struct transfer *t = new (sizeof *t);

    t->server = server_of_peer(p);
    t->settings = *settings;
    bytes_to_string(settings->address, t->address, sizeof t->address);
    t->references = 2;
    t->delay_us = 50 * MS;
    t->next = net.transfers;
    net.transfers = t;
    world_post(MS + around(one_in(4) ? SECOND : 20 * MS), t->server, LOG_THREAD, on_transfer,
               release, t);
    return t;
}

void transfer_cancel(struct transfer *t)
{
    unlist(t);
    t->is_ended = true;
    release(t);
}

void transfer_send(struct peer *p, const char *dir, struct bytes request, uv_stream_t *stream)
{
    (void)p;
    (void)dir;
    (void)request;
    (void)stream;
    abort(); /* Files come another way here. */
}

/* Whatever is under way ends with an error. */
void transport_close(struct transport *t, void (*closed)(void *context), void *context)
{
    struct transfer *next;

    for (struct call *c = net.calls; c != NULL; c = c->next) {
        if (c->from == t->server) {
            tell(c, NULL, "The server is ending");
        }
    }
    for (struct transfer *f = net.transfers; f != NULL; f = next) {
        next = f->next;
        if (f->server == t->server) {
            end_transfer(f, "The server is ending");
        }
    }
    closed(context);
}
