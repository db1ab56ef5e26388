#include "client/timer.h"

#include "client/clock.h"

#include <limits.h>
#include <stddef.h>

static struct timer *merge(struct timer *a, struct timer *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    if (b->due_us < a->due_us) {
        struct timer *earlier = b;

        b = a;
        a = earlier;
    }
    b->next = a->child;
    if (a->child != NULL) {
        a->child->before = b;
    }
    b->before = a;
    a->child = b;
    return a;
}

static struct timer *detach(struct timer *t)
{
    struct timer *rest = t->next;

    t->next = NULL;
    t->before = NULL;
    return rest;
}

/* Merges a list of siblings in pairs, and then the pairs from the last to the first. */
static struct timer *merge_siblings(struct timer *first)
{
    struct timer *pairs = NULL, *all = NULL;

    while (first != NULL) {
        struct timer *a = first;
        struct timer *b = detach(a);
        struct timer *pair;

        first = b != NULL ? detach(b) : NULL;
        pair = merge(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs != NULL) {
        struct timer *pair = pairs;

        pairs = detach(pair);
        all = merge(all, pair);
    }
    return all;
}

void timers_clear(struct timers *all, struct timer *t)
{
    if (!t->is_set) {
        return;
    }
    t->is_set = false;
    if (t == all->root) {
        all->root = merge_siblings(t->child);
    } else {
        if (t->before->child == t) {
            t->before->child = t->next;
        } else {
            t->before->next = t->next;
        }
        if (t->next != NULL) {
            t->next->before = t->before;
        }
        all->root = merge(all->root, merge_siblings(t->child));
    }
    t->child = NULL;
    t->next = NULL;
    t->before = NULL;
}

void timers_set(struct timers *all, struct timer *t, int64_t due_us)
{
    timers_clear(all, t);
    t->due_us = due_us;
    t->is_set = true;
    all->root = merge(all->root, t);
}

int64_t timers_next_us(const struct timers *all)
{
    return all->root != NULL ? all->root->due_us : NEVER_US;
}

void timers_fire(struct timers *all, int64_t now_us)
{
    while (all->root != NULL && all->root->due_us <= now_us) {
        struct timer *t = all->root;

        timers_clear(all, t);
        t->fire(t);
    }
}

int timer_wait_ms(int64_t due_us, int64_t now_us)
{
    int64_t ms;

    if (due_us == NEVER_US) {
        return NO_TIMER_MS;
    }
    if (due_us <= now_us) {
        return 0;
    }
    ms = (due_us - now_us - 1) / US_PER_MS + 1; /* Rounded up. */
    return ms < INT_MAX ? (int)ms : INT_MAX;
}
