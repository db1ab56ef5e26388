/* The profile: on which lines scripts spend their time.
 *
 * While it is on, the timer of the runtime ticks every millisecond. A tick that finds a
 * script at work is a sample, and is counted at the line that is at work: it is looked
 * for not in the signal handler, where the VM is in no known state, but at the next
 * instruction of the script, or behind the command that it has called. */
#ifndef SCRIPT_PROFILE_H
#define SCRIPT_PROFILE_H

#include "script/runtime.h"

struct profile;

struct profile *profile_new(void);
void profile_free(struct profile *p);

/* Counts the samples that have not been counted yet: at the line that `lua` is at, or, if
 * that is NULL or no line is known, where the running script begins. */
void profile_count(struct runtime *r, lua_State *lua);

/* SCRIPT PROFILE. May be called while a script runs. */
void profile_command(struct call *c);

#endif
