/* Eviction: which values are used, and which go when memory is short.
 *
 * A value has 32 bits to note its use in. Under a policy that goes by frequency they
 * are the minute of the last use (24 bits) and a counter (8 bits), which rises with
 * the logarithm of the uses and falls with time, as in Redis; under the others the
 * second of the last use. The bits that one kind of policy has left mean nothing to
 * the other: they are outlived soon. */
#ifndef ENGINE_EVICT_H
#define ENGINE_EVICT_H

#include "store/value.h"

struct engine;

/* In the order of the names that maxmemory-policy has. */
enum evict_policy {
    EVICT_VOLATILE_LRU,
    EVICT_VOLATILE_LFU,
    EVICT_VOLATILE_RANDOM,
    EVICT_VOLATILE_TTL,
    EVICT_ALLKEYS_LRU,
    EVICT_ALLKEYS_LFU,
    EVICT_ALLKEYS_RANDOM,
    EVICT_NONE,
};
extern const char *const evict_policy_names[]; /* Ends in NULL. */

/* Returns whether the policy goes by frequency. */
bool evict_counts_uses(const struct engine *e);

/* Notes that a value has just been made, or is used. */
void evict_note_new(struct engine *e, const struct value *v);
void evict_note_use(struct engine *e, const struct value *v);

/* Sets what RESTORE says of a value: for how long it was not used, or its counter. */
void evict_set_idle(struct engine *e, const struct value *v, int64_t idle_s);
void evict_set_frequency(struct engine *e, const struct value *v, unsigned frequency);

/* Returns for how many seconds a value has not been used; its counter. Either makes
 * sense under its kind of policy only. */
int64_t evict_idle_s(const struct engine *e, const struct value *v);
unsigned evict_frequency(const struct engine *e, const struct value *v);

/* Evicts values, in batches of their own, until memory is within its limit, nothing
 * is left that may go, or it has taken too long. Returns whether it gets on: something
 * was evicted, and something may be left. The journal must be empty. */
bool evict(struct engine *e);

#endif
