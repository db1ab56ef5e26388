/* Renewal, by the loop and by the thread; what is lost, and who is told; fork. */
#include "test/library/common.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

TEST(the_loop_renews)
{
    struct scene s;

    begin_with(&s, 600, 1000, false);
    CHECK(moonlatch_timeout_ms(s.session) == -1);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    CHECK(moonlatch_timeout_ms(s.session) > 50 && moonlatch_timeout_ms(s.session) <= 200);
    loop_for(&s, 1500);
    CHECK(moonlatch_is_held(s.lock));
    CHECK(s.losses == 0);
    CHECK(fake_count(s.fake, "renew") >= 5 && fake_count(s.fake, "renew") <= 11);
    CHECK(moonlatch_release(s.lock) == MOONLATCH_OK);
    loop_for(&s, 300);
    CHECK(moonlatch_timeout_ms(s.session) == -1);
    end(&s);
}

TEST(a_call_that_waits_renews_what_is_held)
{
    static const char *const name = "a";
    struct scene s;
    moonlatch_lock *lock;

    begin_with(&s, 300, 1000, false);
    fake_set_native(s.fake, false);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    CHECK(moonlatch_lock_new(s.session, &name, 1, NULL, &lock) == MOONLATCH_OK);
    CHECK(moonlatch_acquire(lock, 900) == MOONLATCH_BUSY);
    CHECK(moonlatch_is_held(s.lock));
    end(&s);
}

TEST(a_lock_that_is_not_to_be_renewed_is_lost_at_its_deadline)
{
    static const char *const name = "a";
    struct scene s;
    moonlatch_lock_options options = {
        .ttl_ms = 200, .no_renewal = true, .on_loss = note_loss, .context = &s};
    uint64_t token;

    begin(&s);
    CHECK(moonlatch_lock_new(s.session, &name, 1, &options, &s.lock) == MOONLATCH_OK);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    token = moonlatch_token(s.lock);
    loop_for(&s, 400);
    CHECK(!moonlatch_is_held(s.lock));
    CHECK(s.losses == 1 && s.lost_token == token);
    CHECK(moonlatch_token(s.lock) == token);
    CHECK(moonlatch_release(s.lock) == MOONLATCH_LOST);
    loop_for(&s, 50);
    CHECK(s.losses == 1);
    end(&s);
}

TEST(a_renewal_that_is_refused_is_a_loss_at_once)
{
    struct scene s;

    begin_with(&s, 300, 1000, false);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    fake_take_away(s.fake);
    loop_for(&s, 150);
    CHECK(!moonlatch_is_held(s.lock));
    CHECK(s.losses == 1);
    loop_for(&s, 300);
    CHECK(s.losses == 1);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    fake_take_away(s.fake);
    CHECK(moonlatch_renew(s.lock) == MOONLATCH_LOST);
    CHECK(s.losses == 1); /* Told from the loop only. */
    loop_for(&s, 10);
    CHECK(s.losses == 2);
    end(&s);
}

/* It is tried until the deadline. */
TEST(an_error_is_no_loss)
{
    struct scene s;
    unsigned before;

    begin_with(&s, 800, 1000, false);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    before = fake_count(s.fake, "renew");
    fake_set_answer_to(s.fake, "renew", "-ERR something is wrong\r\n");
    loop_for(&s, 550);
    CHECK(moonlatch_is_held(s.lock));
    CHECK(fake_count(s.fake, "renew") - before >= 3);
    fake_set_answer_to(s.fake, NULL, NULL);
    loop_for(&s, 800);
    CHECK(moonlatch_is_held(s.lock) && s.losses == 0);
    end(&s);
}

TEST(a_server_that_comes_back_in_time_is_no_loss)
{
    struct scene s;

    begin_with(&s, 1000, 1000, false);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    for (int i = 0; i < 4; i++) {
        fake_set_frozen(s.fake, true);
        loop_for(&s, 400);
        fake_set_frozen(s.fake, false);
        fake_close_all(s.fake);
        loop_for(&s, 200);
        CHECK(moonlatch_is_held(s.lock));
    }
    CHECK(s.losses == 0);
    end(&s);
}

TEST(a_server_that_does_not_come_back_is_a_loss_at_the_deadline)
{
    struct scene s;
    int64_t begun;

    begin_with(&s, 400, 1000, false);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    begun = clock_ms();
    fake_set_frozen(s.fake, true);
    AWAIT(&s, s.losses == 1);
    CHECK(clock_ms() - begun >= 350 && clock_ms() - begun < 600);
    CHECK(!moonlatch_is_held(s.lock));
    fake_set_frozen(s.fake, false);
    loop_for(&s, 100);
    CHECK(s.losses == 1);
    /* The server may have renewed it all the same: what it still has is released first. */
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    CHECK(moonlatch_token(s.lock) != s.lost_token);
    end(&s);
}

