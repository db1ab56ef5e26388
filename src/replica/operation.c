/* What changes the group, or moves its leadership: one operation at a time, each a chain
 * of callbacks of libraft's or of a peer's. */
#include "base/clock.h"
#include "base/log.h"
#include "replica/node_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* An operation at work. */
struct change {
    struct node *node;
    enum operation_kind kind;
    uint64_t number;    /* Of the executor's; 0: it is not his. */
    uv_stream_t *asker; /* A peer has asked for it; or NULL. */
    uint64_t id;
    char address[ADDRESS_TEXT_MAX + 1];
    unsigned redirections;
    int64_t again_us; /* When to ask again: monotonic; 0: there is an answer to come. */
    int64_t until_us; /* When to give that up. */
    struct raft_change raft;
    struct raft_transfer transfer;
};

enum { REPLY_MAX = 512, REDIRECTIONS_MAX = 5 };

/* A group that is busy is asked again, for so long. */
enum { AGAIN_US = 100 * 1000, PATIENCE_US = 30 * 1000 * 1000, TRANSFER_US = 3 * 1000 * 1000 };

/* Ends. */

void operation_tell(struct node *n, uint64_t number, const char *problem)
{
    size_t len = problem != NULL ? strlen(problem) + 1 : 0;
    struct message *m = message_new(MESSAGE_ENDED, len);

    if (len > 0) {
        memcpy(m->data, problem, len);
    }
    m->seq = number;
    queue_put(n->out, m);
}

static void reply(struct node *n, uv_stream_t *stream, const char *text)
{
    peer_reply(transport_peer(n->transport), stream, bytes_of(text));
}

static void reply_end(struct node *n, uv_stream_t *stream, const char *problem)
{
    char text[REPLY_MAX + 8];

    if (problem != NULL) {
        snprintf(text, sizeof text, "error %s", problem);
    } else {
        snprintf(text, sizeof text, "ok %" PRIu64, n->identity.group);
    }
    reply(n, stream, text);
}

__attribute__((format(printf, 2, 3))) static void end(struct change *c, const char *format, ...)
{
    struct node *n = c->node;
    char text[REPLY_MAX];
    const char *problem = NULL;
    va_list args;

    if (format != NULL) {
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        problem = text;
    }
    n->change = NULL;
    if (c->kind == OPERATION_JOIN && n->transport != NULL) {
        peer_set_group(transport_peer(n->transport), n->identity.group);
    }
    if (c->asker != NULL) {
        reply_end(n, c->asker, problem);
    }
    if (c->number != 0) {
        operation_tell(n, c->number, problem);
    }
    free(c);
}

static void end_by_status(struct change *c, int status)
{
    if (status == 0) {
        end(c, NULL);
    } else if (status == RAFT_LEADERSHIPLOST) {
        end(c, "UNCERTAIN This server stopped leading before the change was committed: whether "
               "it takes effect is not known");
    } else {
        end(c, "ERR %s",
            status == RAFT_NOCONNECTION ? "The server does not catch up" : raft_strerror(status));
    }
}

static struct change *change_new(struct node *n, enum operation_kind kind, uint64_t id,
                                 const char *address)
{
    struct change *c = calloc(1, sizeof *c);

    if (c == NULL) {
        abort();
    }
    c->node = n;
    c->kind = kind;
    c->id = id;
    c->raft.data = c;
    c->transfer.data = c;
    snprintf(c->address, sizeof c->address, "%s", address);
    n->change = c;
    return c;
}

/* The group. */

static void on_changed(struct raft_change *req, int status)
{
    struct change *c = req->data;

    end_by_status(c, status);
}

/* libraft's calls fail at once for what it can see at once; but then it may still hold on to the
 * request. */
static void check(struct change *c, int err)
{
    if (err != 0 && c->node->raft.legacy.change == &c->raft) {
        c->node->raft.legacy.change = NULL;
    }
    if (err == RAFT_NOTLEADER) {
        end(c, "ERR This server does not lead");
    } else if (err == RAFT_CANTCHANGE) {
        log_write(LOG_WARNING, "libraft changes the group already: entry %llu, server %llu",
                  c->node->raft.configuration_uncommitted_index,
                  c->node->raft.leader_state.promotee_id);
        end(c, "ERR Another change of the group is under way. Try again");
    } else if (err != 0) {
        end(c, "ERR %s",
            raft_errmsg(&c->node->raft)[0] != '\0' ? raft_errmsg(&c->node->raft)
                                                   : raft_strerror(err));
    }
}

static const struct raft_server *find_server(const struct node *n, uint64_t id)
{
    const struct raft_configuration *all = &n->raft.configuration;

    for (unsigned i = 0; i < all->n; i++) {
        if (all->servers[i].id == id) {
            return &all->servers[i];
        }
    }
    return NULL;
}

static void on_standby(struct raft_change *req, int status)
{
    struct change *c = req->data;

    if (status == 0) {
        c->node->promoted = c->id; /* When this is over. */
    }
    end_by_status(c, status);
}

