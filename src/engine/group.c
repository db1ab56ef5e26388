#include "engine/group.h"

#include "base/mem.h"
#include "base/sha1.h"
#include "engine/engine.h"

#include <inttypes.h>
#include <stdio.h>

/* Who has not answered for so long counts as gone. */
enum { SILENCE_MS = 5000 };

const struct member *group_find(const struct group *g, uint64_t id)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->members[i].id == id) {
            return &g->members[i];
        }
    }
    return NULL;
}

size_t group_voters(const struct group *g)
{
    size_t voters = 0;

    for (size_t i = 0; i < g->count; i++) {
        voters += g->members[i].role == MEMBER_VOTER;
    }
    return voters;
}

static bool answered_since(const struct member *m, int64_t since_ms)
{
    return m->heard_ms > 0 && m->heard_ms >= since_ms;
}

bool group_hears(const struct group *g, const struct member *m, int64_t now_ms)
{
    return !group_leads(g) || m->id == g->self || answered_since(m, now_ms - SILENCE_MS);
}

size_t group_voters_heard(const struct group *g, int64_t now_ms)
{
    size_t heard = 0;

    for (size_t i = 0; i < g->count; i++) {
        const struct member *m = &g->members[i];
        heard += m->role == MEMBER_VOTER && group_hears(g, m, now_ms);
    }
    return heard;
}

bool group_is_replica(const struct group *g, const struct member *m)
{
    return m->id != g->leader && m->role != MEMBER_SPARE;
}

bool group_is_online(const struct group *g, const struct member *m, int64_t now_ms)
{
    return group_leads(g) && group_is_replica(g, m) && m->id != g->self && m->heard_ms > 0 &&
           group_hears(g, m, now_ms);
}

uint64_t group_stored_by(const struct engine *e, uint64_t seq, bool count_self)
{
    const struct group *g = &e->group;
    uint64_t count = count_self && g->exists && g->stored_seq >= seq;

    for (size_t i = 0; i < g->count; i++) {
        const struct member *m = &g->members[i];
        count += m->id != g->self && m->role != MEMBER_SPARE && m->stored_seq >= seq;
    }
    return count;
}

size_t group_good_replicas(const struct group *g, int64_t now_ms, int within_s)
{
    int64_t since_ms = now_ms - (int64_t)within_s * 1000;
    size_t count = 0;

    for (size_t i = 0; i < g->count; i++) {
        const struct member *m = &g->members[i];
        count += group_is_replica(g, m) && m->id != g->self && answered_since(m, since_ms);
    }
    return count;
}

void member_add_address(const struct member *m, struct buf *out)
{
    bool is_ipv6 = strchr(m->host, ':') != NULL;

    buf_addf(out, "%s%s%s:%d", is_ipv6 ? "[" : "", m->host, is_ipv6 ? "]" : "", m->port);
}

const unsigned log_write_limits_us[LOG_WRITE_BUCKETS - 1] = {
    100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 102400,
};

static const char *const refusals[] = {
    [REFUSED_WRITE] = "READONLY You can't write against a read only replica.",
    [REFUSED_READ] = "READONLY This replica does not answer reads.",
};

const char *group_refusal(struct group *g, enum refused what)
{
    const struct member *leader = group_leader(g);
    BUF_LOCAL(address);

    if (leader == NULL) {
        return "CLUSTERDOWN No leader is known: the group is electing one, or a majority of it "
               "cannot be reached. Try again later.";
    }
    member_add_address(leader, &address);
    snprintf(g->refusal, sizeof g->refusal, "%s The leader is %.*s", refusals[what],
             (int)address.len, address.at);
    return g->refusal;
}

void group_name(uint64_t id, char name[MEMBER_NAME + 1])
{
    char text[32];

    snprintf(text, sizeof text, "member %" PRIu64, id);
    sha1_hex(bytes_of(text), name);
}

void group_set_members(struct group *g, struct member *members, size_t count)
{
    mem_free(g->members);
    g->members = members;
    g->count = count;
}

void group_clear(struct group *g)
{
    group_set_members(g, NULL, 0);
}
