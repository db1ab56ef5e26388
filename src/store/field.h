/* Fields of big hashes, for the files that implement hashes.
 *
 * A field is one allocation: its name, its content and, in a hash of which fields
 * expire, the time at which it does. */
#ifndef STORE_FIELD_H
#define STORE_FIELD_H

#include "base/mem.h"
#include "data/table.h"

struct field {
    uint32_t name_len;
    uint32_t content_len;
    char at[]; /* The name, then the content, then perhaps an int64_t. */
};

extern const struct table_type field_type;

static inline struct bytes field_name(const struct field *f)
{
    return (struct bytes){f->at, f->name_len};
}

static inline struct bytes field_content(const struct field *f)
{
    return (struct bytes){f->at + f->name_len, f->content_len};
}

/* Creates a field, with `extra` bytes behind its content that are not set. */
struct field *field_new(struct bytes name, struct bytes content, size_t extra);

#endif
