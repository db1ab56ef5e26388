#include "base/bits.h"

#include "base/random.h"
#include "test/lib/check.h"

enum { LEN = 80 };

static void fill(char bytes[LEN], struct random *r, unsigned sort)
{
    for (size_t i = 0; i < LEN; i++) {
        bytes[i] = (char)(sort == 0 ? 0 : sort == 1 ? 0xff : random_next(r));
    }
    bytes[random_below(r, LEN)] ^= (char)(1 << random_below(r, 8));
}

TEST(bit_0_is_the_highest_of_the_first_byte)
{
    struct bytes b = BYTES("\x80\x01");

    CHECK(bits_get(b, 0));
    CHECK(!bits_get(b, 1));
    CHECK(!bits_get(b, 8));
    CHECK(bits_get(b, 15));
}

TEST(bits_are_counted_and_found_in_any_range)
{
    struct random r;
    char bytes[LEN];
    struct bytes b = {bytes, LEN};

    random_seed(&r, check_seed());
    for (size_t round = 0; round < check_rounds(20000); round++) {
        uint64_t from = random_below(&r, 8 * LEN + 1);
        uint64_t end = random_below(&r, 8 * LEN + 1);
        uint64_t count = 0;
        uint64_t first[2] = {end, end};

        fill(bytes, &r, (unsigned)(round % 3));
        for (uint64_t i = end; i > from; i--) {
            bool bit = bits_get(b, i - 1);
            count += bit;
            first[bit] = i - 1;
        }
        CHECK(bits_count(b, from, end) == count);
        if (from <= end) {
            CHECK(bits_find(b, false, from, end) == first[0]);
            CHECK(bits_find(b, true, from, end) == first[1]);
        }
    }
}

int main(void)
{
    return RUN(bit_0_is_the_highest_of_the_first_byte, bits_are_counted_and_found_in_any_range);
}
