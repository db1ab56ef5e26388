/* Running one script or function for a command: limits, what its calls may do, and the
 * error that the command fails with. */
#ifndef SCRIPT_RUN_H
#define SCRIPT_RUN_H

#include "engine/block.h"
#include "script/runtime.h"
#include "script/tally.h"

/* Of EVAL, FCALL and their relatives: where the keys begin. */
enum { SCRIPT_FIRST_KEY = 3 };

/* One use of the VM. It lives outside of what can be left by a jump, and so does the
 * text of an error: whoever writes to that sets in_call. */
struct use {
    struct call *call;
    const char *name; /* Of the script or function, for errors and FUNCTION STATS. */
    bool is_function;
    int line;            /* Where the function begins: a better place may be known. */
    size_t keys;         /* Among the call's arguments, from the fourth on; then others. */
    bool *warned;        /* Whether it has been told of that it uses others: see declared.h. */
    struct bytes source; /* Its text, lines of which a profile shows; or empty. */
    struct quota quota;  /* Its own. */
    struct tally *tally; /* Where its costs are counted. */

    /* What has become of it so far. */
    size_t writes;            /* Calls that have changed something. */
    char failed_call[32];     /* The name of the last command that failed, for errors; or "". */
    bool rolls_back;          /* redis.rollback() has been called: nothing can catch that. */
    bool retries;             /* That was by redis.retry(), */
    struct block wish;        /* which wants this; */
    struct bytes *wish_owner; /* the owners in it, to be freed. */
    bool failed;
    bool counted;    /* The error was that of a command. */
    struct buf text; /* Of the error, if it failed. */
};

/* What a script or function has said of itself. */
enum script_flags {
    SCRIPT_NO_WRITES = 1 << 0,
    SCRIPT_ALLOW_OOM = 1 << 1,
    SCRIPT_ALLOW_STALE = 1 << 2,
    SCRIPT_NO_CLUSTER = 1 << 3,
    SCRIPT_ALLOW_CROSS_SLOT = 1 << 4,
    SCRIPT_DECLARED = 1 << 5, /* It has said so; a script without a shebang has not. */
};

/* The names of the first five, in the order of their bits; NULL at the end. */
extern const char *const script_flag_names[];

/* Returns the flag of a name, or 0. */
unsigned script_flag_of(struct bytes name);

/* Checks whether something with these flags may run now. Returns false, having failed
 * the call, if not. `read_only` says that the command is one that does not write. */
bool script_may_run(struct call *c, unsigned flags, bool read_only);

/* Runs `work` with the calls' session made ready, and fails the call if it fails, is
 * ended, or sets u->failed. `work` is given `context`. */
void script_use(struct use *u, unsigned flags, bool read_only,
                void (*work)(struct runtime *r, void *context), void *context);

/* Runs work that makes no calls, and leaves the error in u->text, the caller's. */
enum runtime_end script_run_vm(struct use *u, void (*work)(struct runtime *r, void *context),
                               void *context);

/* The same, and fails the call with the error. */
enum runtime_end script_use_vm(struct use *u, void (*work)(struct runtime *r, void *context),
                               void *context);

/* Inside script_use(): runs a command for the script whose calls these are. Its reply goes
 * to r->sink. Returns false if it failed. */
bool script_run_command(struct runtime *r, size_t argc, const struct bytes *argv);

/* Reads argument 2 as the number of keys among the arguments behind it. Returns false,
 * having failed the call, if it is none; `no_number` says so. */
bool script_read_key_count(struct call *c, const char *no_number, size_t *keys);

/* Inside script_use(): push KEYS and ARGV. */
void script_push_keys(lua_State *lua, const struct use *u);
void script_push_arguments(lua_State *lua, const struct use *u);

/* Inside script_use(): calls the function on the stack with `args` arguments, and replies
 * with what it returns, or takes over its error. */
void script_call(struct runtime *r, struct use *u, int args);

#endif
