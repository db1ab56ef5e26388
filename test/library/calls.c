/* What calls return, and when. */
#include "test/library/common.h"

#include <signal.h>

TEST(a_lock_is_acquired_renewed_and_released)
{
    struct scene s;

    begin(&s);
    CHECK(!moonlatch_is_held(s.lock));
    CHECK(moonlatch_token(s.lock) == 0);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    CHECK(moonlatch_is_held(s.lock));
    CHECK(moonlatch_token(s.lock) > 0);
    CHECK(moonlatch_remaining_ms(s.lock) > 900 && moonlatch_remaining_ms(s.lock) < 1000);
    rest_ms(50);
    CHECK(moonlatch_remaining_ms(s.lock) < 950);
    CHECK(moonlatch_renew(s.lock) == MOONLATCH_OK);
    CHECK(moonlatch_remaining_ms(s.lock) > 950);
    CHECK(moonlatch_release(s.lock) == MOONLATCH_OK);
    CHECK(!moonlatch_is_held(s.lock));
    CHECK(!fake_is_held(s.fake));
    CHECK(moonlatch_release(s.lock) == MOONLATCH_LOST);
    CHECK(moonlatch_renew(s.lock) == MOONLATCH_LOST);
    CHECK(fake_count(s.fake, "release") == 1);
    end(&s);
}

/* The deadline is that of the moment before the request was sent, less a hundredth and 2 ms. */
TEST(a_slow_reply_shortens_the_lease)
{
    struct scene s;
    int64_t left;

    begin(&s);
    CHECK(moonlatch_ping(s.session) == MOONLATCH_OK);
    fake_set_delay(s.fake, 200);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    left = moonlatch_remaining_ms(s.lock);
    CHECK(left > 600 && left <= 1000 - 10 - 2 - 200);
    end(&s);
}

TEST(a_reply_that_comes_after_the_lease_is_worth_nothing)
{
    struct scene s;
    moonlatch_status status;

    begin_with(&s, 100, 2000, false);
    CHECK(moonlatch_ping(s.session) == MOONLATCH_OK);
    fake_set_delay(s.fake, 120);
    status = moonlatch_acquire(s.lock, 0);
    CHECK(status == MOONLATCH_LOST || !moonlatch_is_held(s.lock) ||
          moonlatch_remaining_ms(s.lock) < 90);
    end(&s);
}

TEST(the_handle_counts_how_often_it_is_held)
{
    static const char *const name = "a";
    moonlatch_lock_options options = {.max_count = 2};
    moonlatch_lock *lock;
    struct scene s;
    uint64_t token;

    begin(&s);
    CHECK(moonlatch_lock_new(s.session, &name, 1, &options, &lock) == MOONLATCH_OK);
    CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_OK);
    token = moonlatch_token(lock);
    CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_OK);
    CHECK(moonlatch_token(lock) == token);
    CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_LIMIT);
    CHECK(moonlatch_release(lock) == MOONLATCH_OK);
    CHECK(moonlatch_is_held(lock) && fake_is_held(s.fake));
    CHECK(moonlatch_release(lock) == MOONLATCH_OK);
    CHECK(!fake_is_held(s.fake));
    CHECK(fake_count(s.fake, "acquire") == 1 && fake_count(s.fake, "release") == 1);
    end(&s);
}

TEST(who_holds_it_is_known_to_who_does_not_get_it)
{
    struct scene s;

    begin(&s);
    fake_occupy(s.fake);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_BUSY);
    assert_string_equal(moonlatch_holder(s.lock), "somebody/else/1");
    CHECK(moonlatch_holder_remaining_ms(s.lock) <= 20);
    CHECK(strstr(moonlatch_message(s.session), "somebody/else/1") != NULL);
    end(&s);
}

/* Waiting. */

TEST(a_wait_ends_when_the_lock_is_free)
{
    struct scene s;

    begin(&s);
    fake_occupy(s.fake);
    CHECK(moonlatch_acquire_async(s.lock, MOONLATCH_FOREVER, note_end, &s) == MOONLATCH_OK);
    AWAIT(&s, fake_waiters(s.fake) == 1);
    CHECK(s.ends == 0);
    fake_vacate(s.fake);
    AWAIT(&s, s.ends == 1);
    CHECK(s.end == MOONLATCH_OK && moonlatch_is_held(s.lock));
    CHECK(fake_has_seen(s.fake, "acquire test/"));
    CHECK(moonlatch_release(s.lock) == MOONLATCH_OK);
    end(&s);
}

