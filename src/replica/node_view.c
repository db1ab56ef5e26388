#include "base/clock.h"
#include "engine/group.h"
#include "replica/node_state.h"

#include <stdio.h>
#include <stdlib.h>

static int role_of(int raft_role)
{
    switch (raft_role) {
    case RAFT_VOTER:
        return MEMBER_VOTER;
    case RAFT_STANDBY:
        return MEMBER_STANDBY;
    default:
        return MEMBER_SPARE;
    }
}

static int64_t silent_ms(const struct core *c, uint64_t id)
{
    const struct heard *h = core_heard(c, id);

    return h == NULL ? -1 : (clock_monotonic_us() - h->at_us) / 1000;
}

static void see_member(struct node *n, const struct raft_server *server, struct view_member *m)
{
    raft_index stored = 0;

    m->id = server->id;
    m->role = role_of(server->role);
    snprintf(m->address, sizeof m->address, "%s", server->address);
    m->silent_ms = server->id == n->identity.id ? 0 : silent_ms(&n->core, server->id);
    if (server->id == n->identity.id) {
        stored = n->raft.last_stored;
    } else if (raft_state(&n->raft) == RAFT_LEADER) {
        raft_match_index(&n->raft, server->id, &stored);
    }
    m->stored_index = stored;
}

static int group_role(struct node *n)
{
    switch (raft_state(&n->raft)) {
    case RAFT_LEADER:
        return n->core.leads ? GROUP_LEADER : GROUP_CANDIDATE;
    case RAFT_CANDIDATE:
        return GROUP_CANDIDATE;
    default:
        return GROUP_FOLLOWER;
    }
}

/* A leader whose tenure has not begun is none yet. */
static uint64_t leader_of(struct node *n)
{
    const char *address;
    raft_id id;

    raft_leader(&n->raft, &id, &address);
    return id == n->identity.id && !n->core.leads ? 0 : id;
}

static struct message *see(struct node *n)
{
    const struct raft_configuration *all = &n->raft.configuration;
    struct message *m =
        message_new(MESSAGE_VIEW, sizeof(struct view) + all->n * sizeof(struct view_member));
    struct view *v = m->data;

    memset(v, 0, m->len);
    v->self = n->identity.id;
    v->group = n->identity.group;
    v->leader = leader_of(n);
    v->term = raft_current_term(&n->raft);
    v->role = group_role(n);
    v->last_index = raft_last_index(&n->raft);
    v->stored_index = n->raft.last_stored;
    v->commit_index = raft_commit_index(&n->raft);
    v->applied_index = raft_last_applied(&n->raft);
    v->snapshot_index = n->core.snapshot_index;
    v->log_bytes = n->core.log_bytes;
    v->disk_full = n->core.is_full;
    v->writes = n->writes;
    v->count = all->n;
    for (unsigned i = 0; i < all->n; i++) {
        see_member(n, &all->servers[i], &v->members[i]);
    }
    return m;
}

/* How long somebody has been silent changes all the time, and is not worth telling alone. */
static bool is_same(const struct message *a, const struct message *b)
{
    const struct view *x = a->data, *y = b->data;

    if (a->len != b->len || memcmp(x, y, sizeof *x) != 0) {
        return false;
    }
    for (size_t i = 0; i < x->count; i++) {
        struct view_member one = x->members[i];
        one.silent_ms = y->members[i].silent_ms;
        if (memcmp(&one, &y->members[i], sizeof one) != 0) {
            return false;
        }
    }
    return true;
}

void node_tell_view(struct node *n)
{
    enum { EACH_US = 500 * 1000 };
    struct message *m = see(n);
    int64_t now_us = clock_monotonic_us();

    if (n->told != NULL && is_same(n->told, m) && now_us - n->told_us < EACH_US) {
        free(m);
        return;
    }
    free(n->told);
    n->told = message_new(MESSAGE_VIEW, m->len);
    memcpy(n->told->data, m->data, m->len);
    n->told_us = now_us;
    queue_put(n->out, m);
}
