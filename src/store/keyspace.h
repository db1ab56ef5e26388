/* The keyspace: binds keys to values, and knows which expire when. One of the
 * databases that SELECT chooses from.
 *
 * This is the reading side. Nothing here changes the data; see store/journal.h
 * for the one way to do that. */
#ifndef STORE_KEYSPACE_H
#define STORE_KEYSPACE_H

#include "store/value.h"

struct keyspace;

/* Creates an empty keyspace. `limits` is viewed for as long as it lives. */
struct keyspace *keyspace_new(const struct value_limits *limits);

/* Frees the keyspace with all values. Does nothing when `keys` is NULL. */
void keyspace_free(struct keyspace *keys);

/* Returns the value of `key`, or NULL if there is none, or one that has expired
 * by `now_ms`. The pointer is valid until the key is next bound, unbound or retimed,
 * and that of a string until its content changes. */
const struct value *keyspace_find(const struct keyspace *keys, struct bytes key, int64_t now_ms);

/* Returns the value of `key` even if it has expired. */
const struct value *keyspace_find_any(const struct keyspace *keys, struct bytes key);

/* As table_prefetch(). */
void keyspace_prefetch(const struct keyspace *keys, const struct bytes *wanted, size_t count);

/* Notes the use of a value, as value_accessed() then returns it. */
void keyspace_touch(const struct value *v, uint32_t accessed);

/* Returns how many keys are bound, those that have expired and were not removed
 * yet among them, and how many have an expiry. */
size_t keyspace_count(const struct keyspace *keys);
size_t keyspace_count_expiring(const struct keyspace *keys);

/* Returns the value that expires first if it has by `now_ms`; NULL if none has. */
const struct value *keyspace_first_expired(const struct keyspace *keys, int64_t now_ms);

/* Returns the hash of which a field expires first if one has by `now_ms`, and the
 * field; NULL if none has. */
const struct value *keyspace_first_expired_field(const struct keyspace *keys, int64_t now_ms,
                                                 struct bytes *field);

/* Returns the mean time to live in milliseconds of the keys that expire; an
 * estimate. 0 if there are none. */
int64_t keyspace_mean_ttl_ms(const struct keyspace *keys, int64_t now_ms);

/* Returns a value, each equally likely; NULL if there is none. */
const struct value *keyspace_random(const struct keyspace *keys, struct random *r);

/* The same, of those that expire. */
const struct value *keyspace_random_expiring(const struct keyspace *keys, struct random *r);

/* As table_scan() and table_next(), with values. */
uint64_t keyspace_scan(const struct keyspace *keys, uint64_t cursor,
                       void (*visit)(const struct value *v, void *context), void *context);
const struct value *keyspace_next(const struct keyspace *keys, struct table_walk *walk);

/* Returns the bytes of memory of the tables, without the values. */
size_t keyspace_memory(const struct keyspace *keys);

/* Asserts everything that must hold between two calls: no key is bound to an
 * empty collection, every expiry is indexed. O(n); for tests. */
void keyspace_check(const struct keyspace *keys);

#endif
