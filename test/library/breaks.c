/* Connections that break, servers that are silent or say that another one leads: what is asked for
 * is done once, or it is said that nobody knows. */
#include "test/library/common.h"

#include <stdio.h>

/* Cuts the first connection at every byte; acquires and releases must not notice. */
static long cut_everywhere(bool native, void (*cut)(struct fake *f, long bytes))
{
    bool was_cut = true;
    long at = 0;

    for (; was_cut; at++) {
        struct scene s;

        begin_with(&s, 2000, 5000, false);
        fake_set_native(s.fake, native);
        cut(s.fake, at);
        CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
        CHECK(fake_is_held(s.fake));
        CHECK(moonlatch_renew(s.lock) == MOONLATCH_OK);
        CHECK(moonlatch_release(s.lock) == MOONLATCH_OK);
        CHECK(!fake_is_held(s.fake));
        CHECK(fake_grants(s.fake) == 1);
        was_cut = fake_has_cut(s.fake);
        end(&s);
    }
    return at;
}

TEST(a_connection_may_break_at_every_byte_of_a_request)
{
    CHECK(cut_everywhere(true, fake_cut_requests) > 300);
}

TEST(a_connection_may_break_at_every_byte_of_a_reply)
{
    CHECK(cut_everywhere(true, fake_cut_replies) > 100);
    CHECK(cut_everywhere(false, fake_cut_replies) > 100);
}

TEST(a_text_of_a_script_may_be_cut)
{
    for (long at = 0; at < 24000; at += 997) {
        struct scene s;

        begin_with(&s, 2000, 5000, false);
        fake_set_native(s.fake, false);
        fake_cut_requests(s.fake, at);
        CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
        CHECK(fake_grants(s.fake) == 1);
        end(&s);
    }
}

TEST(a_server_that_is_gone_is_told_in_time)
{
    struct scene s;
    int64_t begun;

    begin_with(&s, 1000, 500, false);
    fake_set_frozen(s.fake, true);
    begun = clock_ms();
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_UNREACHABLE);
    CHECK(clock_ms() - begun >= 450 && clock_ms() - begun < 1500);
    CHECK(moonlatch_message(s.session)[0] != '\0');
    fake_set_frozen(s.fake, false);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    CHECK(fake_count(s.fake, "cancel") == 0); /* It was never sent. */
    end(&s);
}

/* The reply is lost, and so is every other: the grant is undone as soon as the server is there. */
TEST(an_acquire_of_which_nobody_knows_is_cancelled)
{
    struct scene s;
    uint64_t token;

    begin_with(&s, 1000, 500, false);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    token = moonlatch_token(s.lock);
    CHECK(moonlatch_release(s.lock) == MOONLATCH_OK);
    fake_set_answer_to(s.fake, "acquire", "");
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_UNREACHABLE);
    CHECK(fake_count(s.fake, "acquire") > 2);
    CHECK(fake_count(s.fake, "cancel") == 1);
    fake_set_answer_to(s.fake, NULL, NULL);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    CHECK(moonlatch_token(s.lock) > token);
    end(&s);
}

/* It was released, and somebody else has it: that the second request is told LOST is no loss,
 * unless the lease may have been over by then. */
TEST(a_release_whose_reply_is_lost_is_none_of_a_lease)
{
    struct scene s;

    begin_with(&s, 5000, 2000, false);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    fake_steal(s.fake, "release");
    CHECK(moonlatch_release(s.lock) == MOONLATCH_OK);
    CHECK(fake_count(s.fake, "release") == 2);
    fake_vacate(s.fake);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    fake_take_away(s.fake);
    CHECK(moonlatch_release(s.lock) == MOONLATCH_LOST);
    end(&s);
    begin_with(&s, 50, 2000, false);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    fake_set_delay(s.fake, 60);
    fake_steal(s.fake, "release");
    CHECK(moonlatch_release(s.lock) == MOONLATCH_UNCERTAIN);
    end(&s);
}

TEST(a_cancel_that_cannot_be_told_is_told_later)
{
    struct scene s;

    begin_with(&s, 1000, 400, false);
    CHECK(moonlatch_ping(s.session) == MOONLATCH_OK);
    fake_set_frozen(s.fake, true);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_UNREACHABLE);
    fake_set_frozen(s.fake, false);
    AWAIT(&s, fake_count(s.fake, "cancel") >= 1);
    CHECK(!fake_is_held(s.fake));
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_OK);
    end(&s);
}

