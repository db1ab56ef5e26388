/* Commands: the rows of the table that the server is driven by. The same row
 * feeds dispatch, COMMAND and its subcommands, and the manual. */
#ifndef ENGINE_COMMAND_H
#define ENGINE_COMMAND_H

#include "base/buf.h"

struct call;

/* The names are those of COMMAND INFO where it has one. */
enum command_flags {
    COMMAND_WRITE = 1 << 0,
    COMMAND_READONLY = 1 << 1,
    COMMAND_DENYOOM = 1 << 2, /* Refused when memory is over the limit. */
    COMMAND_ADMIN = 1 << 3,
    COMMAND_PUBSUB = 1 << 4,
    COMMAND_NOSCRIPT = 1 << 5,
    COMMAND_BLOCKING = 1 << 6,
    COMMAND_LOADING = 1 << 7, /* Allowed while the data is being loaded. */
    COMMAND_STALE = 1 << 8,
    COMMAND_SKIP_MONITOR = 1 << 9,
    COMMAND_SKIP_SLOWLOG = 1 << 10,
    COMMAND_ASKING = 1 << 11,
    COMMAND_FAST = 1 << 12, /* O(1) or O(log n). */
    COMMAND_NO_AUTH = 1 << 13,
    COMMAND_MAY_REPLICATE = 1 << 14,
    COMMAND_NO_ASYNC_LOADING = 1 << 15,
    COMMAND_NO_MULTI = 1 << 16,
    COMMAND_MOVABLE_KEYS = 1 << 17, /* The key specs do not tell all keys. */
    COMMAND_ALLOW_BUSY = 1 << 18,   /* Served while a script holds the server. */
    COMMAND_NO_MANDATORY_KEYS = 1 << 19,

    /* Ours. */
    COMMAND_DIRECT = 1 << 24,     /* Finds all errors before its first change, so that no
                                     undo is kept for it when nobody else needs one. */
    COMMAND_IMMEDIATE = 1 << 25,  /* Runs at once inside MULTI, instead of being queued. */
    COMMAND_EXECUTES = 1 << 26,   /* Runs what has been queued. */
    COMMAND_SUBSCRIBED = 1 << 27, /* Allowed to who has subscribed to something in RESP2. */
    COMMAND_SCRIPT = 1 << 28,     /* Runs a script. */
    COMMAND_TEST = 1 << 29,       /* The scripts of tests may call it: it does no harm. */
};

/* How a command uses the keys that a key spec finds. */
enum key_flags {
    KEY_RO = 1 << 0, /* One of these four, */
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2,
    KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4, /* and what it does with the content. */
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_NOT_KEY = 1 << 8,
    KEY_INCOMPLETE = 1 << 9,
    KEY_VARIABLE_FLAGS = 1 << 10,
};

/* Where keys are among the arguments. The search begins at argument `index`, or,
 * if there is a `keyword`, behind that word, which is looked for from argument
 * `index` on (from the end backwards if it is negative).
 *
 * Of keys that are KEYS_UNKNOWN, COMMAND INFO tells no more than that. They may follow
 * a keyword all the same, as a range. */
struct keyspec {
    uint16_t flags; /* 0: no spec. */
    enum { KEYS_RANGE, KEYS_NUMBERED, KEYS_UNKNOWN } find;
    int index;
    const char *keyword;
    union {
        struct {
            int last;  /* The last key, from where the search began; -1: the last argument. */
            int step;  /* From one key to the next. */
            int limit; /* With last -1: 2 is the first half of the arguments, and so on. */
        };
        struct {
            int count_at; /* Where the number of keys is, from where the search began, */
            int first;    /* and the first key; `key_step` from one key to the next. */
            int key_step;
        };
    };
};

/* The usual key specs. */
#define ONE_KEY(key_use)                                                                           \
    {                                                                                              \
        .flags = (key_use), .index = 1, .last = 0, .step = 1                                       \
    }
#define ALL_KEYS(key_use)                                                                          \
    {                                                                                              \
        .flags = (key_use), .index = 1, .last = -1, .step = 1                                      \
    }
#define KEY_AT(position, key_use)                                                                  \
    {                                                                                              \
        .flags = (key_use), .index = (position), .last = 0, .step = 1                              \
    }
#define KEYS_FROM(position, key_use)                                                               \
    {                                                                                              \
        .flags = (key_use), .index = (position), .last = -1, .step = 1                             \
    }
#define NUMBERED_KEYS(position, key_use)                                                           \
    {                                                                                              \
        .flags = (key_use), .find = KEYS_NUMBERED, .index = (position), .count_at = 0, .first = 1, \
        .key_step = 1                                                                              \
    }

enum { COMMAND_KEYSPECS = 3 };

struct command {
    const char *name; /* Lower case. Of a subcommand: without its container's. */
    int arity;        /* Arguments with the name (and the subcommand's); -n means n or more. */
    uint32_t flags;
    struct keyspec keys[COMMAND_KEYSPECS];
    /* How a request uses its keys, where that depends on its arguments; NULL: as the key
     * specs say. */
    unsigned (*key_use)(size_t argc, const struct bytes *argv);
    void (*run)(struct call *c);
    const struct command *subcommands; /* Ends in a row without a name; then `run` may be NULL. */

    /* For COMMAND DOCS and the manual. */
    const char *group;      /* "string", "hash", "generic", "connection" ... */
    const char *since;      /* The version of Redis that had it first. */
    const char *complexity; /* "O(1)". */
    const char *summary;    /* One sentence without a full stop. */
    const char *syntax;     /* The arguments: "key value [NX | XX] [EX seconds]". */

    /* Set by the registry. */
    unsigned number;                 /* Of the row among all, those of subcommands included. */
    const struct command *container; /* Whose subcommand it is, or NULL. */
};

/* Returns whether a command may be called with `argc` arguments. */
static inline bool command_arity_fits(const struct command *cmd, size_t argc)
{
    return cmd->arity < 0 ? argc >= (size_t)-cmd->arity : argc == (size_t)cmd->arity;
}

/* All commands of a server, found by name. */
struct registry;

/* Makes a registry of `families`: arrays that end in a row without a name, in a
 * list that ends in NULL. The rows are copied; what they point to, but for their
 * subcommands, is viewed. */
struct registry *registry_new(const struct command *const *families);
void registry_free(struct registry *r);

/* Returns the command of that name in any case of letters, or NULL. */
const struct command *registry_find(const struct registry *r, struct bytes name);

/* Returns the subcommand of that name, or NULL. */
const struct command *registry_find_sub(const struct command *container, struct bytes name);

/* Returns the command of a name as command_add_name() writes it, or NULL. */
const struct command *registry_find_full(const struct registry *r, struct bytes name);

/* All commands, in no order: 0 <= index < count. */
size_t registry_count(const struct registry *r);
const struct command *registry_at(const struct registry *r, size_t index);

/* Walks over all rows, subcommands behind the commands that they belong to: returns
 * the one behind `cmd`, the first if that is NULL, or NULL behind the last. */
const struct command *registry_next(const struct registry *r, const struct command *cmd);

/* The numbers of all rows are less than this. */
size_t registry_numbers(const struct registry *r);

/* Appends "get", or, of a subcommand, "config|get". */
void command_add_name(const struct command *cmd, struct buf *out);

/* Finds the keys among arguments. Calls `see` for each with its place and the key
 * flags. Returns false if the arguments make no sense: a number of keys that is
 * none or too large. */
bool command_keys(const struct command *cmd, size_t argc, const struct bytes *argv,
                  void (*see)(size_t place, unsigned flags, void *context), void *context);

#endif
