#include "replica/task.h"

#include <assert.h>

enum { TICK_MS = 25 };

void tasks_init(struct tasks *tasks, uv_loop_t *loop)
{
    uv_timer_init(loop, &tasks->timer);
    tasks->first = NULL;
}

static void end_task(struct task *task, const char *why)
{
    task_stop(task);
    task->end(task, why);
}

void tasks_end(struct tasks *tasks, const char *why)
{
    while (tasks->first != NULL) {
        end_task(tasks->first, why);
    }
}

static struct task *find_due(struct tasks *tasks)
{
    uint64_t now_ms = uv_now(tasks->timer.loop);
    struct task *task = tasks->first;

    while (task != NULL && task->deadline_ms > now_ms) {
        task = task->next;
    }
    return task;
}

/* What ends may end others, so each search begins anew. */
static void on_tick(uv_timer_t *timer)
{
    struct tasks *tasks = (struct tasks *)((char *)timer - offsetof(struct tasks, timer));
    struct task *due = find_due(tasks);

    while (due != NULL) {
        end_task(due, "it took too long");
        due = find_due(tasks);
    }
}

void task_start(struct tasks *tasks, struct task *task, uint64_t limit_ms,
                void (*end)(struct task *task, const char *why))
{
    assert(task->list == NULL);
    task->list = tasks;
    task->end = end;
    task->previous = NULL;
    task->next = tasks->first;
    if (task->next != NULL) {
        task->next->previous = task;
    } else {
        uv_timer_start(&tasks->timer, on_tick, TICK_MS, TICK_MS);
    }
    tasks->first = task;
    task_limit(task, limit_ms);
}

void task_limit(struct task *task, uint64_t limit_ms)
{
    assert(task->list != NULL);
    task->deadline_ms = uv_now(task->list->timer.loop) + limit_ms;
}

void task_stop(struct task *task)
{
    struct tasks *tasks = task->list;

    if (tasks == NULL) {
        return;
    }
    if (task->previous != NULL) {
        task->previous->next = task->next;
    } else {
        tasks->first = task->next;
    }
    if (task->next != NULL) {
        task->next->previous = task->previous;
    }
    task->list = NULL;
    if (tasks->first == NULL) {
        uv_timer_stop(&tasks->timer);
    }
}
