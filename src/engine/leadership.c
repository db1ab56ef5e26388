#include "engine/leadership.h"

#include "engine/engine.h"

#include <stdio.h>

static void tell_of_switch(struct engine *e, const struct group_address *old,
                           const struct member *leader)
{
    BUF_LOCAL(message);

    buf_add(&message, buf_bytes(&e->settings.sentinel_name));
    buf_addf(&message, " %s %d %s %d", old->host, old->port, leader->host, leader->port);
    pubsub_send(e, TOPIC_CHANNEL, BYTES("+switch-master"), buf_bytes(&message));
}

/* Where the leader is that was known last is not forgotten while there is none. */
static void tell_of_leader(struct engine *e)
{
    struct group *g = &e->group;
    const struct member *leader = group_leader(g);
    struct group_address old = g->told;

    if (leader != NULL) {
        g->alone_ms = 0;
    } else if (g->alone_ms == 0) {
        g->alone_ms = logtime_ms(&e->time);
    }
    if (leader == NULL || (old.port == leader->port && strcmp(old.host, leader->host) == 0)) {
        return;
    }
    snprintf(g->told.host, sizeof g->told.host, "%s", leader->host);
    g->told.port = leader->port;
    if (old.port != 0) {
        tell_of_switch(e, &old, leader);
    }
}

/* Clients that know no better than that this is their server look for the leader when
 * they have to connect again; others follow MOVED, or look after themselves. */
static bool is_to_go(const struct session *s)
{
    return s->operation == 0 && !s->is_sentinel_client && !s->engine->settings.cluster_enabled &&
           session_consistency(s) != CONSISTENCY_ANY;
}

/* The reply of an operation, which may have been that this server leads no more, is
 * waited for by whoever has asked for it. */
static void dismiss(struct engine *e)
{
    struct session *next;

    for (struct session *s = e->sessions; s != NULL; s = next) {
        next = s->next;
        s->last_write_seq = 0;
        if (s->operation == 0) {
            block_end(s, "UNBLOCKED force unblock from blocking operation, instance state changed "
                         "(master -> replica?)");
        }
        if (is_to_go(s)) {
            s->closing = true;
            session_wrote(s);
        }
    }
}

void group_leader_changed(struct engine *e)
{
    struct group *g = &e->group;
    bool led = g->led;

    g->led = g->exists && group_leads(g);
    tell_of_leader(e);
    if (led && !g->led) {
        dismiss(e);
    }
}

void group_progress(struct engine *e)
{
    block_progress(e);
}
