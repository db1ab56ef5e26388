/* Manifests: what libraft keeps and carries as a snapshot. The data themselves are in an
 * RDB file beside it, which may be far larger than what libraft holds in memory.
 * Plain data; any thread. */
#ifndef REPLICA_MANIFEST_H
#define REPLICA_MANIFEST_H

#include "replica/entry.h"

enum {
    MANIFEST_SIZE = 64,
    MANIFEST_NAME = 32, /* Of a file, with its terminating zero. */
};

struct manifest {
    struct position at; /* The last entry whose changes are in the file. */
    uint64_t size;      /* Of the file, */
    uint64_t checksum;  /* and the CRC that it ends with. */
};

void manifest_write(const struct manifest *m, void *out);

/* Reads a manifest. Returns false if it is none. */
bool manifest_read(struct bytes text, struct manifest *m);

/* Writes the name of the file with the data up to this index. */
void manifest_name(uint64_t index, char name[MANIFEST_NAME]);

/* Reads such a name. Returns false if it is none. */
bool manifest_name_read(const char *name, uint64_t *index);

/* Looks at a file that has been written: fills in what the manifest says of it. Returns 0,
 * or a negative errno value, -EBADMSG if it is none of ours. */
int manifest_of_file(const char *path, struct manifest *m);

#endif
