#include "replica/entry.h"

#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>

static const uint32_t MAGIC = 0x314c4f4d; /* "MOL1" */

_Static_assert(sizeof(struct entry_header) == ENTRY_HEADER, "the header has no gaps");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are written as they are");

size_t entry_size(size_t len)
{
    return (sizeof(struct entry_header) + len + 7) & ~(size_t)7;
}

void entry_complete(void *entry, struct entry_header header, size_t len)
{
    size_t used = sizeof header + len;

    assert(len <= ENTRY_PART_MAX);
    header.magic = MAGIC;
    header.len = (uint32_t)len;
    memcpy(entry, &header, sizeof header);
    memset((char *)entry + used, 0, entry_size(len) - used);
}

bool entry_read(struct bytes entry, struct entry_header *header, struct bytes *changes)
{
    if (entry.len < sizeof *header) {
        return false;
    }
    memcpy(header, entry.at, sizeof *header);
    if (header->magic != MAGIC || header->len > ENTRY_PART_MAX || header->is_last > 1 ||
        entry.len != entry_size(header->len)) {
        return false;
    }
    *changes = (struct bytes){entry.at + sizeof *header, header->len};
    return true;
}

uint64_t entry_chain(uint64_t chain, struct bytes entry)
{
    return hash_keyed(entry, chain, 0);
}

static void begin_turn(struct machine *m, const struct entry_header *h)
{
    m->writer = h->writer;
    m->epoch = h->epoch;
    m->seq = h->seq;
    m->parts = 0;
    m->len = 0;
}

static bool is_next_part(const struct machine *m, const struct entry_header *h)
{
    return m->parts == h->part && m->writer == h->writer && m->epoch == h->epoch &&
           m->seq == h->seq;
}

static void keep_part(struct machine *m, struct bytes changes)
{
    if (m->len + changes.len > m->cap) {
        m->cap = 2 * (m->len + changes.len);
        m->changes = realloc(m->changes, m->cap);
        if (m->changes == NULL) {
            abort();
        }
    }
    memcpy(m->changes + m->len, changes.at, changes.len);
    m->len += changes.len;
    m->parts++;
}

static void advance(struct machine *m, uint64_t index, const struct entry_header *h,
                    struct bytes entry)
{
    m->at.index = index;
    m->at.chain = entry_chain(m->at.chain, entry);
    m->at.time_us = h->time_us;
    if (h->epoch > m->at.epoch) {
        m->at.epoch = h->epoch;
    }
}

/* Gives back memory that few turns need. */
static void drop_turn(struct machine *m)
{
    m->len = 0;
    m->parts = 0;
    if (m->cap > 4 * ENTRY_PART_MAX) {
        free(m->changes);
        m->changes = NULL;
        m->cap = 0;
    }
}

const char *machine_apply(struct machine *m, uint64_t index, struct bytes entry,
                          struct applied *applied)
{
    struct entry_header *h = &applied->header;
    struct bytes changes;

    applied->is_whole = false;
    if (!entry_read(entry, h, &changes)) {
        return "it is no entry of ours";
    }
    if (index <= m->at.index) {
        return "it has been applied before";
    }
    if (h->chain != m->at.chain) {
        return "it does not chain to the one before";
    }
    if (h->part == 0) {
        drop_turn(m); /* Of a leader that has ended within it. */
        begin_turn(m, h);
    } else if (!is_next_part(m, h)) {
        return "it is a part of what has not begun";
    }
    advance(m, index, h, entry);
    if (h->part == 0 && h->is_last) {
        applied->is_whole = true;
        applied->changes = changes;
        return NULL;
    }
    keep_part(m, changes);
    if (h->is_last) {
        applied->is_whole = true;
        applied->changes = (struct bytes){m->changes, m->len};
        m->parts = 0;
    }
    return NULL;
}

void machine_restore(struct machine *m, const struct position *at)
{
    drop_turn(m);
    m->at = *at;
}

void machine_clear(struct machine *m)
{
    free(m->changes);
    *m = (struct machine){0};
}