/* What is known of the lease is by the server's clock then, however long the wait was. */
TEST(the_lease_of_who_has_waited_begins_with_the_grant)
{
    struct scene s;

    begin(&s);
    fake_move_clock(s.fake, 3600LL * 1000000);
    fake_occupy(s.fake);
    CHECK(moonlatch_acquire_async(s.lock, MOONLATCH_FOREVER, note_end, &s) == MOONLATCH_OK);
    AWAIT(&s, fake_waiters(s.fake) == 1);
    loop_for(&s, 700);
    fake_vacate(s.fake);
    AWAIT(&s, s.ends == 1);
    CHECK(moonlatch_remaining_ms(s.lock) > 900);
    CHECK(moonlatch_remaining_ms(s.lock) < 990);
    CHECK(fake_count(s.fake, "renew") >= 2); /* Probes: of the calls, and of the link that waits. */
    end(&s);
}

/* A clock that has been put back says less than nothing: then the request's sending counts, and
 * a renewal. */
TEST(a_clock_that_goes_back_makes_no_lease_longer)
{
    struct scene s;

    begin(&s);
    fake_occupy(s.fake);
    CHECK(moonlatch_acquire_async(s.lock, MOONLATCH_FOREVER, note_end, &s) == MOONLATCH_OK);
    AWAIT(&s, fake_waiters(s.fake) == 1);
    loop_for(&s, 700);
    fake_move_clock(s.fake, -3600LL * 1000000);
    fake_vacate(s.fake);
    AWAIT(&s, s.ends == 1);
    CHECK(s.end == MOONLATCH_OK);
    CHECK(moonlatch_remaining_ms(s.lock) < 990);
    end(&s);
}

TEST(a_wait_that_is_given_up_leaves_the_queue)
{
    struct scene s;

    begin(&s);
    fake_occupy(s.fake);
    CHECK(moonlatch_acquire_async(s.lock, 10000, note_end, &s) == MOONLATCH_OK);
    AWAIT(&s, fake_waiters(s.fake) == 1);
    moonlatch_acquire_cancel(s.lock);
    AWAIT(&s, s.ends == 1);
    CHECK(s.end == MOONLATCH_CANCELLED);
    CHECK(fake_waiters(s.fake) == 0);
    CHECK(fake_count(s.fake, "cancel") == 1);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_BUSY);
    end(&s);
}

static moonlatch *interrupted;

static void on_alarm(int signal)
{
    (void)signal;
    moonlatch_interrupt(interrupted);
}

TEST(a_signal_interrupts_a_wait)
{
    struct scene s;
    int64_t begun;

    begin(&s);
    interrupted = s.session;
    fake_occupy(s.fake);
    signal(SIGALRM, on_alarm);
    alarm(1);
    begun = clock_ms();
    CHECK(moonlatch_acquire(s.lock, MOONLATCH_FOREVER) == MOONLATCH_CANCELLED);
    CHECK(clock_ms() - begun < 1900);
    CHECK(fake_waiters(s.fake) == 0);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_BUSY);
    end(&s);
}

TEST(an_interrupt_before_the_wait_is_not_lost)
{
    struct scene s;

    begin(&s);
    fake_occupy(s.fake);
    moonlatch_interrupt(s.session);
    CHECK(moonlatch_acquire(s.lock, MOONLATCH_FOREVER) == MOONLATCH_CANCELLED);
    end(&s);
}

/* Servers that cannot have clients wait. */

TEST(without_the_library_scripts_are_sent_once)
{
    struct scene s;
    bool native = true;

    begin(&s);
    fake_set_native(s.fake, false);
    CHECK(moonlatch_is_native(s.session, &native) == MOONLATCH_OK && !native);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    CHECK(moonlatch_release(s.lock) == MOONLATCH_OK);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    CHECK(fake_grants(s.fake) == 2);
    CHECK(fake_has_seen(s.fake, "EVALSHA "));
    end(&s);
}

TEST(without_waits_inside_of_the_server_it_is_asked_again)
{
    struct scene s;

    begin(&s);
    fake_set_native(s.fake, false);
    fake_occupy(s.fake);
    CHECK(moonlatch_acquire(s.lock, 100) == MOONLATCH_BUSY);
    CHECK(fake_count(s.fake, "acquire") > 2);
    CHECK(moonlatch_acquire_async(s.lock, 5000, note_end, &s) == MOONLATCH_OK);
    loop_for(&s, 50);
    fake_vacate(s.fake);
    AWAIT(&s, s.ends == 1);
    CHECK(s.end == MOONLATCH_OK);
    CHECK(fake_has_seen(s.fake, "SUBSCRIBE lock:{a}"));
    end(&s);
}

/* Arguments. */

static moonlatch_status try_name(moonlatch *session, moonlatch_kind kind, const char *a,
                                 const char *b)
{
    const char *const names[] = {a, b};
    moonlatch_lock_options options = {.kind = kind};
    moonlatch_lock *lock;
    moonlatch_status status =
        moonlatch_lock_new(session, names, b != NULL ? 2 : 1, &options, &lock);

    CHECK((lock == NULL) == (status != MOONLATCH_OK));
    moonlatch_lock_free(lock);
    return status;
}

