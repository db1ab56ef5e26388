/* The commands of the server itself, file by file. */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

#include "engine/command.h"

/* The subcommands of CONFIG. */
extern const struct command config_subcommands[];

/* Answers DEBUG. */
void debug(struct call *c);

#endif
