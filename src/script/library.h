/* Libraries of functions: the texts of the dataset, compiled.
 *
 * The dataset holds texts, and changes of those may come from anywhere: a command, a
 * rollback, a log. What is here follows them when it is next asked for. */
#ifndef SCRIPT_LIBRARY_H
#define SCRIPT_LIBRARY_H

#include "script/run.h"

struct library;

/* A function that a library has registered. */
struct function {
    struct library *library;
    struct function *next; /* Of the same library, in the order they were registered. */
    unsigned flags;        /* A set of enum script_flags. */
    int callback;          /* In the VM's registry. */
    int line;              /* Where that begins. */
    bool warned;           /* See struct use. */
    uint32_t name_len;
    uint32_t description_len;
    bool has_description;
    char at[]; /* The name and a zero, then the description, then the name in small letters,
                  by which it is found. */
};

struct library {
    const char *name;       /* Behind this struct. */
    struct function *first; /* In the order they were registered. */
    struct function *last;
    size_t count;
    uint64_t generation; /* Of the VM in which they are. */
    struct quota quota;  /* Of each call of a function. */
    struct bytes text;   /* Behind this struct. */
};

struct bytes function_name(const struct function *f);
struct bytes function_description(const struct function *f);

/* All libraries, compiled. */
struct libraries;
struct libraries *libraries_new(void);
void libraries_free(struct libraries *l);

/* Compiles a text. Returns the library, the caller's; or NULL, with the error appended to
 * *error, if it is none. `c` is who asks. */
struct library *library_compile(struct call *c, struct bytes text, struct buf *error);
void library_free(struct library *l);

bool library_has(const struct library *l, struct bytes function);

/* Find what there is now, after following the dataset. Nothing of it lives longer than
 * until the next change of a library. `c` is who asks. */
struct library *libraries_find(struct call *c, struct bytes name);
struct function *libraries_find_function(struct call *c, struct bytes name); /* In any case. */
const struct library *libraries_next(struct call *c, struct table_walk *walk);

/* How many there are. While a script runs, this is what there was when it began. */
struct libraries_counts {
    size_t libraries, functions;
};
struct libraries_counts libraries_counts(struct call *c);

/* How many functions there were when somebody last asked for one. */
size_t libraries_compiled_functions(const struct libraries *l);

/* Sees to it that the functions of a library are in the VM, which may be a new one. Then
 * returns the function again, as it is there; or NULL, having failed the call. */
struct function *library_need(struct call *c, struct function *f);

/* Puts a library, and takes it, in place of the one of its name: for who has changed the
 * text so. */
void libraries_put(struct call *c, struct library *l);

/* Whether FCALL of this function only reads, as far as is known. */
bool library_only_reads(const struct engine *e, const struct command *cmd, struct bytes name);

/* redis.register_function() */
int library_register(lua_State *lua);

#endif
