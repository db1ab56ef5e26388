#include "store/reclaim.h"

#include "base/mem.h"
#include "store/change.h"
#include "test/lib/check.h"

static struct value *set_of(const char *key, int members)
{
    struct value *v = value_new(VALUE_SET, bytes_of(key), EXPIRES_NEVER);

    for (int i = 0; i < members; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "member %d", i);
        value_fill_member(v, (struct bytes){text, (size_t)len}, &value_limits_default);
    }
    return v;
}

TEST(small_values_are_freed_at_once)
{
    size_t used = mem_used();

    value_free(set_of("k", 20));
    CHECK(reclaim_pending() == 0);
    CHECK(mem_used() == used);
}

TEST(big_ones_are_freed_a_piece_at_a_time)
{
    size_t used = mem_used();
    size_t steps = 0;

    reclaim_reset();
    value_free(set_of("k", 10000));
    CHECK(reclaim_pending() == 1);
    CHECK(mem_used() > used);
    while (reclaim_some(10)) {
        CHECK(reclaim_pending() == 1);
        steps++;
    }
    CHECK(steps >= 20);
    CHECK(reclaim_pending() == 0);
    CHECK(reclaim_done() == 1);
    CHECK(mem_used() == used);
}

static void make(struct dataset *data, struct change c)
{
    change_make(data, &c, NULL, NULL);
}

TEST(a_database_is_as_many_objects_as_it_has_values)
{
    struct dataset *data = dataset_new(1);
    size_t used = mem_used();

    for (int i = 0; i < 5000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        make(data, change_bind(0, set_of(key, i == 100 ? 1000 : 3)));
    }
    reclaim_reset();
    make(data, change_flush(0));
    CHECK(reclaim_pending() == 5000);
    reclaim_some(50);
    CHECK(reclaim_pending() > 4000 && reclaim_pending() < 5000);
    reclaim_all();
    CHECK(reclaim_pending() == 0);
    CHECK(reclaim_done() == 5001);
    CHECK(mem_used() == used);
    dataset_free(data);
}

int main(void)
{
    return RUN(small_values_are_freed_at_once, big_ones_are_freed_a_piece_at_a_time,
               a_database_is_as_many_objects_as_it_has_values);
}
