/* The commands of the server itself: their table. */
#include "engine/call.h"
#include "server/commands.h"
#include "server/memory.h"
#include "server/server.h"

/* clang-format off */
enum {
    ANY_TIME = COMMAND_LOADING | COMMAND_STALE,
    SAVES    = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_NO_ASYNC_LOADING,
    ADMIN    = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE,
};

const struct command server_commands[] = {
    {.name = "bgrewriteaof", .arity = 1, .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_NO_ASYNC_LOADING, .run = bgrewriteaof, .group = "server", .since = "1.0.0", .complexity = "O(1), and a fork", .summary = "Saves the data to the file in the background, as BGSAVE does", .syntax = ""},
    {.name = "bgsave",   .arity = -1, .flags = SAVES, .run = bgsave, .group = "server", .since = "1.0.0", .complexity = "O(1), and a fork", .summary = "Saves the data to the file in the background", .syntax = "[SCHEDULE]"},
    {.name = "config",   .arity = -2, .subcommands = config_subcommands, .group = "server", .since = "2.0.0", .complexity = "Depends on the subcommand", .summary = "Reads and sets the server's options", .syntax = ""},
    {.name = "debug",    .arity = -2, .flags = ADMIN | COMMAND_DIRECT | COMMAND_TEST, .run = debug, .group = "server", .since = "1.0.0", .complexity = "Depends on the subcommand", .summary = "What tests need to see and do", .syntax = "subcommand [argument ...]"},
    {.name = "info",     .arity = -1, .flags = ANY_TIME, .run = info, .group = "server", .since = "1.0.0", .complexity = "O(1)", .summary = "Tells about the server and its statistics", .syntax = "[section [section ...]]"},
    {.name = "lastsave", .arity = 1,  .flags = ANY_TIME | COMMAND_FAST, .run = lastsave, .group = "server", .since = "1.0.0", .complexity = "O(1)", .summary = "Returns when the data were last saved", .syntax = ""},
    {.name = "lolwut",   .arity = -1, .flags = COMMAND_READONLY | COMMAND_FAST, .run = lolwut, .group = "server", .since = "5.0.0", .complexity = "O(1)", .summary = "Shows tonight's moon", .syntax = "[VERSION version]"},
    {.name = "memory",   .arity = -2, .subcommands = memory_subcommands, .group = "server", .since = "4.0.0", .complexity = "Depends on the subcommand", .summary = "Tells about the use of memory", .syntax = ""},
    {.name = "save",     .arity = 1,  .flags = SAVES | COMMAND_NO_MULTI, .run = save, .group = "server", .since = "1.0.0", .complexity = "O(N) in the number of keys", .summary = "Saves the data to the file, while nobody else is served", .syntax = ""},
    {.name = "shutdown", .arity = -1, .flags = ADMIN | COMMAND_NO_MULTI | COMMAND_ALLOW_BUSY, .run = shut_down, .group = "server", .since = "1.0.0", .complexity = "O(1)", .summary = "Saves the data, if so configured or told, and ends the server", .syntax = "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]"},
    {0},
};
/* clang-format on */
