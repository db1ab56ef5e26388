/* The commands, by family. Each array ends in a row without a name. */
#ifndef COMMAND_FAMILIES_H
#define COMMAND_FAMILIES_H

#include "engine/command.h"

extern const struct command bitfield_commands[];
extern const struct command bitmap_commands[];
extern const struct command command_commands[]; /* COMMAND itself. */
extern const struct command connection_commands[];
extern const struct command dump_commands[];
extern const struct command expire_commands[];
extern const struct command hash_commands[];
extern const struct command hyperloglog_commands[];
extern const struct command key_commands[];
extern const struct command list_commands[];
extern const struct command list_pop_commands[];
extern const struct command latency_commands[];
extern const struct command set_commands[];
extern const struct command slowlog_commands[];
extern const struct command string_commands[];
extern const struct command transaction_commands[];

#endif
