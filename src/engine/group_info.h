/* What INFO tells of the group. */
#ifndef ENGINE_GROUP_INFO_H
#define ENGINE_GROUP_INFO_H

#include "base/buf.h"

struct engine;

/* Appends the fields of INFO replication that Redis has. `own_id` stands for the group's id
 * where there is none: 40 hexadecimal digits. */
void group_add_replication(const struct engine *e, const char *own_id, struct buf *out);

/* Appends what RAFT INFO tells, and INFO raft first: the group as it is. */
void group_add_raft(const struct engine *e, struct buf *out);

/* Appends the rest of INFO raft: how the log is written. */
void group_add_log(const struct engine *e, struct buf *out);

#endif