TEST(a_wait_goes_on_when_its_connection_breaks)
{
    struct scene s;

    begin(&s);
    fake_occupy(s.fake);
    CHECK(moonlatch_acquire_async(s.lock, MOONLATCH_FOREVER, note_end, &s) == MOONLATCH_OK);
    AWAIT(&s, fake_waiters(s.fake) == 1);
    fake_close_all(s.fake);
    AWAIT(&s, fake_waiters(s.fake) == 1);
    CHECK(s.ends == 0);
    fake_vacate(s.fake);
    AWAIT(&s, s.ends == 1);
    CHECK(s.end == MOONLATCH_OK);
    CHECK(fake_grants(s.fake) == 1);
    end(&s);
}

/* A stopped server keeps its connections: only asking it shows that it does not answer. */
TEST(a_wait_at_a_server_that_is_silent_ends)
{
    struct scene s;
    int64_t begun;

    begin_with(&s, 1000, 600, false);
    fake_occupy(s.fake);
    CHECK(moonlatch_acquire_async(s.lock, MOONLATCH_FOREVER, note_end, &s) == MOONLATCH_OK);
    AWAIT(&s, fake_waiters(s.fake) == 1);
    fake_set_frozen(s.fake, true);
    begun = clock_ms();
    AWAIT(&s, s.ends == 1);
    CHECK(s.end == MOONLATCH_UNREACHABLE);
    CHECK(clock_ms() - begun < 5000);
    end(&s);
}

/* Which server leads. */

TEST(whoever_does_not_lead_says_who_does)
{
    static const char *const forms[] = {
        "-MOVED 77 %s\r\n",
        "-READONLY You can't write against a read only replica. The leader is %s\r\n",
    };

    for (size_t i = 0; i < 2; i++) {
        struct fake *follower = fake_start();
        char answer[256];
        moonlatch_options options = {.servers = fake_address(follower)};
        static const char *const name = "a";
        moonlatch_lock *lock;
        struct scene s;

        begin(&s);
        snprintf(answer, sizeof answer, forms[i], fake_address(s.fake));
        fake_set_answer(follower, answer);
        moonlatch_close(s.session);
        CHECK(moonlatch_open(&s.session, &options) == MOONLATCH_OK);
        CHECK(moonlatch_lock_new(s.session, &name, 1, NULL, &lock) == MOONLATCH_OK);
        CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_OK);
        CHECK(fake_grants(s.fake) == 1);
        end(&s);
        fake_stop(follower);
    }
}

/* Two who each say that the other leads. */
TEST(a_circle_of_leaders_ends_in_time)
{
    struct scene s;
    struct fake *other = fake_start();
    char answers[2][128];

    begin_with(&s, 1000, 400, false);
    snprintf(answers[0], sizeof answers[0], "-MOVED 1 %s\r\n", fake_address(other));
    snprintf(answers[1], sizeof answers[1], "-MOVED 1 %s\r\n", fake_address(s.fake));
    fake_set_answer(s.fake, answers[0]);
    fake_set_answer(other, answers[1]);
    CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_UNREACHABLE);
    CHECK(fake_connections(other) < 100);
    CHECK(strstr(moonlatch_message(s.session), "MOVED") != NULL);
    end(&s);
    fake_stop(other);
}

TEST(a_server_that_cannot_answer_yet_is_asked_again)
{
    static const char *const answers[] = {
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-CLUSTERDOWN No leader is known\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n",
        "-READONLY You can't write against a read only replica.\r\n",
        "-UNCERTAIN This server leads no more\r\n",
    };

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct scene s;

        begin_with(&s, 1000, 5000, false);
        fake_set_answer_to(s.fake, "acquire", answers[i]);
        CHECK(moonlatch_acquire_async(s.lock, 0, note_end, &s) == MOONLATCH_OK);
        loop_for(&s, 60);
        CHECK(s.ends == 0);
        fake_set_answer_to(s.fake, NULL, NULL);
        AWAIT(&s, s.ends == 1);
        CHECK(s.end == MOONLATCH_OK);
        end(&s);
    }
}

TEST(a_sentinel_is_asked_for_the_leader)
{
    struct fake *sentinel = fake_start();
    moonlatch_options options = {.servers = fake_address(sentinel), .sentinel = "mymaster"};
    static const char *const name = "a";
    const char *port;
    char answer[128];
    moonlatch_lock *lock;
    struct scene s;

    begin(&s);
    moonlatch_close(s.session);
    port = strchr(fake_address(s.fake), ':') + 1;
    snprintf(answer, sizeof answer, "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n", strlen(port), port);
    fake_set_answer(sentinel, answer);
    CHECK(moonlatch_open(&s.session, &options) == MOONLATCH_OK);
    CHECK(moonlatch_lock_new(s.session, &name, 1, NULL, &lock) == MOONLATCH_OK);
    CHECK(moonlatch_acquire(lock, 0) == MOONLATCH_OK);
    CHECK(fake_has_seen(sentinel, "SENTINEL get-master-addr-by-name mymaster"));
    fake_set_answer(sentinel, "*-1\r\n");
    fake_set_frozen(s.fake, true);
    end(&s);
    fake_stop(sentinel);
}