TEST(one_request_renews_many_locks)
{
    enum { COUNT = 250 };
    moonlatch_lock *locks[COUNT];
    struct scene s;
    unsigned before;

    begin_with(&s, 600, 1000, false);
    for (int i = 0; i < COUNT; i++) {
        locks[i] = new_lock(&s, "a", 600);
        fake_take_away(s.fake);
        CHECK(moonlatch_acquire(locks[i], 0) == MOONLATCH_OK);
    }
    before = fake_count(s.fake, "renew");
    fake_set_answer_to(s.fake, "renew", "*0\r\n");
    loop_for(&s, 240);
    CHECK(fake_count(s.fake, "renew") - before >= 3 && fake_count(s.fake, "renew") - before < 20);
    end(&s);
}

/* Threads. */

static void count_loss(moonlatch_lock *lock, uint64_t token, void *context)
{
    (void)lock;
    (void)token;
    atomic_fetch_add((atomic_uint *)context, 1);
}

TEST(a_thread_renews_and_tells)
{
    static const char *const name = "a";
    struct scene s;
    atomic_uint losses = 0;
    moonlatch_lock_options options = {.ttl_ms = 600, .on_loss = count_loss, .context = &losses};
    moonlatch_lock *lock;

    begin_with(&s, 600, 1000, true);
    CHECK(moonlatch_lock_new(s.session, &name, 1, &options, &lock) == MOONLATCH_OK);
    CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_OK);
    rest_ms(1500);
    CHECK(moonlatch_is_held(lock));
    fake_take_away(s.fake);
    rest_ms(400);
    CHECK(!moonlatch_is_held(lock));
    CHECK(losses == 1);
    CHECK(moonlatch_process(s.session) == MOONLATCH_OK);
    CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_OK);
    fake_set_frozen(s.fake, true);
    rest_ms(1000);
    CHECK(losses == 2);
    fake_set_frozen(s.fake, false);
    end(&s);
}

TEST(a_thread_tells_while_a_call_waits)
{
    static const char *const name = "a";
    struct scene s;
    atomic_uint losses = 0;
    moonlatch_lock_options options = {.ttl_ms = 200, .on_loss = count_loss, .context = &losses};
    moonlatch_lock *lock;

    begin_with(&s, 300, 1000, true);
    fake_set_native(s.fake, false);
    CHECK(moonlatch_lock_new(s.session, &name, 1, &options, &lock) == MOONLATCH_OK);
    CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_OK);
    fake_take_away(s.fake);
    fake_occupy(s.fake);
    CHECK(moonlatch_acquire(s.lock, 400) == MOONLATCH_BUSY);
    CHECK(losses == 1);
    end(&s);
}

TEST(calls_and_the_thread_do_not_take_from_each_other)
{
    struct scene s;
    int64_t ends = clock_ms() + 1500;

    begin_with(&s, 30, 1000, true);
    while (clock_ms() < ends) {
        moonlatch_status status = moonlatch_acquire(s.lock, 0);

        CHECK(status == MOONLATCH_OK || status == MOONLATCH_LOST); /* So short is the lease. */
        moonlatch_renew(s.lock);
        moonlatch_is_held(s.lock);
        if (clock_ms() % 7 == 0) {
            rest_ms(8);
        }
        moonlatch_release(s.lock);
    }
    end(&s);
}

TEST(a_lock_is_not_freed_under_its_callback)
{
    for (int i = 0; i < 50; i++) {
        static const char *const name = "a";
        struct scene s;
        atomic_uint losses = 0;
        moonlatch_lock_options options = {.ttl_ms = 20, .on_loss = count_loss, .context = &losses};
        moonlatch_lock *lock;

        begin_with(&s, 300, 1000, true);
        CHECK(moonlatch_lock_new(s.session, &name, 1, &options, &lock) == MOONLATCH_OK);
        CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_OK);
        fake_take_away(s.fake);
        rest_ms(5 + i % 10);
        moonlatch_lock_free(lock);
        end(&s);
    }
}

/* Processes. */