TEST(names_that_make_no_sense_are_refused)
{
    struct scene s;

    begin(&s);
    CHECK(try_name(s.session, MOONLATCH_MUTEX, "a b", NULL) == MOONLATCH_OK);
    CHECK(try_name(s.session, MOONLATCH_MUTEX, "{t}a", NULL) == MOONLATCH_OK);
    CHECK(try_name(s.session, MOONLATCH_MULTI, "{t}a", "{t}b") == MOONLATCH_OK);
    CHECK(try_name(s.session, MOONLATCH_MUTEX, "", NULL) == MOONLATCH_ARGUMENT);
    CHECK(try_name(s.session, MOONLATCH_MUTEX, NULL, NULL) == MOONLATCH_ARGUMENT);
    CHECK(try_name(s.session, MOONLATCH_MUTEX, "a}", NULL) == MOONLATCH_ARGUMENT);
    CHECK(try_name(s.session, MOONLATCH_MUTEX, "{}a", NULL) == MOONLATCH_ARGUMENT);
    CHECK(try_name(s.session, MOONLATCH_MUTEX, "a", "b") == MOONLATCH_ARGUMENT);
    CHECK(try_name(s.session, MOONLATCH_MULTI, "{t}a", NULL) == MOONLATCH_ARGUMENT);
    CHECK(try_name(s.session, MOONLATCH_MULTI, "a", "b") == MOONLATCH_ARGUMENT);
    CHECK(try_name(s.session, MOONLATCH_MULTI, "{t}a", "{u}b") == MOONLATCH_ARGUMENT);
    CHECK(try_name(s.session, MOONLATCH_MULTI, "{t}a", "{t}a") == MOONLATCH_ARGUMENT);
    CHECK(try_name(s.session, (moonlatch_kind)77, "a", NULL) == MOONLATCH_ARGUMENT);
    CHECK(moonlatch_acquire(s.lock, -2) == MOONLATCH_ARGUMENT);
    CHECK(moonlatch_upgrade(s.lock) == MOONLATCH_ARGUMENT);
    CHECK(moonlatch_proclaim(s.lock, "") == MOONLATCH_ARGUMENT);
    end(&s);
}

TEST(owners_have_a_label_and_a_party)
{
    static const char *const name = "a";
    moonlatch_lock_options options = {.party = "request 7"};
    moonlatch_lock *lock;
    struct scene s;

    begin(&s);
    CHECK(strncmp(moonlatch_owner(s.lock), "test/", 5) == 0);
    CHECK(moonlatch_lock_new(s.session, &name, 1, &options, &lock) == MOONLATCH_ARGUMENT);
    options.party = "request-7";
    CHECK(moonlatch_lock_new(s.session, &name, 1, &options, &lock) == MOONLATCH_OK);
    CHECK(strncmp(moonlatch_owner(lock), "request-7/", 10) == 0);
    CHECK(strchr(moonlatch_owner(lock) + 10, '/') == NULL);
    end(&s);
}

TEST(options_that_make_no_sense_are_refused)
{
    moonlatch *session;

    CHECK(moonlatch_open(&session, &(moonlatch_options){.label = "a b"}) == MOONLATCH_ARGUMENT);
    CHECK(session == NULL);
    CHECK(moonlatch_open(&session, &(moonlatch_options){.servers = "a:b"}) == MOONLATCH_ARGUMENT);
    CHECK(moonlatch_open(&session, &(moonlatch_options){.servers = ""}) == MOONLATCH_ARGUMENT);
    CHECK(moonlatch_open(&session, NULL) == MOONLATCH_OK);
    moonlatch_close(session);
    moonlatch_close(NULL);
    moonlatch_lock_free(NULL);
    moonlatch_reply_free(NULL);
}

TEST(every_status_has_a_text)
{
    for (int i = 0; i <= MOONLATCH_CANCELLED; i++) {
        CHECK(moonlatch_status_text((moonlatch_status)i)[0] != '\0');
    }
    CHECK(moonlatch_status_text((moonlatch_status)1000)[0] != '\0');
}

int main(void)
{
    return RUN(a_lock_is_acquired_renewed_and_released, a_slow_reply_shortens_the_lease,
               a_reply_that_comes_after_the_lease_is_worth_nothing,
               the_handle_counts_how_often_it_is_held, who_holds_it_is_known_to_who_does_not_get_it,
               a_wait_ends_when_the_lock_is_free, the_lease_of_who_has_waited_begins_with_the_grant,
               a_clock_that_goes_back_makes_no_lease_longer,
               a_wait_that_is_given_up_leaves_the_queue, a_signal_interrupts_a_wait,
               an_interrupt_before_the_wait_is_not_lost, without_the_library_scripts_are_sent_once,
               without_waits_inside_of_the_server_it_is_asked_again,
               names_that_make_no_sense_are_refused, owners_have_a_label_and_a_party,
               options_that_make_no_sense_are_refused, every_status_has_a_text);
}
