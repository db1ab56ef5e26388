/* FUNCTION and FCALL. */
#ifndef SCRIPT_FUNCTION_H
#define SCRIPT_FUNCTION_H

#include "script/script.h"

/* Whether a row is that of FCALL or FCALL_RO. */
bool function_is_fcall(const struct command *cmd);

#endif
