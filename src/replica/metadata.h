/* The small files of libraft: what a server has voted for, and its snapshots. They are
 * read here without libraft, and looked at more closely; see also segment.h. Any thread;
 * blocks on the disk. */
#ifndef REPLICA_METADATA_H
#define REPLICA_METADATA_H

#include "replica/manifest.h"

enum { FILE_NAME_MAX = 96 };

/* What is wrong with which file. */
struct file_problem {
    char name[FILE_NAME_MAX];
    const char *problem; /* NULL: nothing. */
};

struct metadata {
    bool exists;
    uint64_t version;
    uint64_t term;
    uint64_t vote; /* 0: for nobody. */
};

/* Reads metadata1 and metadata2. Returns false, with what is wrong, if they are not in
 * order; that there is neither is. */
bool metadata_read(const char *dir, struct metadata *m, struct file_problem *wrong);

struct snapshot_name {
    unsigned long long term, index, time_ms;
    bool is_meta;
};

/* Reads the name of a snapshot's file, of which there are two: the snapshot, for us a
 * manifest, and what libraft knows of it. Returns false if it is none. */
bool snapshot_read_name(const char *name, struct snapshot_name *s);

/* Tells which one is older. */
int snapshot_compare(const struct snapshot_name *a, const struct snapshot_name *b);

/* Reads both files of a snapshot, and looks at that of the data. Returns false, with what
 * is wrong. */
bool snapshot_read(const char *dir, const struct snapshot_name *s, struct manifest *m,
                   struct file_problem *wrong);

#endif
