/* Sets of integers: how many bytes each takes up, how many there are (32 bits each),
 * and the integers in ascending order. */
#include "rdb/pack.h"

#include <assert.h>

enum { HEADER = 8 };

static uint32_t load(const unsigned char *at)
{
    uint32_t number;

    memcpy(&number, at, sizeof number); /* The machine is little-endian. */
    return number;
}

static bool intset_open(struct pack_walk *walk, struct bytes pack)
{
    const unsigned char *at = (const unsigned char *)pack.at;
    uint32_t width;

    if (pack.len < HEADER) {
        return false;
    }
    width = load(at);
    if ((width != 2 && width != 4 && width != 8) ||
        (uint64_t)load(at + 4) * width != pack.len - HEADER) {
        return false;
    }
    *walk = (struct pack_walk){at, at + HEADER, at + pack.len, 0, 0};
    return true;
}

static int64_t number_at(const unsigned char *at, unsigned width)
{
    unsigned unused = 64 - 8 * width;
    uint64_t number = 0;

    memcpy(&number, at, width);
    return (int64_t)(number << unused) >> unused;
}

static enum pack_result intset_next(struct pack_walk *walk, struct pack_element *element)
{
    unsigned width = load(walk->start);
    int64_t number;

    if (walk->at == walk->end) {
        return PACK_END;
    }
    number = number_at(walk->at, width);
    if (walk->seen > 0 && number <= number_at(walk->at - width, width)) {
        return PACK_DAMAGED;
    }
    element->bytes = (struct bytes){element->digits, number_format_int(element->digits, number)};
    walk->at += width;
    walk->seen++;
    return PACK_ELEMENT;
}

const struct pack_format intset_format = {intset_open, intset_next};

void pack_intset_begin(struct buf *out, size_t count, unsigned width)
{
    uint32_t header[] = {width, (uint32_t)count};

    assert(out->len == 0);
    assert(count <= UINT32_MAX);
    buf_add(out, (struct bytes){(char *)header, sizeof header});
}

void pack_intset_add(struct buf *out, int64_t number, unsigned width)
{
    assert(pack_intset_width(number) <= width);
    buf_add(out, (struct bytes){(char *)&number, width});
}

unsigned pack_intset_width(int64_t number)
{
    return number == (int16_t)number ? 2 : number == (int32_t)number ? 4 : 8;
}
