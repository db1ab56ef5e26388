/* What our code uses of libuv, in virtual time. The log thread is no thread: it runs up to
 * its loop at once, and from then on when something is to happen on that. */
#include "test/simulation/server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop_of(const void *handle)
{
    return ((const uv_handle_t *)handle)->loop->data;
}

/* Opens a handle. */
static void open_handle(uv_loop_t *loop, uv_handle_t *handle)
{
    handle->loop = loop;
    handle->flags = 1;
    loop_of(handle)->handles++;
}

static bool is_open(const void *handle)
{
    return ((const uv_handle_t *)handle)->flags == 1;
}

/* Loops. */

/* The one to be opened is the log thread's of the server that starts. */
int uv_loop_init(uv_loop_t *loop)
{
    struct loop *mine = &server_starting->loop[LOG_THREAD];

    *mine = (struct loop){.server = server_starting, .thread = LOG_THREAD};
    loop->data = mine;
    return 0;
}

int uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    struct loop *mine = loop->data;

    (void)mode;
    if (mine->handles == 0) {
        violation("server %u cannot start", mine->server->number);
    }
    return 0;
}

int uv_loop_close(uv_loop_t *loop)
{
    (void)loop;
    return 0;
}

/* What wakes a loop: descriptors that are no files, but places in a table. */

enum { FIRST_FD = 1000000, FDS = 16384 };

static struct {
    uv_poll_t *poll; /* NULL: nobody watches it. */
    bool is_set, is_posted;
} eventfds[FDS];
static int eventfd_count;

int __wrap_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags)
{
    (void)count;
    (void)flags;
    if (eventfd_count == FDS) {
        violation("there are more eventfds than there is room for");
    }
    return FIRST_FD + eventfd_count++;
}

/* The last thing that our code does with a descriptor is to close it. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    return fd >= FIRST_FD ? 0 : __real_close(fd);
}

static void run_poll(void *context)
{
    size_t i = (size_t)(intptr_t)context;
    uv_poll_t *poll = eventfds[i].poll;

    eventfds[i].is_posted = false;
    if (poll != NULL && eventfds[i].is_set) {
        poll->poll_cb(poll, 0, UV_READABLE);
    }
}

static void drop_poll(void *context)
{
    eventfds[(intptr_t)context].is_posted = false;
}

/* Mostly at once; but a thread may have much else to do. */
static int64_t waking_us(void)
{
    return one_in(20) ? around(10 * MS) : around(50);
}

static void wake(size_t i)
{
    struct loop *mine;

    if (eventfds[i].poll == NULL || !eventfds[i].is_set || eventfds[i].is_posted) {
        return;
    }
    mine = loop_of(eventfds[i].poll);
    if (!mine->server->is_frozen) {
        eventfds[i].is_posted = true;
        world_post(waking_us(), mine->server, mine->thread, run_poll, drop_poll,
                   (void *)(intptr_t)i);
    }
}

int __wrap_eventfd_write(int fd, uint64_t count);
int __wrap_eventfd_write(int fd, uint64_t count)
{
    (void)count;
    eventfds[fd - FIRST_FD].is_set = true;
    wake((size_t)(fd - FIRST_FD));
    return 0;
}

int __wrap_eventfd_read(int fd, uint64_t *count);
int __wrap_eventfd_read(int fd, uint64_t *count)
{
    *count = 1;
    eventfds[fd - FIRST_FD].is_set = false;
    return 0;
}

int uv_poll_init(uv_loop_t *loop, uv_poll_t *poll, int fd)
{
    open_handle(loop, (uv_handle_t *)poll);
    eventfds[fd - FIRST_FD].poll = poll;
    return 0;
}

int uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb cb)
{
    (void)events;
    poll->poll_cb = cb;
    for (int i = 0; i < eventfd_count; i++) {
        if (eventfds[i].poll == poll) {
            wake((size_t)i);
        }
    }
    return 0;
}

static void close_poll(const uv_handle_t *handle)
{
    for (int i = 0; i < eventfd_count; i++) {
        if ((uv_handle_t *)eventfds[i].poll == handle) {
            eventfds[i].poll = NULL;
        }
    }
}

/* Handles. */

void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
    struct loop *mine = loop_of(handle);

    if (cb != NULL) {
        abort();
    }
    close_poll(handle);
    handle->flags = 0;
    mine->handles--;
    if (mine->check == (uv_check_t *)handle) {
        mine->check = NULL;
    }
}

void uv_unref(uv_handle_t *handle)
{
    (void)handle;
}

int uv_check_init(uv_loop_t *loop, uv_check_t *check)
{
    open_handle(loop, (uv_handle_t *)check);
    return 0;
}

int uv_check_start(uv_check_t *check, uv_check_cb cb)
{
    check->check_cb = cb;
    loop_of(check)->check = check;
    return 0;
}

static void run_timer(void *context)
{
    uv_timer_t *timer = context;

    if (is_open(timer)) {
        world_post((int64_t)timer->repeat * MS, loop_of(timer)->server, loop_of(timer)->thread,
                   run_timer, NULL, timer);
        timer->timer_cb(timer);
    }
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    open_handle(loop, (uv_handle_t *)timer);
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
    timer->timer_cb = cb;
    timer->repeat = repeat;
    world_post((int64_t)timeout * MS, loop_of(timer)->server, loop_of(timer)->thread, run_timer,
               NULL, timer);
    return 0;
}

/* Files. */

static void run_unlink(void *context)
{
    uv_fs_t *request = context;

    unlink(request->path);
    request->cb(request);
}

static void drop_unlink(void *context)
{
    uv_fs_t *request = context;

    free((void *)request->path);
    free(request);
}

int uv_fs_unlink(uv_loop_t *loop, uv_fs_t *request, const char *path, uv_fs_cb cb)
{
    struct loop *mine = loop->data;

    request->path = strdup(path);
    request->cb = cb;
    world_post(around(MS), mine->server, LOG_THREAD, run_unlink, drop_unlink, request);
    return 0;
}

void uv_fs_req_cleanup(uv_fs_t *request)
{
    free((void *)request->path);
}

/* Threads. */

int uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *context)
{

    *thread = 0;
    server_starting->node = context;
    entry(context);
    return 0;
}

static bool has_ended(void *context)
{
    struct server *s = context;

    return s->loop[LOG_THREAD].handles == 0;
}

/* The executor waits. One that has crashed has nothing to wait for. */
int uv_thread_join(uv_thread_t *thread)
{
    struct server *s = server_stopping;

    (void)thread;
    if (!s->is_frozen && !world_run_until(has_ended, s, world.now_us + 60 * SECOND)) {
        violation("server %u does not end", s->number);
    }
    return 0;
}

int uv_sem_init(uv_sem_t *semaphore, unsigned value)
{
    (void)semaphore;
    (void)value;
    return 0;
}

void uv_sem_post(uv_sem_t *semaphore)
{
    (void)semaphore;
}

void uv_sem_wait(uv_sem_t *semaphore)
{
    (void)semaphore;
}

void uv_sem_destroy(uv_sem_t *semaphore)
{
    (void)semaphore;
}

int uv_mutex_init(uv_mutex_t *mutex)
{
    (void)mutex;
    return 0;
}

void uv_mutex_destroy(uv_mutex_t *mutex)
{
    (void)mutex;
}

void uv_mutex_lock(uv_mutex_t *mutex)
{
    (void)mutex;
}

void uv_mutex_unlock(uv_mutex_t *mutex)
{
    (void)mutex;
}
