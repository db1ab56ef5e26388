/* Packs: the one string that Redis keeps a small collection in. There are four
 * formats; whatever the format, a pack is read element by element. */
#ifndef RDB_PACK_H
#define RDB_PACK_H

#include "base/buf.h"
#include "base/number.h"

/* A walk over a pack that may be damaged: nothing is read behind its end, and each
 * element is looked at before it is given out. */
struct pack_walk {
    const unsigned char *start;
    const unsigned char *at; /* The next element. */
    const unsigned char *end;
    size_t seen;     /* Elements before `at`. */
    size_t previous; /* Of what size the last of them was. */
};

struct pack_element {
    struct bytes bytes;
    char digits[NUMBER_INT_MAX]; /* Where a number is spelled that the pack holds as such. */
};

enum pack_result {
    PACK_ELEMENT,
    PACK_END,
    PACK_DAMAGED,
};

struct pack_format {
    /* Begins a walk. Returns false if the pack is damaged. */
    bool (*open)(struct pack_walk *walk, struct bytes pack);

    /* Goes on to the next element, whose bytes are valid as long as the pack and
     * *element are. At the end, the pack as a whole has been found in order. */
    enum pack_result (*next)(struct pack_walk *walk, struct pack_element *element);
};

extern const struct pack_format listpack_format; /* Redis 5.0 and later. */
extern const struct pack_format ziplist_format;
extern const struct pack_format zipmap_format; /* Redis 2.4. */
extern const struct pack_format intset_format;

/* Building listpacks. `out` becomes one by listpack_begin(); it is complete behind
 * listpack_end(). */
void listpack_begin(struct buf *out);
void listpack_add(struct buf *out, struct bytes element); /* An integer is kept as such. */
void listpack_add_int(struct buf *out, int64_t number);
void listpack_end(struct buf *out, size_t count);

/* The same of a set of integers, in ascending order, each of at most `width` bytes. */
void pack_intset_begin(struct buf *out, size_t count, unsigned width);
void pack_intset_add(struct buf *out, int64_t number, unsigned width);

/* Returns how many bytes, 2, 4 or 8, an integer takes up in a set of integers. */
unsigned pack_intset_width(int64_t number);

#endif
