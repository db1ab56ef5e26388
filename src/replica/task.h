/* What is under way between peers: each task has a deadline, and all of them end when
 * their owner does. Of the log thread. */
#ifndef REPLICA_TASK_H
#define REPLICA_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* Embedded in what is under way. `end` is called at the deadline, or before, with the
 * reason; the task has left the list by then. */
struct task {
    struct tasks *list; /* NULL: it is in none. */
    struct task *previous;
    struct task *next;
    uint64_t deadline_ms; /* By the loop's clock. */
    void (*end)(struct task *task, const char *why);
};

struct tasks {
    uv_timer_t timer; /* Runs while there are tasks. */
    struct task *first;
};

void tasks_init(struct tasks *tasks, uv_loop_t *loop);

/* Ends all. Those that begin while they end are ended too. */
void tasks_end(struct tasks *tasks, const char *why);

/* Adds a task that has this long. */
void task_start(struct tasks *tasks, struct task *task, uint64_t limit_ms,
                void (*end)(struct task *task, const char *why));

/* Gives a task another deadline, from now on. */
void task_limit(struct task *task, uint64_t limit_ms);

/* Removes a task, which is not ended by that. Another time, it does nothing. */
void task_stop(struct task *task);

#endif
