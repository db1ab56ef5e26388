#include "replica/queue.h"

#include <stdlib.h>

void queue_init(struct queue *q)
{
    uv_mutex_init(&q->lock);
    q->first = NULL;
    q->last = &q->first;
    q->wake = NULL;
}

void queue_clear(struct queue *q)
{
    struct message *m = queue_take(q);

    while (m != NULL) {
        struct message *next = m->next;
        free(m);
        m = next;
    }
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

void queue_put(struct queue *q, struct message *m)
{
    bool was_empty;

    uv_mutex_lock(&q->lock);
    was_empty = q->first == NULL;
    *q->last = m;
    q->last = &m->next;
    if (was_empty && q->wake != NULL) {
        uv_async_send(q->wake);
    }
    uv_mutex_unlock(&q->lock);
}

struct message *queue_take(struct queue *q)
{
    struct message *first;

    uv_mutex_lock(&q->lock);
    first = q->first;
    q->first = NULL;
    q->last = &q->first;
    uv_mutex_unlock(&q->lock);
    return first;
}

void queue_wake_by(struct queue *q, uv_async_t *wake)
{
    uv_mutex_lock(&q->lock);
    q->wake = wake;
    if (q->first != NULL && wake != NULL) {
        uv_async_send(wake);
    }
    uv_mutex_unlock(&q->lock);
}
