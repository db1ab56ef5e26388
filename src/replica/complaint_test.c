#include "replica/complaint.h"

#include "test/lib/check.h"

TEST(about_each_once_a_minute)
{
    struct complaints c = {0};

    CHECK(complaint_is_due(&c, "192.0.2.1", 1000));
    CHECK(!complaint_is_due(&c, "192.0.2.1", 1000));
    CHECK(complaint_is_due(&c, "192.0.2.2", 2000));
    CHECK(!complaint_is_due(&c, "192.0.2.1", 60999));
    CHECK(complaint_is_due(&c, "192.0.2.1", 61000));
    CHECK(!complaint_is_due(&c, "192.0.2.2", 61000));
}

TEST(many_strangers_do_not_fill_the_log)
{
    struct complaints c = {0};
    int logged = 0;

    for (int i = 0; i < 1000; i++) {
        char whom[16];

        snprintf(whom, sizeof whom, "%d", i);
        logged += complaint_is_due(&c, whom, 5);
    }
    CHECK(logged == COMPLAINTS_A_MINUTE);
    CHECK(complaint_is_due(&c, "another", 60005));
}

int main(void)
{
    return RUN(about_each_once_a_minute, many_strangers_do_not_fill_the_log);
}
