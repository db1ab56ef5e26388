#include "engine/deadlock.h"

#include "base/mem.h"
#include "engine/call.h"
#include "engine/wait.h"

/* Those of one party that wait. */
struct party {
    struct named named;
    struct wait *first;
};

/* Parties. */

/* An owner without a '/' is its own party. */
static struct bytes name_of_party(struct bytes owner)
{
    const char *slash = memrchr(owner.at, '/', owner.len);

    return slash == NULL ? owner : (struct bytes){owner.at, (size_t)(slash - owner.at)};
}

void deadlock_join(struct waiting *w, struct wait *wait)
{
    if (!wait->ordered || wait->owners == 0) {
        return;
    }
    wait->party =
        named_find_or_add(&w->parties, sizeof *wait->party, name_of_party(wait->owner[0]));
    wait->next_of_party = wait->party->first;
    wait->party->first = wait;
}

void deadlock_leave(struct waiting *w, struct wait *wait)
{
    struct party *party = TAKE(wait->party);
    struct wait **place;

    if (party == NULL) {
        return;
    }
    place = &party->first;
    while (*place != wait) {
        place = &(*place)->next_of_party;
    }
    *place = wait->next_of_party;
    if (party->first == NULL) {
        named_remove(&w->parties, party);
    }
}

/* Searching, depth first, from the one who would wait to its own party. */

struct search {
    struct waiting *waiting;
    struct bytes party; /* Searched for. */
    uint64_t number;    /* Who has been visited in this search is not visited again. */
    struct buf *circle;
    unsigned depth;
};

static bool search_wait(struct search *s, struct wait *wait);

/* The steps are found from the last one on. */
static void add_in_front(struct buf *circle, struct bytes text)
{
    BUF_LOCAL(whole);

    buf_add(&whole, text);
    buf_add(&whole, buf_bytes(circle));
    buf_cut(circle, 0);
    buf_add(circle, buf_bytes(&whole));
    buf_clear(&whole);
}

static void add_step(struct search *s, struct bytes key, struct bytes owner)
{
    add_in_front(s->circle, owner);
    add_in_front(s->circle, BYTES(" -> "));
    add_in_front(s->circle, key);
    add_in_front(s->circle, BYTES(" -> "));
}

static bool search_party(struct search *s, struct bytes name)
{
    const struct party *party = named_find(s->waiting->parties, name);

    for (struct wait *i = party != NULL ? party->first : NULL; i != NULL; i = i->next_of_party) {
        if (search_wait(s, i)) {
            return true;
        }
    }
    return false;
}

/* `owner` has the waiting one's own in front. */
static bool search_holders(struct search *s, struct bytes key, const struct bytes *owner,
                           size_t owners)
{
    for (size_t i = 1; i < owners; i++) {
        struct bytes name = name_of_party(owner[i]);

        if (bytes_equal(name, s->party) || search_party(s, name)) {
            add_step(s, key, owner[i]);
            return true;
        }
    }
    return false;
}

/* Those before a waiter get their turns first. Whoever waits for this key only has no other
 * reason to wait than the oldest has. */
static bool search_before(struct search *s, const struct waited_key *k, const struct waiter *last)
{
    if (k->ordered.count > 0 && search_wait(s, k->ordered.first->wait)) {
        return true;
    }
    for (const struct waiter *i = k->several > 0 ? last : NULL; i != NULL; i = i->previous) {
        if (i->wait->key_count > 1 && search_wait(s, i->wait)) {
            return true;
        }
    }
    return false;
}

static bool search_keys(struct search *s, const struct wait *wait)
{
    for (size_t i = 0; i < wait->key_count; i++) {
        const struct waiter *waiter = &wait->keys[i];

        if (waiter->previous != NULL && search_before(s, waiter->key, waiter->previous)) {
            return true;
        }
    }
    return false;
}

static bool search_wait(struct search *s, struct wait *wait)
{
    bool found;

    if (wait->visit == s->number || s->depth == DEADLOCK_DEPTH) {
        return false;
    }
    wait->visit = s->number;
    s->depth++;
    found = wait_is_first(wait)
                ? search_holders(s, named_key(wait->keys[0].key), wait->owner, wait->owners)
                : search_keys(s, wait);
    s->depth--;
    return found;
}

/* Whoever waits already, and is run again, is the oldest. */
static bool search_queues(struct search *s, const struct call *c, const struct block *b)
{
    if (block_is_blocked(c->session)) {
        return false;
    }
    for (size_t i = 0; i < b->count && s->waiting->keys != NULL; i++) {
        const struct waited_key *k = named_find_key(s->waiting->keys, c->db, c->argv[b->first + i]);

        if (k != NULL && search_before(s, k, k->ordered.last)) {
            return true;
        }
    }
    return false;
}

bool deadlock_would_be(const struct call *c, const struct block *b, struct buf *circle)
{
    struct search s = {.waiting = &c->engine->waiting, .circle = circle};
    bool found;

    if (!b->ordered || b->owners == 0 || b->count == 0) {
        return false;
    }
    s.party = name_of_party(b->owner[0]);
    s.number = ++s.waiting->searches;
    found = search_queues(&s, c, b) || search_holders(&s, c->argv[b->first], b->owner, b->owners);
    if (found) {
        add_in_front(circle, b->owner[0]);
    }
    return found;
}
