/* Scripts: Lua on LuaJIT, each of them all or nothing.
 *
 * A script that ends in an error, is killed, or exceeds its time or its memory is
 * rolled back by the engine's journal; nothing that it does can hold the server. */
#ifndef SCRIPT_SCRIPT_H
#define SCRIPT_SCRIPT_H

#include "engine/command.h"
#include "engine/engine.h"
#include "script/tally.h"

extern const struct command script_commands[];   /* EVAL and its relatives, SCRIPT. */
extern const struct command function_commands[]; /* FCALL, FCALL_RO, FUNCTION. */
#define SCRIPT_FAMILIES script_commands, function_commands

struct script_settings {
    int64_t time_limit_ms;     /* script-time-limit; 0: none. */
    int64_t busy_threshold_ms; /* busy-reply-threshold; 0: never busy. */
    size_t memory_limit;       /* script-memory-limit: bytes of Lua heap. */
    size_t undo_limit;         /* script-undo-limit: bytes; 0: none. */
    int strict_keys;           /* script-strict-keys: enum strict_keys */
    struct bytes built_in;     /* The text of a library that is always there; empty: none. */
};

/* Gives an engine the ability to run scripts. `settings` is viewed, and read anew
 * for each script. Must be called on the thread that will run them. */
void script_start(struct engine *e, const struct script_settings *settings);

/* Takes it away again. */
void script_stop(struct engine *e);

/* Finds the name of a library in its text. Returns false if it is no such text. */
bool script_library_name(struct bytes text, struct bytes *name);

/* What INFO tells. */
struct script_info {
    size_t scripts;   /* That EVALSHA finds without compiling them. */
    uint64_t evicted; /* Forgotten for others since the start. */
    size_t libraries, functions;
    size_t text_size;         /* Bytes of the scripts' texts and what belongs to them, */
    size_t functions_size;    /* and of the libraries'. */
    size_t heap_used;         /* Bytes of the Lua heap. */
    struct outcomes outcomes; /* Of all runs since the start. */
    bool profiling;           /* SCRIPT PROFILE ON */
};
struct script_info script_info(const struct engine *e);

/* Begins to count these anew. */
void script_reset_outcomes(struct engine *e);

/* Runs `work` on a thread of its own, on a stack with a guarded reserve: a script
 * that overflows it is ended, where the process would be without. Returns when
 * `work` has. To be used once in a process. */
void script_run_on_guarded_stack(void (*work)(void *context), void *context);

#endif
