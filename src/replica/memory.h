/* Memory of the log thread, which may not use mem_*(): those count without locks. */
#ifndef REPLICA_MEMORY_H
#define REPLICA_MEMORY_H

#include <stdlib.h>

/* Returns memory filled with zeros, for free(). Does not fail. */
static inline void *memory_new(size_t size)
{
    void *new = calloc(1, size);

    if (new == NULL) {
        abort();
    }
    return new;
}

#endif
