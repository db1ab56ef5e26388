#include "base/bits.h"

static inline uint64_t word_at(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* Four sums, so that no instruction has to wait for the one before it. */
static inline __attribute__((always_inline)) uint64_t sum_words(const char *at, size_t words)
{
    uint64_t sum[4] = {0};
    size_t i = 0;

    for (; i + 4 <= words; i += 4) {
        for (size_t j = 0; j < 4; j++) {
            sum[j] += (uint64_t)__builtin_popcountll(word_at(at + 8 * (i + j)));
        }
    }
    for (; i < words; i++) {
        sum[0] += (uint64_t)__builtin_popcountll(word_at(at + 8 * i));
    }
    return sum[0] + sum[1] + sum[2] + sum[3];
}

static uint64_t count_words_anywhere(const char *at, size_t words)
{
    return sum_words(at, words);
}

/* The oldest x86-64 processors do not have the instruction for this; all that are
 * likely to be met do. */
#ifdef __x86_64__

__attribute__((target("popcnt"))) static uint64_t count_words_popcnt(const char *at, size_t words)
{
    return sum_words(at, words);
}

static uint64_t count_words(const char *at, size_t words)
{
    return __builtin_cpu_supports("popcnt") ? count_words_popcnt(at, words)
                                            : count_words_anywhere(at, words);
}

#else

static uint64_t count_words(const char *at, size_t words)
{
    return count_words_anywhere(at, words);
}

#endif

static uint64_t count_bytes(const char *at, size_t len)
{
    uint64_t last = 0;

    memcpy(&last, at + len / 8 * 8, len % 8);
    return count_words(at, len / 8) + (uint64_t)__builtin_popcountll(last);
}

uint64_t bits_count(struct bytes b, uint64_t from, uint64_t end)
{
    uint64_t count = 0;

    for (; from < end && from % 8 != 0; from++) {
        count += bits_get(b, from);
    }
    for (; from < end && end % 8 != 0; end--) {
        count += bits_get(b, end - 1);
    }
    return from < end ? count + count_bytes(b.at + from / 8, (end - from) / 8) : count;
}

uint64_t bits_find(struct bytes b, bool bit, uint64_t from, uint64_t end)
{
    uint64_t skipped = bit ? 0 : UINT64_MAX;

    for (; from < end && from % 8 != 0; from++) {
        if (bits_get(b, from) == bit) {
            return from;
        }
    }
    while (from + 64 <= end && word_at(b.at + from / 8) == skipped) {
        from += 64;
    }
    while (from < end && bits_get(b, from) != bit) {
        from++;
    }
    return from;
}
