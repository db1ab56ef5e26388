/* Arguments that commands of several families take. */
#ifndef COMMAND_ARGUMENTS_H
#define COMMAND_ARGUMENTS_H

#include "engine/call.h"

/* Read what they are named for from argument `arg` to the end. Return false, having
 * failed the call, if it is wrong. */

/* "[LIMIT limit]", of SINTERCARD and ZINTERCARD. None, or one of 0, is no limit. */
bool arguments_limit(struct call *c, size_t arg, size_t *limit);

/* "count [WORD]", of HRANDFIELD and ZRANDMEMBER: how many elements to choose, and whether
 * with what belongs to them. Below 0, the same one may be chosen again. */
bool arguments_sample(struct call *c, size_t arg, const char *word, int64_t *count, bool *with);

#endif