static void make_standby(struct change *c)
{
    int err = raft_assign(&c->node->raft, &c->raft, c->id, RAFT_STANDBY, on_standby);

    check(c, err);
}

static void on_added(struct raft_change *req, int status)
{
    struct change *c = req->data;

    if (status != 0) {
        end_by_status(c, status);
    } else if (!c->node->has_raft) { /* It is being closed. */
        end_by_status(c, RAFT_LEADERSHIPLOST);
    } else {
        make_standby(c);
    }
}

/* One that has been added before, and did not hear of it, asks again. */
static void add(struct change *c)
{
    const struct raft_server *known = find_server(c->node, c->id);

    if (known != NULL && strcmp(known->address, c->address) != 0) {
        end(c, "ERR There is a server %" PRIu64 " at %s", c->id, known->address);
    } else if (known == NULL) {
        check(c, raft_add(&c->node->raft, &c->raft, c->id, c->address, on_added));
    } else if (known->role == RAFT_SPARE) {
        make_standby(c);
    } else {
        end(c, NULL);
    }
}

static void remove_server(struct change *c)
{
    if (find_server(c->node, c->id) == NULL) {
        end(c, "ERR There is no server %" PRIu64 " in the group", c->id);
    } else {
        check(c, raft_remove(&c->node->raft, &c->raft, c->id, on_changed));
    }
}

static void assign(struct change *c, int role, raft_change_cb done)
{
    const struct raft_server *server = find_server(c->node, c->id);

    if (server == NULL) {
        end(c, "ERR There is no server %" PRIu64 " in the group", c->id);
    } else if (server->role == role) {
        end(c, NULL);
    } else {
        check(c, raft_assign(&c->node->raft, &c->raft, c->id, role, done));
    }
}

/* Nobody but us has asked for some: if it has failed, it is tried again. */
static void on_promoted(struct raft_change *req, int status)
{
    struct change *c = req->data;

    if (status != 0 && c->number == 0) {
        log_write(LOG_WARNING, "Server %" PRIu64 " does not vote yet: %s", c->id,
                  raft_strerror(status));
        c->node->promoted = c->id;
    }
    end_by_status(c, status);
}

static void promote(struct change *c)
{
    assign(c, RAFT_VOTER, on_promoted);
}

static void demote(struct change *c)
{
    assign(c, RAFT_STANDBY, on_changed);
}

static void try_transfer(struct change *c);

/* libraft gives up after an election timeout, which a busy server may need to catch up. */
static void on_transferred(struct raft_transfer *req)
{
    struct change *c = req->data;
    const char *address;
    raft_id leader;

    raft_leader(&c->node->raft, &leader, &address);
    if (leader == c->node->identity.id && c->node->has_raft && clock_monotonic_us() < c->until_us) {
        try_transfer(c);
    } else if (leader == c->node->identity.id || (c->id != 0 && leader != c->id)) {
        end(c, "ERR The other server did not take over in time");
    } else {
        end(c, NULL);
    }
}

static void try_transfer(struct change *c)
{
    int err = raft_transfer(&c->node->raft, &c->transfer, c->id, on_transferred);

    if (err == RAFT_NOTFOUND || err == RAFT_BADID) {
        end(c, "ERR There is no such server that votes");
    } else {
        check(c, err);
    }
}

static void transfer(struct change *c)
{
    c->until_us = clock_monotonic_us() + TRANSFER_US;
    try_transfer(c);
}

/* Joining another group. */

static void call_member(struct change *c, const char *address);

/* Everything that was here is left behind. */
static void enter_group(struct node *n)
{
    struct change *c = n->change;
    char error[NODE_ERROR_MAX];

    if (!node_begin_anew(n, n->joined, error)) {
        node_fail(n, "%s", error);
        return;
    }
    end(c, NULL);
}

static void on_reply(void *context, struct bytes reply, const char *error)
{
    struct change *c = context;
    char text[REPLY_MAX];
    char address[ADDRESS_TEXT_MAX + 1];
    uint64_t group;

    if (error != NULL) {
        end(c, "ERR %s", error);
        return;
    }
    bytes_to_string(reply, text, sizeof text);
    if (strcmp(text, "busy") == 0 && clock_monotonic_us() < c->until_us) {
        c->again_us = clock_monotonic_us() + AGAIN_US;
    } else if (sscanf(text, "ok %" SCNu64, &group) == 1) {
        c->node->joined = group;
        node_shut(c->node, enter_group);
    } else if (sscanf(text, "leader %269s", address) == 1 && c->redirections++ < REDIRECTIONS_MAX) {
        snprintf(c->address, sizeof c->address, "%s", address);
        call_member(c, address);
    } else if (strncmp(text, "error ", 6) == 0) {
        end(c, "%s", text + 6);
    } else {
        end(c, "ERR %s",
            strcmp(text, "busy") == 0 ? "Other changes of the group do not end"
                                      : "The other server's answer makes no sense");
    }
}

