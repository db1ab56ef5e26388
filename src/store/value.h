/* Values: what the keys are bound to. A value carries its own key and expiry, so
 * that a small string with all that belongs to it is one allocation.
 *
 * Everyone may read a value through the const functions here. A value that is
 * bound is modified only by the changes in store/change.c, through store/edit.h;
 * one that is still its maker's own may be filled with value_fill_*(). */
#ifndef STORE_VALUE_H
#define STORE_VALUE_H

#include "base/buf.h"
#include "base/number.h"
#include "base/random.h"
#include "data/table.h"

/* The numbers are those of the log. */
enum value_type {
    VALUE_STRING,
    VALUE_SET,
    VALUE_HASH,
    VALUE_LIST,
    VALUE_ZSET = 4,
    VALUE_STREAM = 5,
    VALUE_TYPE_END,
};

/* Where small collections end; the names are Redis's. */
struct value_limits {
    size_t hash_max_packed_entries; /* hash-max-listpack-entries */
    size_t hash_max_packed_value;   /* hash-max-listpack-value, bytes */
    size_t set_max_intset_entries;
    size_t set_max_packed_entries; /* Redis 7.0 has no such sets: not seen outside. */
    size_t set_max_packed_value;
    int64_t list_max_chunk; /* list-max-listpack-size: elements, or -1 to -5 for 4 to 64 KiB. */
    size_t zset_max_packed_entries; /* zset-max-listpack-entries */
    size_t zset_max_packed_value;   /* zset-max-listpack-value, bytes */
    size_t stream_max_bytes;        /* stream-node-max-bytes; 0: any number. */
    size_t stream_max_entries;      /* stream-node-max-entries, likewise. */
};
extern const struct value_limits value_limits_default;
extern const struct value_limits value_limits_none; /* No end to small collections. */

/* The expiry of a value that never expires. */
#define EXPIRES_NEVER INT64_C(-1)

struct value;

/* Create a value that the caller owns. `key` and `content` are copied;
 * `expires_ms` is Unix time in milliseconds, or EXPIRES_NEVER. */
struct value *value_new_string(struct bytes key, struct bytes content, int64_t expires_ms);
struct value *value_new(enum value_type type, struct bytes key, int64_t expires_ms); /* Empty. */

/* Returns an equal value under another key and expiry, the caller's. */
struct value *value_copy(const struct value *v, struct bytes key, int64_t expires_ms);

/* Frees a value with all it holds. Does nothing when `v` is NULL. */
void value_free(struct value *v);

enum value_type value_type(const struct value *v);
struct bytes value_key(const struct value *v);

/* Returns when the value expires, or EXPIRES_NEVER. */
int64_t value_expires_ms(const struct value *v);

/* Returns whether a value is no longer there by `now_ms`: because it has expired, or
 * because all the fields of a hash have. */
bool value_has_expired(const struct value *v, int64_t now_ms);

/* Returns what was last noted of the use of the value: engine/evict.h tells what it
 * means. */
uint32_t value_accessed(const struct value *v);

/* The names that TYPE and OBJECT ENCODING answer with. */
const char *value_type_name(enum value_type type);
const char *value_encoding_name(const struct value *v);

/* Returns how many elements a collection has. */
size_t value_count(const struct value *v);

/* Returns whether this is a collection that has lost its last element, and so must
 * not stay bound. */
bool value_is_over(const struct value *v);

/* Writes a value without its key in the form that the log keeps, and reads one off
 * the front of *in, the caller's; NULL if there is none. */
void value_encode(const struct value *v, struct buf *out);
struct value *value_decode(struct bytes *in, struct bytes key, const struct value_limits *limits);

/* Returns the bytes of memory that the value takes up. Walks at most `samples`
 * elements of a collection and infers the rest; all of them if that is 0. */
size_t value_memory(const struct value *v, size_t samples);

/* Asserts everything that must hold between two calls. For tests. */
void value_check(const struct value *v);

/* Strings. The content is valid until the value next changes. value_raw() says
 * whether the string was modified in place (APPEND, SETRANGE), which OBJECT
 * ENCODING tells. */
struct bytes value_string(const struct value *v);
bool value_raw(const struct value *v);

/* A walk over all elements of a collection that does not change meanwhile. What
 * it returns is valid until the next step.
 *
 *     struct value_walk walk = {0};
 *     while (value_set_next(v, &walk, &member)) ...                            */
struct value_walk {
    int64_t now_ms; /* Hashes: fields that have expired by then are passed over. */
    bool begun;
    uint32_t packed;
    size_t index;
    struct table_walk table;
    char text[NUMBER_INT_MAX];
};

/* Sets. */
size_t value_set_count(const struct value *v);
bool value_set_has(const struct value *v, struct bytes member);
bool value_set_next(const struct value *v, struct value_walk *walk, struct bytes *member);

/* Returns a member, each equally likely. The set is not empty. `text` is where
 * a number is written that the set holds as such. */
struct bytes value_set_random(const struct value *v, struct random *r, char text[NUMBER_INT_MAX]);

/* Hashes. A field that has expired by `now_ms` is absent to all of these; 0 sees all. */
size_t value_hash_count(const struct value *v, int64_t now_ms);
bool value_hash_get(const struct value *v, struct bytes field, int64_t now_ms,
                    struct bytes *content);
bool value_hash_next(const struct value *v, struct value_walk *walk, struct bytes *field,
                     struct bytes *content);

/* Returns a field, each equally likely. The hash is not empty. */
void value_hash_random(const struct value *v, struct random *r, int64_t now_ms, struct bytes *field,
                       struct bytes *content);

/* Returns when a field expires; EXPIRES_NEVER if it does not, or is not there. */
int64_t value_hash_expires_ms(const struct value *v, struct bytes field);

/* Finds the field that expires first. Returns false if none does. */
bool value_hash_first_to_expire(const struct value *v, struct bytes *field, int64_t *expires_ms);

/* Visits some elements of a collection, as table_scan() does: a small one at
 * once. `content` is empty for a set, and the score as text for a sorted set. Returns the next
 * cursor, 0 at the end. */
typedef void value_visit(struct bytes element, struct bytes content, void *context);
uint64_t value_scan(const struct value *v, uint64_t cursor, int64_t now_ms, value_visit *visit,
                    void *context);

/* Makes a string that is not bound yet count as modified in place. */
void value_fill_raw(struct value *v);

/* Creates a string of `len` bytes, which counts as modified in place and never
 * expires. The caller fills in the bytes, at *at, before it is bound. */
struct value *value_new_blank(struct bytes key, size_t len, char **at);

/* Adds to a value that is not bound yet. Returns false if the member was there;
 * a field that was there is overwritten. */
bool value_fill_member(struct value *v, struct bytes member, const struct value_limits *limits);
bool value_fill_field(struct value *v, struct bytes field, struct bytes content,
                      const struct value_limits *limits);

/* Sets when a field expires that has been filled in. */
void value_fill_field_expiry(struct value *v, struct bytes field, int64_t expires_ms);

#endif
