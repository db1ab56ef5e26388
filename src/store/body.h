/* How a value is built, for the files that implement the types and for no others:
 * tools/layers.txt holds that.
 *
 * A value is a shell (key, expiry, flags) with a body behind a pointer, or, for a
 * short string, with the string in it. What differs from type to type is in a
 * struct value_class; what differs from one kind of container to the next and does
 * not depend on the type is in value.c, by encoding. */
#ifndef STORE_BODY_H
#define STORE_BODY_H

#include "base/mem.h"
#include "data/packed.h"
#include "store/coding.h"
#include "store/digest.h"
#include "store/edit.h"

#include <assert.h>

enum encoding {
    EMBEDDED, /* A string that lies behind the key. */
    BLOB,     /* A string of its own allocation. */
    PACKED,
    INTSET,
    TABLE,
    TIMED,    /* A hash of which fields expire. */
    SEQUENCE, /* A list. */
    RANKING,  /* A table and a tree: a big sorted set. */
    STREAM,
    ENCODING_END,
};

enum value_flags {
    HAS_EXPIRY = 1, /* There is room for an expiry; it may be EXPIRES_NEVER. */
    RAW = 2,        /* A string that was modified in place. */
};

/* What is behind the struct, in this order: an int64_t if HAS_EXPIRY; a pointer to
 * the body unless EMBEDDED; the key; the string if EMBEDDED. */
struct value {
    uint8_t type;
    uint8_t encoding;
    uint8_t flags;
    uint32_t accessed;
    uint32_t key_len;
    uint32_t string_len; /* If EMBEDDED. */
    char rest[];
};

/* A container on its own: what a collection had before it outgrew it. */
struct body {
    enum encoding encoding;
    void *at;
};

enum {
    PACKED_BYTES = 1 << 30, /* No packed array gets longer, whatever the limits are. */
};

/* A type. Strings have no count, and may not be decoded into an empty value. */
struct value_class {
    const char *name;    /* As TYPE answers. */
    enum encoding first; /* What an empty one is held in. */
    bool may_be_empty;   /* Whether it may stay bound with no elements left. */
    size_t (*count)(const struct value *v);
    const char *(*encoding_name)(const struct value *v);
    void *(*copy)(const struct value *v);                    /* Of the body. */
    size_t (*memory)(const struct value *v, size_t samples); /* Of the body. */
    uint64_t (*scan)(const struct value *v, uint64_t cursor, int64_t now_ms, value_visit *visit,
                     void *context); /* NULL: there is no such command. */
    void (*check)(const struct value *v);
    struct digest (*digest)(const struct value *v);

    /* In the form that the log keeps: encode() writes all elements, and decode()
     * fills them into an empty value. */
    void (*encode)(const struct value *v, struct buf *out);
    bool (*decode)(struct bytes *in, struct value *v, const struct value_limits *limits);
};

extern const struct value_class string_class, set_class, hash_class, list_class, zset_class,
    stream_class;

/* The parts of a value. */

static inline size_t expiry_size(const struct value *v)
{
    return v->flags & HAS_EXPIRY ? sizeof(int64_t) : 0;
}

static inline size_t body_size(const struct value *v)
{
    return v->encoding == EMBEDDED ? 0 : sizeof(void *);
}

static inline void *body(const struct value *v)
{
    void *at;

    assert(v->encoding != EMBEDDED);
    memcpy(&at, v->rest + expiry_size(v), sizeof at);
    return at;
}

static inline void set_body(struct value *v, void *at)
{
    assert(v->encoding != EMBEDDED);
    memcpy(v->rest + expiry_size(v), &at, sizeof at);
}

static inline char *key_at(const struct value *v)
{
    return (char *)v->rest + expiry_size(v) + body_size(v);
}

/* Returns how large a shell must be. */
size_t shell_size(size_t key_len, bool expiry, enum encoding encoding, size_t string_len);

/* Creates a value with its key and expiry; the body or the string is the caller's
 * to fill in. */
struct value *shell_new(enum value_type type, enum encoding encoding, struct bytes key,
                        int64_t expires_ms, size_t string_len);

/* Frees a body of one type. */
void stream_free(void *at);

/* Frees a body. Does nothing to one that is EMBEDDED. */
void body_free(enum encoding encoding, void *at);

/* Frees the body of a big sorted set. */
void ranking_free(void *at);

/* Gives a value another body. What it had goes to *outgrown, the caller's, unless
 * that is NULL. */
void take_body(struct value *v, enum encoding encoding, void *at, struct body **outgrown);

/* Returns the bytes of memory of a table's items, inferred from `samples` of them
 * unless that is 0. */
size_t items_memory(struct table *t, size_t samples);

/* Steps to the next element of a packed array; false at the end. */
bool packed_step(const struct packed *p, struct value_walk *walk, struct bytes *element);

#endif
