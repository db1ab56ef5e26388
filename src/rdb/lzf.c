#include "rdb/lzf.h"

/* A control byte below 32 announces so many literals and one; otherwise its upper
 * three bits are a length less 2, of which 7 means that another byte is added, and
 * its lower five bits with the byte that follows are a distance less 1. */
enum {
    LITERALS_MAX = 32,
    MATCH_MIN = 3,
    MATCH_MAX = 264,
    DISTANCE_MAX = 8192,
    HASH_BITS = 12,
    HASH_BITS_SHORT = 8, /* Of what is so short that to clear the table would take longest. */
    SHORT = 512,
    PATIENCE = 64, /* After so many bytes without a match they are looked at more seldom. */
};

struct output {
    unsigned char *at;
    unsigned char *end;
};

/* Returns a hash of the three bytes that a match begins with. */
static unsigned hash_at(const unsigned char *at, unsigned bits)
{
    uint32_t three = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];

    return three * UINT32_C(2654435761) >> (32 - bits);
}

static bool put_literals(struct output *out, const unsigned char *from, const unsigned char *to)
{
    while (from < to) {
        size_t len = to - from < LITERALS_MAX ? (size_t)(to - from) : LITERALS_MAX;
        if ((size_t)(out->end - out->at) < len + 1) {
            return false;
        }
        *out->at++ = (unsigned char)(len - 1);
        memcpy(out->at, from, len);
        out->at += len;
        from += len;
    }
    return true;
}

static bool put_match(struct output *out, size_t distance, size_t len)
{
    size_t stored = len - 2;

    distance--;
    if (out->end - out->at < 3) {
        return false;
    }
    if (stored < 7) {
        *out->at++ = (unsigned char)(stored << 5 | distance >> 8);
    } else {
        *out->at++ = (unsigned char)(7 << 5 | distance >> 8);
        *out->at++ = (unsigned char)(stored - 7);
    }
    *out->at++ = (unsigned char)distance;
    return true;
}

static size_t match_len(const unsigned char *a, const unsigned char *b, const unsigned char *end)
{
    size_t len = 0;

    while (len < MATCH_MAX && b + len < end && a[len] == b[len]) {
        len++;
    }
    return len;
}

/* Returns how far to go on where there was no match: the longer there has been none, the
 * further, but not over the end. */
static ptrdiff_t step_behind(ptrdiff_t without, ptrdiff_t left)
{
    ptrdiff_t step = 1 + without / PATIENCE;

    return step < left ? step : left;
}

size_t lzf_compress(struct bytes in, char *out, size_t room)
{
    const unsigned char *start = (const unsigned char *)in.at;
    const unsigned char *end = start + in.len;
    const unsigned char *literals = start; /* Not written yet. */
    const unsigned char *at = start;
    unsigned bits = in.len < SHORT ? HASH_BITS_SHORT : HASH_BITS;
    uint32_t seen[1 << HASH_BITS]; /* Where, and one, such three bytes were. */
    struct output o = {(unsigned char *)out, (unsigned char *)out + room};

    if (in.len <= MATCH_MIN || in.len >= UINT32_MAX) {
        return 0;
    }
    memset(seen, 0, sizeof *seen << bits);
    while (end - at >= MATCH_MIN) {
        uint32_t *place = &seen[hash_at(at, bits)];
        const unsigned char *before = start + *place - 1;
        size_t len = 0;
        if (*place > 0 && at - before <= DISTANCE_MAX) {
            len = match_len(before, at, end);
        }
        *place = (uint32_t)(at - start) + 1;
        if (len < MATCH_MIN) {
            at += step_behind(at - literals, end - at);
            continue;
        }
        if (!put_literals(&o, literals, at) || !put_match(&o, (size_t)(at - before), len)) {
            return 0;
        }
        at += len;
        literals = at;
    }
    return put_literals(&o, literals, end) ? (size_t)(o.at - (unsigned char *)out) : 0;
}

/* Copies byte by byte: what is copied may be longer than it lies back. */
static bool expand_match(struct output *out, const unsigned char *start, size_t distance,
                         size_t len)
{
    if ((size_t)(out->at - start) < distance || (size_t)(out->end - out->at) < len) {
        return false;
    }
    for (; len > 0; len--, out->at++) {
        *out->at = *(out->at - distance);
    }
    return true;
}

static bool expand_literals(struct output *out, const unsigned char **at, const unsigned char *end,
                            size_t len)
{
    if ((size_t)(end - *at) < len || (size_t)(out->end - out->at) < len) {
        return false;
    }
    memcpy(out->at, *at, len);
    out->at += len;
    *at += len;
    return true;
}

/* Expands the reference that begins with `control`. */
static bool expand_reference(struct output *out, const unsigned char *start,
                             const unsigned char **at, const unsigned char *end, unsigned control)
{
    size_t len = control >> 5;

    if (len == 7 && *at < end) {
        len += *(*at)++;
    }
    if (*at == end) {
        return false;
    }
    return expand_match(out, start, ((control & 31) << 8 | *(*at)++) + 1, len + 2);
}

bool lzf_expand(struct bytes in, char *out, size_t len)
{
    const unsigned char *at = (const unsigned char *)in.at;
    const unsigned char *end = at + in.len;
    struct output o = {(unsigned char *)out, (unsigned char *)out + len};

    while (at < end) {
        unsigned control = *at++;
        if (control < LITERALS_MAX) {
            if (!expand_literals(&o, &at, end, control + 1)) {
                return false;
            }
        } else if (!expand_reference(&o, (unsigned char *)out, &at, end, control)) {
            return false;
        }
    }
    return o.at == o.end;
}
