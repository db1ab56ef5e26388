/* SCRIPT STATS and FUNCTION STATS: what scripts and functions have cost. */
#ifndef SCRIPT_STATS_H
#define SCRIPT_STATS_H

#include "engine/call.h"

/* SCRIPT STATS [sha1 | COUNT count | RESET] */
void stats_of_scripts(struct call *c);

/* FUNCTION STATS pattern [COUNT count] | RESET. May be called while a script runs. */
void stats_of_functions(struct call *c);

#endif