TEST(a_password_that_is_missing_or_wrong_is_told_at_once)
{
    static const char *const answers[] = {
        "-NOAUTH Authentication required.\r\n",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    };

    for (size_t i = 0; i < 2; i++) {
        struct scene s;
        int64_t begun = clock_ms();

        begin(&s);
        fake_set_answer(s.fake, answers[i]);
        CHECK(moonlatch_acquire(s.lock, 0) == MOONLATCH_DENIED);
        CHECK(strstr(moonlatch_message(s.session), i == 0 ? "NOAUTH" : "WRONGPASS") != NULL);
        CHECK(clock_ms() - begun < 900);
        end(&s);
    }
}

/* What servers should not say. */

TEST(garbage_ends_the_connection_and_nothing_else)
{
    static const char *const answers[] = {
        "?\r\n",
        "$-7\r\n",
        "*99999999999999999999\r\n",
        ":x\r\n",
        "*2\r\n*2\r\n*2\r\n*2\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "*0\r\n",
        "$0\r\n\r\n",
        ":5\r\n",
        "*1\r\n:5\r\n",
        "*1\r\n*-1\r\n",
        "*1\r\n$-1\r\n",
        "+OK\r\n",
        "$3\r\nabcdef",
        "*3\r\n$2\r\nOK\r\n:1\r\n:2\r\n",
        "+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
        "*5\r\n$2\r\nOK\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct scene s;

        begin_with(&s, 1000, 300, false);
        fake_set_answer_to(s.fake, "acquire", answers[i]);
        moonlatch_acquire(s.lock, 20);
        fake_set_answer_to(s.fake, NULL, NULL);
        fake_set_answer(s.fake, answers[i]);
        moonlatch_ping(s.session);
        fake_set_answer(s.fake, NULL);
        fake_close_all(s.fake);
        CHECK(moonlatch_ping(s.session) == MOONLATCH_OK);
        end(&s);
    }
}

/* Commands. */

TEST(a_command_is_not_repeated)
{
    static const char *const words[] = {"INCR", "n"};
    struct scene s;
    moonlatch_reply *reply;

    begin_with(&s, 1000, 300, false);
    CHECK(moonlatch_command(s.session, 2, words, NULL, &reply) == MOONLATCH_OK);
    CHECK(moonlatch_reply_type(reply) == MOONLATCH_STATUS_TEXT);
    assert_string_equal(moonlatch_reply_text(reply, NULL), "OK");
    moonlatch_reply_free(reply);
    fake_set_frozen(s.fake, true);
    CHECK(moonlatch_command(s.session, 2, words, NULL, &reply) == MOONLATCH_UNCERTAIN);
    CHECK(reply == NULL);
    fake_set_frozen(s.fake, false);
    fake_set_answer(s.fake, "-ERR it cannot be done\r\n");
    CHECK(moonlatch_command(s.session, 2, words, NULL, &reply) == MOONLATCH_ERROR);
    CHECK(moonlatch_reply_type(reply) == MOONLATCH_FAILURE);
    moonlatch_reply_free(reply);
    CHECK(strcmp(moonlatch_message(s.session), "ERR it cannot be done") == 0);
    end(&s);
}

int main(void)
{
    return RUN(
        a_connection_may_break_at_every_byte_of_a_request,
        a_connection_may_break_at_every_byte_of_a_reply, a_text_of_a_script_may_be_cut,
        a_server_that_is_gone_is_told_in_time, a_release_whose_reply_is_lost_is_none_of_a_lease,
        an_acquire_of_which_nobody_knows_is_cancelled, a_cancel_that_cannot_be_told_is_told_later,
        a_wait_goes_on_when_its_connection_breaks, a_wait_at_a_server_that_is_silent_ends,
        whoever_does_not_lead_says_who_does, a_circle_of_leaders_ends_in_time,
        a_server_that_cannot_answer_yet_is_asked_again, a_sentinel_is_asked_for_the_leader,
        a_password_that_is_missing_or_wrong_is_told_at_once,
        garbage_ends_the_connection_and_nothing_else, a_command_is_not_repeated);
}
