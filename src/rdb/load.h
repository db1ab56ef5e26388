/* Reads RDB files: those of Redis 2.8 to 7.4, and our own. */
#ifndef RDB_LOAD_H
#define RDB_LOAD_H

#include "base/buf.h"
#include "store/value.h"

/* Where to, and how. */
struct rdb_loading {
    unsigned databases; /* How many there are. */
    int64_t now_ms;     /* What has expired by then is left out. */
    const struct value_limits *limits;

    /* Takes a value. Returns false if its key is there already. */
    bool (*take)(struct value *v, unsigned db, void *context);

    /* Takes a library of functions, its text; NULL: there can be none. Returns false
     * if it is no such text. */
    bool (*take_library)(struct bytes text, void *context);

    /* Takes a script that SCRIPT LOAD has kept; NULL: they are left out. */
    void (*take_script)(struct bytes text, void *context);

    /* Is told now and then how many bytes have been read; or NULL. */
    void (*progress)(size_t read, size_t total, void *context);

    void *context;
};

/* What is said of a file that has been read. */
struct rdb_loaded {
    size_t keys;    /* Taken. */
    size_t expired; /* Left out, as are */
    size_t empty;   /* collections without elements, */
    size_t libraries_left_out;
    int64_t time_us; /* and the log time that it was written at; 0 if it is not ours. */
};

/* Reads a whole file. Returns false, with what is wrong and where appended to `error`,
 * at the first thing that is not in order; the values before it have been taken. */
bool rdb_load(struct bytes file, const struct rdb_loading *l, struct rdb_loaded *loaded,
              struct buf *error);

/* The same of a file on disk, which is read as it is needed. Returns 0, -EBADMSG in
 * that case, or another negative errno value, and what is wrong, if it cannot be read. */
int rdb_load_file(const char *path, const struct rdb_loading *l, struct rdb_loaded *loaded,
                  struct buf *error);

#endif
