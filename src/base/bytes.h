/* Bytes that somebody else owns.
 *
 * A `struct bytes` is a view: it is valid as long as its owner keeps it, and in
 * any case no longer than the call it was passed to. Who needs the content
 * longer copies it, into a `struct buf` or into a value. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const char *at; /* Not terminated by a zero byte. May be NULL if len is 0. */
    size_t len;
};

/* Makes a view of a string literal: BYTES("OK"). */
#define BYTES(literal) ((struct bytes){"" literal, sizeof(literal) - 1})

/* Makes a view of a zero-terminated string. */
static inline struct bytes bytes_of(const char *string)
{
    return (struct bytes){string, strlen(string)};
}

/* Whether the first and the last word agree, which may overlap. */
#define BYTES_ENDS_EQUAL(a, b, len, word)                                                          \
    ({                                                                                             \
        word a_first, a_last, b_first, b_last;                                                     \
        memcpy(&a_first, (a), sizeof(word));                                                       \
        memcpy(&b_first, (b), sizeof(word));                                                       \
        memcpy(&a_last, (a) + (len) - sizeof(word), sizeof(word));                                 \
        memcpy(&b_last, (b) + (len) - sizeof(word), sizeof(word));                                 \
        ((a_first ^ b_first) | (a_last ^ b_last)) == 0;                                            \
    })

/* Short ones, as most keys are, are compared without a call. */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    if (a.len != b.len) {
        return false;
    }
    if (a.len > 16) {
        return memcmp(a.at, b.at, a.len) == 0;
    }
    if (a.len >= 8) {
        return BYTES_ENDS_EQUAL(a.at, b.at, a.len, uint64_t);
    }
    if (a.len >= 4) {
        return BYTES_ENDS_EQUAL(a.at, b.at, a.len, uint32_t);
    }
    for (size_t i = 0; i < a.len; i++) {
        if (a.at[i] != b.at[i]) {
            return false;
        }
    }
    return true;
}

/* As bytes_equal(), with ASCII letters compared without their case. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

/* bytes_equal_nocase() against a zero-terminated word, for option names. */
bool bytes_is(struct bytes b, const char *word);

/* Compares as memcmp() does; of two that agree, the shorter comes first. */
int bytes_compare(struct bytes a, struct bytes b);

/* Copies to a zero-terminated string of at most `size` bytes, cut if it must be. */
void bytes_to_string(struct bytes b, char *out, size_t size);

#endif
