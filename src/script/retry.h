/* redis.retry() and its relatives: scripts that cannot go on yet.
 *
 * As `retry` of software transactional memory (Harris et al., "Composable memory
 * transactions", 2005): what the script has done is undone, and it is run again from its
 * beginning when one of its keys has changed. */
#ifndef SCRIPT_RETRY_H
#define SCRIPT_RETRY_H

#include "script/run.h"

int retry_api(lua_State *lua);
int retry_api_ahead(lua_State *lua);
int retry_api_waiters(lua_State *lua);

/* Outside of the VM: undoes what a script has done that asked for it since the mark, and
 * makes its client wait. */
void retry_wait(struct use *u, struct journal_mark start);

#endif
