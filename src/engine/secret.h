/* Arguments that must not be shown: passwords, in the slow log and to MONITOR. */
#ifndef ENGINE_SECRET_H
#define ENGINE_SECRET_H

#include "engine/command.h"

#define SECRET_SHOWN "(redacted)" /* In their place. */

/* Returns whether argument `i` of a request is a secret. */
bool secret_is_at(const struct command *cmd, size_t argc, const struct bytes *argv, size_t i);

#endif
