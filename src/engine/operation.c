#include "engine/operation.h"

#include "engine/call.h"

/* The session has waited: the operation has ended, or CLIENT UNBLOCK has told the session
 * to wait no more. */
static void reply_end(struct call *c)
{
    const char *error = c->engine->group.outcome;

    if (c->session->operation != 0) {
        c->session->operation = 0;
        error = "ERR The operation goes on, and nobody waits for its end any more";
    }
    if (error != NULL) {
        call_fail(c, "%s", error);
    } else {
        reply_ok(c);
    }
}

bool operation_is_for_leader(enum operation_kind kind)
{
    return kind != OPERATION_BOOTSTRAP && kind != OPERATION_JOIN && kind != OPERATION_SNAPSHOT;
}

static void refuse_here(struct call *c)
{
    struct group *g = &c->engine->group;
    const struct member *leader = group_leader(g);
    BUF_LOCAL(address);

    if (leader == NULL) {
        call_fail(c, "%s", group_refusal(g, REFUSED_WRITE));
        return;
    }
    member_add_address(leader, &address);
    call_fail(c, "NOTLEADER This server does not lead the group. The leader is %.*s",
              (int)address.len, address.at);
}

void call_operate(struct call *c, struct operation o)
{
    struct group *g = &c->engine->group;
    const char *error;

    if (call_has_waited(c)) {
        reply_end(c);
        return;
    }
    if (g->ops == NULL) {
        call_fail(c, "ERR This server has no log: its durability is none");
        return;
    }
    if (operation_is_for_leader(o.kind) && !group_leads(g)) {
        refuse_here(c);
        return;
    }
    o.number = ++g->operations;
    error = g->ops->begin(g->ops_context, &o);
    if (error != NULL) {
        call_fail(c, "%s", error);
        return;
    }
    if (call_block(c, &(struct block){0})) {
        c->session->operation = o.number;
    }
}

static struct session *find_waiting(const struct engine *e, uint64_t number)
{
    struct session *s = e->sessions;

    while (s != NULL && s->operation != number) {
        s = s->next;
    }
    return s;
}

void operation_end(struct engine *e, uint64_t number, const char *error)
{
    struct session *s = find_waiting(e, number);

    if (s == NULL) {
        return;
    }
    s->operation = 0;
    e->group.outcome = error;
    block_run_again(s);
}