static int check_in_child(struct scene *s)
{
    bool is_fine = moonlatch_acquire(s->lock, 0) == MOONLATCH_FORKED &&
                   moonlatch_release(s->lock) == MOONLATCH_FORKED &&
                   moonlatch_renew(s->lock) == MOONLATCH_FORKED &&
                   moonlatch_ping(s->session) == MOONLATCH_FORKED &&
                   moonlatch_process(s->session) == MOONLATCH_FORKED &&
                   !moonlatch_is_held(s->lock) && moonlatch_remaining_ms(s->lock) == 0 &&
                   moonlatch_fd(s->session) == -1;

    moonlatch_lock_free(s->lock);
    moonlatch_close(s->session);
    return is_fine ? 0 : 1;
}

static void check_fork(bool has_thread)
{
    for (int i = 0; i < 10; i++) {
        struct scene s;
        int status;
        pid_t pid;

        begin_with(&s, 600, 1000, has_thread);
        CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
        CHECK(moonlatch_fd(s.session) >= 0);
        rest_ms(has_thread ? 195 + i : 0); /* The thread is at work. */
        pid = fork();
        if (pid == 0) {
            _exit(check_in_child(&s));
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        CHECK(moonlatch_is_held(s.lock));
        CHECK(fake_is_held(s.fake));
        CHECK(moonlatch_renew(s.lock) == MOONLATCH_OK);
        CHECK(moonlatch_release(s.lock) == MOONLATCH_OK);
        end(&s);
    }
}

TEST(a_child_process_does_not_have_what_its_parent_holds)
{
    check_fork(false);
}

TEST(a_child_process_has_no_thread)
{
    check_fork(true);
}

/* The end. */

TEST(closing_releases_what_is_held)
{
    struct scene s;

    begin(&s);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    moonlatch_close(s.session);
    CHECK(!fake_is_held(s.fake));
    CHECK(fake_count(s.fake, "release") == 1);
    fake_stop(s.fake);
}

TEST(closing_takes_no_longer_than_a_request_may)
{
    struct scene s;
    int64_t begun;

    begin_with(&s, 5000, 300, false);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    fake_set_frozen(s.fake, true);
    begun = clock_ms();
    moonlatch_close(s.session);
    CHECK(clock_ms() - begun < 1000);
    fake_stop(s.fake);
}

TEST(freeing_a_lock_gives_it_up)
{
    struct scene s;

    begin(&s);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    moonlatch_lock_free(s.lock);
    CHECK(!fake_is_held(s.fake));
    s.lock = new_lock(&s, "a", 1000);
    fake_occupy(s.fake);
    CHECK(moonlatch_acquire_async(s.lock, MOONLATCH_FOREVER, note_end, &s) == MOONLATCH_OK);
    AWAIT(&s, fake_waiters(s.fake) == 1);
    moonlatch_lock_free(s.lock);
    AWAIT(&s, fake_waiters(s.fake) == 0);
    loop_for(&s, 20);
    CHECK(s.ends == 0);
    end(&s);
}

static void free_lock(moonlatch_lock *lock, uint64_t token, void *context)
{
    (void)token;
    ++*(unsigned *)context;
    moonlatch_lock_free(lock);
}

TEST(a_lock_may_be_freed_by_its_callback)
{
    static const char *const name = "a";
    struct scene s;
    unsigned losses = 0;
    moonlatch_lock_options options = {
        .ttl_ms = 50, .no_renewal = true, .on_loss = free_lock, .context = &losses};
    moonlatch_lock *lock;

    begin(&s);
    CHECK(moonlatch_lock_new(s.session, &name, 1, &options, &lock) == MOONLATCH_OK);
    CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_OK);
    AWAIT(&s, losses == 1);
    loop_for(&s, 100);
    CHECK(losses == 1);
    end(&s);
}

int main(void)
{
    return RUN(the_loop_renews, a_call_that_waits_renews_what_is_held,
               a_lock_that_is_not_to_be_renewed_is_lost_at_its_deadline,
               a_renewal_that_is_refused_is_a_loss_at_once, an_error_is_no_loss,
               a_server_that_comes_back_in_time_is_no_loss,
               a_server_that_does_not_come_back_is_a_loss_at_the_deadline,
               one_request_renews_many_locks, a_thread_renews_and_tells,
               a_thread_tells_while_a_call_waits, calls_and_the_thread_do_not_take_from_each_other,
               a_lock_is_not_freed_under_its_callback,
               a_child_process_does_not_have_what_its_parent_holds, a_child_process_has_no_thread,
               closing_releases_what_is_held, closing_takes_no_longer_than_a_request_may,
               freeing_a_lock_gives_it_up, a_lock_may_be_freed_by_its_callback);
}
