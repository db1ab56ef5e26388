#include "replica/queue.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

void queue_init(struct queue *q)
{
    uv_mutex_init(&q->lock);
    q->first = NULL;
    q->last = &q->first;
    q->is_told = false;
    q->is_patient = false;
    q->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->wake < 0) {
        abort();
    }
}

void queue_clear(struct queue *q)
{
    struct message *m = queue_take(q);

    while (m != NULL) {
        struct message *next = m->next;
        free(m);
        m = next;
    }
    close(q->wake);
    uv_mutex_destroy(&q->lock);
}

struct message *message_new(enum message_kind kind, size_t len)
{
    struct message *m = malloc(sizeof *m + len);

    if (m == NULL) {
        abort();
    }
    *m = (struct message){.kind = kind};
    m->len = len;
    m->data = len > 0 ? m + 1 : NULL;
    return m;
}

static bool has_to_wake(struct queue *q, enum message_kind kind)
{
    if (q->is_told || (q->is_patient && kind == MESSAGE_APPEND)) {
        return false;
    }
    q->is_told = true;
    return true;
}

/* Who is woken may run at once, so the lock is free by then. */
void queue_put(struct queue *q, struct message *m)
{
    bool wakes;

    uv_mutex_lock(&q->lock);
    *q->last = m;
    q->last = &m->next;
    wakes = has_to_wake(q, m->kind);
    uv_mutex_unlock(&q->lock);
    if (wakes) {
        eventfd_write(q->wake, 1);
    }
}

/* What has come meanwhile would have woken somebody who is not patient. */
void queue_be_patient(struct queue *q, bool is_patient)
{
    bool wakes = false;

    if (q->is_patient == is_patient) { /* Only the taker changes it. */
        return;
    }
    uv_mutex_lock(&q->lock);
    q->is_patient = is_patient;
    if (q->first != NULL) {
        wakes = has_to_wake(q, q->first->kind);
    }
    uv_mutex_unlock(&q->lock);
    if (wakes) {
        eventfd_write(q->wake, 1);
    }
}

struct message *queue_take(struct queue *q)
{
    struct message *first;

    uv_mutex_lock(&q->lock);
    first = q->first;
    q->first = NULL;
    q->last = &q->first;
    q->is_told = false;
    uv_mutex_unlock(&q->lock);
    return first;
}

/* It is read before anything is taken: what is put behind that wakes anew. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct queue *q = poll->data;
    eventfd_t count;

    (void)status;
    (void)events;
    eventfd_read(q->wake, &count);
    q->on_wake(q->context);
}

void queue_watch(struct queue *q, uv_loop_t *loop, void (*on_wake)(void *context), void *context)
{
    q->on_wake = on_wake;
    q->context = context;
    q->poll.data = q;
    uv_poll_init(loop, &q->poll, q->wake);
    uv_poll_start(&q->poll, UV_READABLE, on_readable);
    uv_unref((uv_handle_t *)&q->poll);
}

void queue_unwatch(struct queue *q)
{
    uv_close((uv_handle_t *)&q->poll, NULL);
}
