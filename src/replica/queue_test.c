#include "replica/queue.h"

#include "test/lib/check.h"

#include <stdlib.h>

/* A taker, who notes what it is woken for. */
struct taker {
    uv_loop_t loop;
    struct queue queue;
    unsigned woken;
    unsigned taken;
    uint64_t last;
};

static void take(struct taker *t)
{
    struct message *m = queue_take(&t->queue);

    while (m != NULL) {
        struct message *next = m->next;
        CHECK(m->seq == t->last + 1);
        t->last = m->seq;
        t->taken++;
        free(m);
        m = next;
    }
}

static void on_wake(void *context)
{
    struct taker *t = context;

    t->woken++;
    take(t);
}

static void taker_open(struct taker *t)
{
    *t = (struct taker){0};
    uv_loop_init(&t->loop);
    queue_init(&t->queue);
    queue_watch(&t->queue, &t->loop, on_wake, t);
    uv_ref((uv_handle_t *)&t->queue.poll); /* The loop has nothing else. */
}

static void taker_close(struct taker *t)
{
    queue_unwatch(&t->queue);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    queue_clear(&t->queue);
    CHECK(uv_loop_close(&t->loop) == 0);
}

static void put(struct taker *t, enum message_kind kind, uint64_t seq)
{
    struct message *m = message_new(kind, 8);

    m->seq = seq;
    queue_put(&t->queue, m);
}

static bool is_woken(struct taker *t)
{
    unsigned before = t->woken;

    uv_run(&t->loop, UV_RUN_NOWAIT);
    return t->woken > before;
}

TEST(the_taker_is_woken_once_for_all_that_has_come)
{
    struct taker t;

    taker_open(&t);
    CHECK(!is_woken(&t));
    put(&t, MESSAGE_APPEND, 1);
    put(&t, MESSAGE_STOP, 2);
    CHECK(is_woken(&t));
    CHECK(t.taken == 2);
    CHECK(!is_woken(&t));
    put(&t, MESSAGE_APPEND, 3);
    CHECK(is_woken(&t));
    CHECK(t.taken == 3);
    taker_close(&t);
}

TEST(who_is_patient_is_woken_for_what_is_no_turn)
{
    struct taker t;

    taker_open(&t);
    queue_be_patient(&t.queue, true);
    put(&t, MESSAGE_APPEND, 1);
    CHECK(!is_woken(&t));
    put(&t, MESSAGE_STOP, 2);
    CHECK(is_woken(&t));
    CHECK(t.taken == 2);
    taker_close(&t);
}

TEST(the_end_of_patience_wakes_for_what_has_come_meanwhile)
{
    struct taker t;

    taker_open(&t);
    queue_be_patient(&t.queue, true);
    put(&t, MESSAGE_APPEND, 1);
    put(&t, MESSAGE_APPEND, 2);
    CHECK(!is_woken(&t));
    queue_be_patient(&t.queue, false);
    CHECK(is_woken(&t));
    CHECK(t.taken == 2);
    queue_be_patient(&t.queue, true);
    queue_be_patient(&t.queue, false);
    CHECK(!is_woken(&t));
    put(&t, MESSAGE_APPEND, 3); /* It is never taken. */
    taker_close(&t);
}

enum { SENT = 20000 };

static void send_all(void *context)
{
    for (uint64_t seq = 1; seq <= SENT; seq++) {
        put(context, MESSAGE_APPEND, seq);
    }
}

TEST(nothing_that_another_thread_puts_is_missed)
{
    struct taker t;
    uv_thread_t thread;

    taker_open(&t);
    uv_thread_create(&thread, send_all, &t);
    while (t.taken < SENT) {
        uv_run(&t.loop, UV_RUN_ONCE);
        queue_be_patient(&t.queue, t.taken % 2 == 0);
        if (t.queue.is_patient) {
            take(&t);
            queue_be_patient(&t.queue, false);
        }
    }
    uv_thread_join(&thread);
    taker_close(&t);
}

int main(void)
{
    return RUN(the_taker_is_woken_once_for_all_that_has_come,
               who_is_patient_is_woken_for_what_is_no_turn,
               the_end_of_patience_wakes_for_what_has_come_meanwhile,
               nothing_that_another_thread_puts_is_missed);
}
