#include "base/mem.h"
#include "engine/engine.h"
#include "engine/group_info.h"
#include "engine/leadership.h"
#include "engine/slot.h"
#include "test/lib/check.h"

static const struct command *const families[] = {NULL};
static const char own_id[] = "0123456789012345678901234567890123456789";

/* A server that is number 1 of three. */
static struct engine *open_group(enum group_role role, uint64_t leader)
{
    struct engine *e = engine_new(families, 1);
    struct member *members = mem_zalloc(3 * sizeof *members);

    members[0] = (struct member){.id = 1, .host = "10.0.0.1", .port = 6379};
    members[1] = (struct member){.id = 2, .host = "10.0.0.2", .port = 6380};
    members[2] = (struct member){.id = 3, .host = "::1", .port = 6381, .role = MEMBER_STANDBY};
    e->time.now_us = INT64_C(1000000000);
    e->group.exists = true;
    e->group.self = 1;
    e->group.role = role;
    e->group.leader = leader;
    e->group.last_index = 20;
    e->group.stored_index = 19;
    e->group.applied_index = 18;
    group_set_members(&e->group, members, 3);
    group_leader_changed(e);
    return e;
}

static void check_replication(const struct engine *e, const char *expected)
{
    BUF_LOCAL(text);

    group_add_replication(e, own_id, &text);
    buf_add_byte(&text, '\0');
    assert_string_equal(text.at, expected);
}

#define BACKLOG                                                                                    \
    "second_repl_offset:-1\r\nrepl_backlog_active:1\r\nrepl_backlog_size:0\r\n"                    \
    "repl_backlog_first_byte_offset:1\r\nrepl_backlog_histlen:20\r\n"
#define IDS                                                                                        \
    "master_failover_state:no-failover\r\n"                                                        \
    "master_replid:0123456789012345678901234567890123456789\r\n"                                   \
    "master_replid2:0000000000000000000000000000000000000000\r\n"

TEST(a_leader_tells_of_those_that_it_hears)
{
    struct engine *e = open_group(GROUP_LEADER, 1);

    e->group.members[1].heard_ms = logtime_ms(&e->time) - 1500;
    e->group.members[1].stored_index = 17;
    e->group.members[2].heard_ms = logtime_ms(&e->time) - 60000;
    check_replication(e, "role:master\r\nconnected_slaves:1\r\n"
                         "slave0:ip=10.0.0.2,port=6380,state=online,offset=17,lag=1\r\n" IDS
                         "master_repl_offset:20\r\n" BACKLOG);
    e->settings.min_replicas = 1;
    check_replication(e, "role:master\r\nconnected_slaves:1\r\nmin_slaves_good_slaves:1\r\n"
                         "slave0:ip=10.0.0.2,port=6380,state=online,offset=17,lag=1\r\n" IDS
                         "master_repl_offset:20\r\n" BACKLOG);
    engine_free(e);
}

TEST(a_follower_tells_of_its_leader)
{
    struct engine *e = open_group(GROUP_FOLLOWER, 2);

    e->group.members[1].heard_ms = logtime_ms(&e->time) - 3000;
    check_replication(e, "role:slave\r\nmaster_host:10.0.0.2\r\nmaster_port:6380\r\n"
                         "master_link_status:up\r\nmaster_last_io_seconds_ago:3\r\n"
                         "master_sync_in_progress:0\r\nslave_read_repl_offset:19\r\n"
                         "slave_repl_offset:19\r\nslave_priority:100\r\nslave_read_only:1\r\n"
                         "replica_announced:1\r\nconnected_slaves:0\r\n" IDS
                         "master_repl_offset:19\r\n" BACKLOG);
    engine_free(e);
}

TEST(without_a_leader_the_last_one_is_told_of_as_down)
{
    struct engine *e = open_group(GROUP_FOLLOWER, 2);

    e->group.role = GROUP_CANDIDATE;
    e->group.leader = 0;
    group_leader_changed(e);
    e->time.now_us += 7 * 1000000;
    group_leader_changed(e); /* Nothing has. */
    check_replication(e, "role:slave\r\nmaster_host:10.0.0.2\r\nmaster_port:6380\r\n"
                         "master_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\n"
                         "master_sync_in_progress:0\r\nslave_read_repl_offset:19\r\n"
                         "slave_repl_offset:19\r\nmaster_link_down_since_seconds:7\r\n"
                         "slave_priority:100\r\nslave_read_only:1\r\n"
                         "replica_announced:1\r\nconnected_slaves:0\r\n" IDS
                         "master_repl_offset:19\r\n" BACKLOG);
    engine_free(e);
}

TEST(members_that_keep_the_log_count_for_what_they_have_stored)
{
    struct engine *e = open_group(GROUP_LEADER, 1);
    struct group *g = &e->group;

    g->stored_seq = 9;
    g->members[1].stored_seq = 8;
    g->members[2].stored_seq = 7;
    CHECK(group_stored_by(e, 7, false) == 2);
    CHECK(group_stored_by(e, 8, false) == 1);
    CHECK(group_stored_by(e, 9, false) == 0);
    CHECK(group_stored_by(e, 9, true) == 1);
    CHECK(group_stored_by(e, 10, true) == 0);
    g->members[2].role = MEMBER_SPARE;
    CHECK(group_stored_by(e, 7, true) == 2);
    engine_free(e);
}

TEST(a_majority_is_of_voters_only)
{
    struct engine *e = open_group(GROUP_LEADER, 1);

    e->group.members[2].heard_ms = logtime_ms(&e->time);
    CHECK(group_voters(&e->group) == 2);
    CHECK(group_voters_heard(&e->group, logtime_ms(&e->time)) == 1);
    e->group.members[1].heard_ms = logtime_ms(&e->time);
    CHECK(group_voters_heard(&e->group, logtime_ms(&e->time)) == 2);
    engine_free(e);
}

TEST(slots_go_by_what_is_in_braces)
{
    CHECK(slot_of(BYTES("")) == 0);
    CHECK(slot_of(BYTES("foo")) == 12182);
    CHECK(slot_of(BYTES("123456789")) == 0x31c3);
    CHECK(slot_of(BYTES("{foo}bar")) == 12182);
    CHECK(slot_of(BYTES("a{foo}{bar}")) == 12182);
    CHECK(slot_of(BYTES("{}foo")) != slot_of(BYTES("foo")));
    CHECK(slot_of(BYTES("{}foo")) == 9500);
    CHECK(slot_of(BYTES("{foo")) != slot_of(BYTES("foo")));
    CHECK(slot_of(BYTES("{{foo}}")) == slot_of(BYTES("{foo")));
}

TEST(names_are_hexadecimal_and_differ)
{
    char one[MEMBER_NAME + 1], two[MEMBER_NAME + 1];

    group_name(1, one);
    group_name(2, two);
    CHECK(strlen(one) == MEMBER_NAME);
    CHECK(strspn(one, "0123456789abcdef") == MEMBER_NAME);
    CHECK(strcmp(one, two) != 0);
}

int main(void)
{
    return RUN(a_leader_tells_of_those_that_it_hears, a_follower_tells_of_its_leader,
               without_a_leader_the_last_one_is_told_of_as_down,
               members_that_keep_the_log_count_for_what_they_have_stored,
               a_majority_is_of_voters_only, slots_go_by_what_is_in_braces,
               names_are_hexadecimal_and_differ);
}
