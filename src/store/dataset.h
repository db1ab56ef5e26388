/* The dataset: all databases of a server. */
#ifndef STORE_DATASET_H
#define STORE_DATASET_H

#include "store/digest.h"
#include "store/keyspace.h"
#include "store/texts.h"

struct dataset {
    unsigned count;
    struct keyspace **db; /* `count` of them. */
    struct value_limits limits;
    struct texts *texts[TEXT_KIND_END];
};

struct dataset *dataset_new(unsigned databases);
void dataset_free(struct dataset *data);

/* Returns the number of keys in all databases. */
size_t dataset_count(const struct dataset *data);

/* Returns a digest of everything that a rollback must restore. */
struct digest dataset_digest(const struct dataset *data);

/* keyspace_check() of all databases. */
void dataset_check(const struct dataset *data);

#endif
