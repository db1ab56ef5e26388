#include "server/loop.h"

#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <signal.h>

struct loop {
    uv_loop_t uv;
    uv_async_t stop; /* Wakes the loop to see that e->stop has been set. */
    uv_timer_t timer;
    struct engine *engine;
    void (*tick)(void *context);
    void *context;
};

/* What a signal handler can reach. */
static struct loop *current;
static volatile sig_atomic_t stopped_by;

/* libuv's own signal handles would do here, if it were not for a script that holds
 * the loop: it has to see at once that it is to end. */
static void on_signal(int number)
{
    stopped_by = number;
    current->engine->stop = true;
    uv_async_send(&current->stop);
}

static void on_stop(uv_async_t *handle)
{
    (void)handle;
    log_write(LOG_WARNING, "%s received: stopping", stopped_by == SIGINT ? "SIGINT" : "SIGTERM");
}

static void on_tick(uv_timer_t *timer)
{
    struct loop *l = timer->data;

    l->tick(l->context);
}

static void handle_signals(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler,
                               .sa_flags = SA_RESTART | SA_ONSTACK | (int)SA_RESETHAND};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

struct loop *loop_new(struct engine *e, void (*tick)(void *context), void *context)
{
    struct loop *l = mem_zalloc(sizeof *l);

    assert(current == NULL);
    l->engine = e;
    l->tick = tick;
    l->context = context;
    uv_loop_init(&l->uv);
    uv_async_init(&l->uv, &l->stop, on_stop);
    uv_timer_init(&l->uv, &l->timer);
    l->timer.data = l;
    uv_timer_start(&l->timer, on_tick, LOOP_TICK_MS, LOOP_TICK_MS);
    uv_unref((uv_handle_t *)&l->stop);
    uv_unref((uv_handle_t *)&l->timer);

    current = l;
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* A file that may not grow is an error like others. */
    handle_signals(on_signal);
    return l;
}

uv_loop_t *loop_uv(struct loop *l)
{
    return &l->uv;
}

void loop_take_signals(struct loop *l)
{
    assert(l == current);
    handle_signals(on_signal);
}

void loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_free(struct loop *l)
{
    int busy;

    if (l == NULL) {
        return;
    }
    handle_signals(SIG_DFL);
    current = NULL;
    uv_close((uv_handle_t *)&l->stop, NULL);
    uv_close((uv_handle_t *)&l->timer, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    busy = uv_loop_close(&l->uv);
    assert(busy == 0);
    mem_free(l);
}
