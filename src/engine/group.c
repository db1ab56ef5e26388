#include "engine/group.h"

#include "base/mem.h"

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