static void call_member(struct change *c, const char *address)
{
    char request[REPLY_MAX];

    snprintf(request, sizeof request, "add %" PRIu64 " %s", c->node->identity.id,
             c->node->identity.address);
    if (!peer_call(transport_peer(c->node->transport), bytes_of(address), PEER_JOIN,
                   bytes_of(request), on_reply, c)) {
        end(c, "ERR The server is ending");
    }
}

/* Until it is a member it is of no group, or those of the other would not talk to it. A member must
 * not leave behind what it has, under the name that the others count with. */
static void join(struct change *c)
{
    if (c->node->identity.has_joined) {
        end(c, "ERR This server is a member of a group already");
        return;
    }
    peer_set_group(transport_peer(c->node->transport), 0);
    c->until_us = clock_monotonic_us() + PATIENCE_US;
    call_member(c, c->address);
}

/* Going on alone. */

static void go_on_alone(struct node *n)
{
    struct change *c = n->change;
    char error[NODE_ERROR_MAX];

    if (!node_recover(n, error)) {
        node_fail(n, "%s", error);
        return;
    }
    end(c, NULL);
}

static void bootstrap(struct change *c)
{
    const char *address;
    raft_id leader;

    raft_leader(&c->node->raft, &leader, &address);
    if (leader != 0) {
        end(c, "ERR This server is in a group that has a leader");
        return;
    }
    log_write(LOG_WARNING, "This server becomes a group of its own, with the data that it has");
    node_shut(c->node, go_on_alone);
}

/* Beginnings. */

static void begin(struct change *c)
{
    static void (*const begins[])(struct change * c) = {
        [OPERATION_BOOTSTRAP] = bootstrap,
        [OPERATION_JOIN] = join,
        [OPERATION_ADD] = add,
        [OPERATION_REMOVE] = remove_server,
        [OPERATION_PROMOTE] = promote,
        [OPERATION_DEMOTE] = demote,
        [OPERATION_TRANSFER] = transfer,
    };

    begins[c->kind](c);
}

/* One after the other. */
static void queue_after(struct message **first, struct message *m)
{
    while (*first != NULL) {
        first = &(*first)->next;
    }
    m->next = NULL;
    *first = m;
}

void operation_begin(struct node *n, struct message *m)
{
    const struct node_operation *o = m->data;
    struct change *c;

    if (o->kind == OPERATION_SNAPSHOT) {
        node_snapshot_for(n, o->number);
    } else if (n->change != NULL) {
        queue_after(&n->waiting, m);
        return;
    } else {
        c = change_new(n, o->kind, o->id, o->address);
        c->number = o->number;
        begin(c);
    }
    free(m);
}

/* A server wants to join. Only the leader can have it. */
static void on_join(struct node *n, struct bytes request, uv_stream_t *stream)
{
    char text[REPLY_MAX];
    char address[ADDRESS_TEXT_MAX + 1];
    const char *leader_address;
    raft_id leader;
    struct change *c;
    uint64_t id;

    bytes_to_string(request, text, sizeof text);
    raft_leader(&n->raft, &leader, &leader_address);
    if (sscanf(text, "add %" SCNu64 " %269s", &id, address) != 2 || id == 0) {
        reply(n, stream, "error ERR The request makes no sense");
    } else if (leader == 0) {
        reply(n, stream, "error CLUSTERDOWN No leader of the group is known");
    } else if (leader != n->identity.id) {
        snprintf(text, sizeof text, "leader %s", leader_address);
        reply(n, stream, text);
    } else if (n->change != NULL) {
        reply(n, stream, "busy");
    } else {
        c = change_new(n, OPERATION_ADD, id, address);
        c->asker = stream;
        begin(c);
    }
}

void operation_serve(void *context, const struct peer_caller *caller, uv_stream_t *stream)
{
    struct node *n = context;

    if (!n->is_up) {
        peer_hang_up(stream);
    } else if (caller->kind == PEER_FETCH) {
        transfer_send(transport_peer(n->transport), n->settings.dir, caller->request, stream);
    } else {
        on_join(n, caller->request, stream);
    }
}

static void ask_again(struct change *c)
{
    if (c->again_us != 0 && clock_monotonic_us() >= c->again_us) {
        c->again_us = 0;
        call_member(c, c->address);
    }
}

/* A server that was added is to vote when it has caught up. */
void operation_tick(struct node *n)
{
    struct message *waiting = n->waiting;

    if (n->change != NULL) {
        ask_again(n->change);
        return;
    }
    if (waiting != NULL) {
        n->waiting = waiting->next;
        operation_begin(n, waiting);
        return;
    }
    if (n->promoted == 0 || raft_state(&n->raft) != RAFT_LEADER) {
        return;
    }
    log_write(LOG_NOTICE, "Server %" PRIu64 " is to vote", n->promoted);
    begin(change_new(n, OPERATION_PROMOTE, n->promoted, ""));
    n->promoted = 0;
}
