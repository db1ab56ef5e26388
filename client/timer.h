/* Timers: a pairing heap (Fredman et al., 1986) whose nodes lie in what they are for, so that
 * setting one needs no memory and cannot fail. */
#ifndef CLIENT_TIMER_H
#define CLIENT_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    void (*fire)(struct timer *t);
    int64_t due_us;
    bool is_set;
    struct timer *child, *next;
    struct timer *before; /* The parent if this is its first child, else the sibling. */
};

/* All zero: none is set. */
struct timers {
    struct timer *root;
};

enum { NO_TIMER_MS = -1 };
#define NEVER_US INT64_MAX

/* Sets it, or sets it anew. */
void timers_set(struct timers *all, struct timer *t, int64_t due_us);

/* Nothing happens if it is not set. */
void timers_clear(struct timers *all, struct timer *t);

/* When the next one is due; NEVER_US if none is set. */
int64_t timers_next_us(const struct timers *all);

/* Calls those that are due at a time, each after it has been cleared. So what they set anew has to
 * be due later. */
void timers_fire(struct timers *all, int64_t now_us);

/* The time until then in whole milliseconds, rounded up, as poll() wants it. */
int timer_wait_ms(int64_t due_us, int64_t now_us);

#endif
