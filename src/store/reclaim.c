#include "store/reclaim.h"

#include "base/mem.h"

enum { AT_ONCE = 64 }; /* Up to so many items are not worth the wait. */

/* Something that waits: a table, or what is freed in one piece. */
struct waiting {
    struct waiting *next;
    struct table *table; /* NULL: it is in one piece. */
    size_t slot;         /* How far that has been freed. */
    void *whole;
    void (*free)(void *at); /* Frees an item, or the whole. */
    bool are_values;
};

static struct waiting *first;
static struct waiting **end = &first;
static size_t pending;
static uint64_t done;

static struct waiting *wait(void (*free_it)(void *at))
{
    struct waiting *w = mem_zalloc(sizeof *w);

    w->free = free_it;
    *end = w;
    end = &w->next;
    return w;
}

void reclaim_table(struct table *t, void (*free_item)(void *item), bool are_values)
{
    struct waiting *w;

    if (t == NULL || table_count(t) <= AT_ONCE) {
        table_free(t, free_item);
        return;
    }
    w = wait(free_item);
    w->table = t;
    w->are_values = are_values;
    pending += are_values ? table_count(t) : 1;
}

void reclaim_whole(void *at, void (*free_whole)(void *at))
{
    wait(free_whole)->whole = at;
    pending++;
}

static void count_done(size_t objects)
{
    pending -= objects;
    done += objects;
}

static void end_first(void)
{
    struct waiting *w = first;

    first = w->next;
    if (first == NULL) {
        end = &first;
    }
    if (!w->are_values) {
        count_done(1);
    }
    mem_free(w);
}

/* Frees a piece of the first that waits. Returns how many items that was. An item may be
 * a value, whose own table then waits behind all others. */
static size_t free_piece(void)
{
    struct waiting *w = first;
    size_t items = 1;

    if (w->table == NULL) {
        w->free(w->whole);
        end_first();
    } else if (!table_free_piece(w->table, &w->slot, w->free, &items)) {
        end_first();
    } else if (w->are_values) {
        count_done(items);
    }
    return items;
}

bool reclaim_some(size_t items)
{
    size_t freed = 0;

    while (freed < items && first != NULL) {
        freed += free_piece();
    }
    return first != NULL;
}

void reclaim_all(void)
{
    while (reclaim_some(SIZE_MAX)) {
    }
}

size_t reclaim_pending(void)
{
    return pending;
}

uint64_t reclaim_done(void)
{
    return done;
}

void reclaim_reset(void)
{
    done = 0;
}
