/* What the tests of libmoonlatch share. */
#ifndef TEST_LIBRARY_COMMON_H
#define TEST_LIBRARY_COMMON_H

#include "include/moonlatch.h"
#include "test/lib/check.h"
#include "test/library/fake.h"

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A server, a session, and a lock of it. */
struct scene {
    struct fake *fake;
    moonlatch *session;
    moonlatch_lock *lock;
    unsigned losses;
    uint64_t lost_token;
    unsigned ends;
    moonlatch_status end;
};

static inline int64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void rest_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static inline void note_loss(moonlatch_lock *lock, uint64_t token, void *context)
{
    struct scene *s = context;

    CHECK(lock == s->lock);
    s->losses++;
    s->lost_token = token;
}

static inline void note_end(moonlatch_lock *lock, moonlatch_status status, void *context)
{
    struct scene *s = context;

    CHECK(lock == s->lock);
    s->ends++;
    s->end = status;
}

static inline moonlatch_lock *new_lock(struct scene *s, const char *name, uint32_t ttl_ms)
{
    moonlatch_lock_options options = {.ttl_ms = ttl_ms, .on_loss = note_loss, .context = s};
    moonlatch_lock *lock;

    CHECK(moonlatch_lock_new(s->session, &name, 1, &options, &lock) == MOONLATCH_OK);
    return lock;
}

static inline void begin_with(struct scene *s, uint32_t ttl_ms, uint32_t request_ms, bool thread)
{
    moonlatch_options options = {
        .request_ms = request_ms, .renewal_thread = thread, .label = "test"};

    *s = (struct scene){.fake = fake_start()};
    options.servers = fake_address(s->fake);
    CHECK(moonlatch_open(&s->session, &options) == MOONLATCH_OK);
    s->lock = new_lock(s, "a", ttl_ms);
}

static inline void begin(struct scene *s)
{
    begin_with(s, 1000, 1000, false);
}

static inline void end(struct scene *s)
{
    moonlatch_close(s->session);
    fake_stop(s->fake);
}

/* Has the loop go on for so long. */
static inline void loop_for(struct scene *s, int64_t ms)
{
    int64_t ends = clock_ms() + ms;

    while (clock_ms() < ends) {
        struct pollfd fd = {.fd = moonlatch_fd(s->session), .events = POLLIN};

        poll(&fd, 1, (int)(ends - clock_ms()));
        CHECK(moonlatch_process(s->session) == MOONLATCH_OK);
    }
}

/* Waits until something holds, or fails. */
#define AWAIT(s, condition)                                                                        \
    do {                                                                                           \
        int64_t ends_ = clock_ms() + 20000;                                                        \
                                                                                                   \
        while (!(condition)) {                                                                     \
            CHECK(clock_ms() < ends_);                                                             \
            loop_for(s, 2);                                                                        \
        }                                                                                          \
    } while (0)

#endif
