/* The commands of the server itself, file by file. */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

#include "engine/command.h"

/* The subcommands of CONFIG. */
extern const struct command config_subcommands[];

/* Answers DEBUG and LOLWUT. */
void debug(struct call *c);
void lolwut(struct call *c);

/* What saves the data and reads them back. */
void save(struct call *c);
void bgsave(struct call *c);
void bgrewriteaof(struct call *c);
void lastsave(struct call *c);
void shut_down(struct call *c);
void debug_reload(struct call *c);
void debug_loadaof(struct call *c);

#endif
