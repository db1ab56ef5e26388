/* Memory that runs out, at each place where some is asked for: nothing ends the program, nothing
 * leaks, and nothing is held without anybody knowing. */
#include "test/library/common.h"

#include <errno.h>

/* The C library's own. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);

/* Of this thread; the server has memory enough. */
static _Thread_local long allocations_left = -1; /* -1: as many as it likes. */
static _Thread_local bool fails_once;

static bool fails(void)
{
    if (allocations_left < 0) {
        return false;
    }
    if (allocations_left > 0) {
        allocations_left--;
        return false;
    }
    if (fails_once) {
        allocations_left = -1;
    }
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}

/* A whole life. What fails is reported as such; the outcome is that of who has memory, or
 * MEMORY. */
static bool is_fine(moonlatch_status status)
{
    return status == MOONLATCH_OK || status == MOONLATCH_MEMORY;
}

static void live(const char *servers)
{
    static const char *const name = "a", *const words[] = {"GET", "x"};
    moonlatch_options options = {.servers = servers, .request_ms = 60, .label = "test"};
    moonlatch_lock_options lock_options = {.ttl_ms = 1000, .on_loss = note_loss};
    moonlatch *session;
    moonlatch_lock *lock;
    moonlatch_reply *reply;
    moonlatch_status status = moonlatch_open(&session, &options);

    CHECK(is_fine(status));
    if (status != MOONLATCH_OK) {
        CHECK(session == NULL);
        return;
    }
    moonlatch_fd(session);
    status = moonlatch_lock_new(session, &name, 1, &lock_options, &lock);
    CHECK(is_fine(status));
    if (status == MOONLATCH_OK) {
        status = moonlatch_acquire(lock, 20);
        CHECK(is_fine(status) || status == MOONLATCH_UNREACHABLE || status == MOONLATCH_BUSY);
        if (status == MOONLATCH_OK) {
            moonlatch_renew(lock);
            moonlatch_release(lock);
        }
    }
    moonlatch_command(session, 2, words, NULL, &reply);
    moonlatch_reply_free(reply);
    moonlatch_eval(session, "return 1", 0, NULL, 2, words, NULL, &reply);
    moonlatch_reply_free(reply);
    moonlatch_guard_touch(session, "g", 5);
    moonlatch_process(session);
    moonlatch_close(session);
}

static void fail_everywhere(bool native, bool busy, bool once)
{
    bool failed = true;

    for (long at = 0; failed; at++) {
        struct fake *f = fake_start();

        fake_set_native(f, native);
        if (busy) {
            fake_occupy(f);
        }
        fails_once = once;
        allocations_left = at;
        live(fake_address(f));
        failed = once ? allocations_left < 0 : allocations_left == 0;
        allocations_left = -1;
        CHECK(busy || !fake_is_held(f) || !once);
        fake_stop(f);
        CHECK(at < 2000);
    }
}

TEST(one_allocation_may_fail)
{
    fail_everywhere(true, false, true);
    fail_everywhere(false, false, true);
    fail_everywhere(true, true, true);
    fail_everywhere(false, true, true);
}

TEST(all_allocations_may_fail_from_one_on)
{
    fail_everywhere(true, false, false);
    fail_everywhere(false, true, false);
}

/* A connection is there, and then there is no memory for what is to be sent. */
TEST(a_request_that_cannot_be_sent_ends_in_time)
{
    static const char *const name = "a";
    struct fake *f = fake_start();
    moonlatch_options options = {.servers = fake_address(f), .request_ms = 200};
    moonlatch_lock_options long_value = {.kind = MOONLATCH_ELECTION};
    static char value[100 * 1024];
    moonlatch *session;
    moonlatch_lock *lock;

    memset(value, 'x', sizeof value - 1);
    long_value.value = value;
    CHECK(moonlatch_open(&session, &options) == MOONLATCH_OK);
    CHECK(moonlatch_lock_new(session, &name, 1, &long_value, &lock) == MOONLATCH_OK);
    CHECK(moonlatch_ping(session) == MOONLATCH_OK);
    fails_once = false;
    allocations_left = 0;
    CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_MEMORY);
    allocations_left = -1;
    CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_OK);
    moonlatch_close(session);
    fake_stop(f);
}

int main(void)
{
    return RUN(one_allocation_may_fail, all_allocations_may_fail_from_one_on,
               a_request_that_cannot_be_sent_ends_in_time);
}
