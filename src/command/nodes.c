#include "command/nodes.h"

#include "base/mem.h"
#include "base/number.h"

#include <stdio.h>

enum { PEER_PORT_ABOVE = 10000 };

/* Reads "host:port", with brackets around an IPv6 address. Returns false if it is none: a
 * client of the Unix socket, or of none. */
static bool read_address(const char *text, struct node *n)
{
    const char *colon = strrchr(text, ':');
    const char *start = text[0] == '[' ? text + 1 : text;
    size_t len = colon == NULL ? 0 : (size_t)(colon - start);
    int64_t port;

    if (colon == NULL || text[0] == '/' || !number_parse_int(bytes_of(colon + 1), &port) ||
        port <= 0 || port > UINT16_MAX) {
        return false;
    }
    len -= len > 0 && start[len - 1] == ']';
    snprintf(n->host, sizeof n->host, "%.*s", (int)len, start);
    n->port = (int)port;
    return true;
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

/* A server alone may not have been told how others reach it; the client at hand has found
 * it. */
static void find_address(const struct call *c, struct node *n)
{
    if (n->port != 0 && !is_loopback(n->host)) {
        return;
    }
    if (!read_address(c->session->local_address, n) && n->port == 0) {
        snprintf(n->host, sizeof n->host, "127.0.0.1");
        n->port = c->engine->settings.port;
    }
    if (n->peer_port == 0) {
        n->peer_port = n->port + PEER_PORT_ABOVE;
    }
}

static void list_member(const struct call *c, const struct member *m, struct node *n)
{
    const struct group *g = &c->engine->group;

    *n = (struct node){
        .id = m->id,
        .port = m->port,
        .peer_port = m->peer_port,
        .is_self = m->id == g->self,
        .leads = m->id == g->leader,
        .is_up = group_hears(g, m, c->now_ms),
        .offset = m->id == g->self ? group_offset(g) : m->stored_index,
        .silent_ms = m->heard_ms > 0 && m->id != g->self ? c->now_ms - m->heard_ms : 0,
    };
    snprintf(n->host, sizeof n->host, "%s", m->host);
    group_name(m->id, n->name);
}

/* Without a log there are no members. */
static void list_self(const struct call *c, struct nodes *n)
{
    list_member(c, &(struct member){0}, &n->node[0]);
    n->node[0].leads = group_leads(&c->engine->group);
    n->count = 1;
    n->voters = 1;
    n->voters_up = 1;
}

struct nodes nodes_list(const struct call *c)
{
    const struct group *g = &c->engine->group;
    struct nodes n = {.node = mem_zalloc((g->count + 1) * sizeof *n.node)};

    for (size_t i = 0; i < g->count; i++) {
        if (g->members[i].role != MEMBER_SPARE) {
            list_member(c, &g->members[i], &n.node[n.count++]);
        }
    }
    n.voters = group_voters(g);
    n.voters_up = group_voters_heard(g, c->now_ms);
    if (g->count == 0) {
        list_self(c, &n);
    }
    if (n.count == 1 && n.node[0].is_self) {
        find_address(c, &n.node[0]);
    }
    for (size_t i = 0; i < n.count; i++) {
        n.leader = n.node[i].leads ? &n.node[i] : n.leader;
        n.self = n.node[i].is_self ? &n.node[i] : n.self;
    }
    return n;
}

void nodes_clear(struct nodes *n)
{
    mem_free(n->node);
}

size_t nodes_replicas(const struct nodes *n)
{
    return n->count - (n->leader != NULL);
}
