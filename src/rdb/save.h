/* Writes a dataset as an RDB file that Redis 7.0 reads as well. */
#ifndef RDB_SAVE_H
#define RDB_SAVE_H

#include "rdb/writer.h"
#include "store/dataset.h"

struct rdb_saving {
    const struct dataset *data;
    int64_t time_us;                  /* Log time: what is read back goes on from there. */
    bool compresses;                  /* Strings that get shorter by it. */
    bool checks;                      /* Whether the file gets a checksum. */
    void (*after_key)(void *context); /* Is called behind each key; or NULL. */
    void *context;
};

/* Writes all of a file. Returns 0 or a negative errno value. */
int rdb_save(struct rdb_writer *w, const struct rdb_saving *s);

/* Replaces a file, at once or not at all, by what rdb_save() writes. Until it is all on
 * the disk it has another name, with ".saving" behind it; one that was left over by a
 * saver which was killed is overwritten. Returns 0 or a negative errno value. */
int rdb_save_file(const char *path, const struct rdb_saving *s);

#endif
