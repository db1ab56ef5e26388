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
    struct tally tally;    /* Goes on when the same text is compiled again. */
    uint32_t name_len;
    uint32_t description_len;
    bool has_description;
    char at[]; /* The name and a zero, then the description, then the name in small letters,
                  by which it is found. */
};

struct library {
    struct runtime *runtime; /* Viewed. */
    const char *name;        /* Behind this struct. */
    struct function *first;  /* In the order they were registered. */
    struct function *last;
    size_t count;
    uint64_t generation; /* Of the VM in which they are. */
    struct quota quota;  /* Of each call of a function. */
    bool is_loaded;
    bool is_broken;   /* It cannot be loaded: it has no functions. */
    bool outdated;    /* What it uses has changed: it must be loaded again. */
    int exports;      /* What it shares, in the VM's registry; or LUA_NOREF. */
    struct buf *used; /* The names of the libraries that it uses. */
    size_t used_count;
    uint64_t asked;    /* The last question of library_uses() that came to it. */
    struct bytes text; /* Behind this struct. */
};

struct bytes function_name(const struct function *f);
struct bytes function_description(const struct function *f);

/* All libraries, compiled. */
struct libraries;
struct libraries *libraries_new(void);
void libraries_free(struct libraries *l);

/* Makes a library of a text, which is not loaded yet. Returns NULL, with the error appended
 * to *error, if its first line is not one of a library. */
struct library *library_read(struct call *c, struct bytes text, struct buf *error);
void library_free(struct library *l);

/* Loads libraries, which may use each other. */
struct loader {
    struct call *call;          /* Who asks. */
    struct library **candidate; /* To be added, and found before those that there are. */
    size_t count;
    bool replaces_all;         /* Those that there are will be gone. */
    struct loading *innermost; /* What is being loaded now. */
};

/* Runs the text of a library, so that it has its functions; and of those that it uses, if
 * they are not ready. Returns false, with the error appended, if it fails. */
enum { LIBRARY_USES_MAX = 64 };
bool library_load(struct loader *o, struct library *l, struct buf *error);

/* Returns the library of that name if it is ready to be used by one that is being loaded;
 * or NULL. */
struct library *loader_ready(const struct loader *o, struct bytes name);

/* Whether a library uses the one of that name, or one that does. */
bool library_uses(const struct loader *o, struct library *l, struct bytes name);

/* For a library that is being loaded. */
struct function_info {
    struct bytes name;
    struct bytes description;
    bool has_description;
    unsigned flags;
    int callback;
    int line;
};
void library_add_function(struct library *l, const struct function_info *info);
void library_note_use(struct library *l, struct bytes name);

bool library_has(const struct library *l, struct bytes function);

/* Follows the dataset: before others are loaded, which must not find what is gone. */
void libraries_follow(struct call *c);

/* Find what there is now, after following the dataset. Nothing of it lives longer than
 * until the next change of a library. `c` is who asks. */
struct library *libraries_find(struct call *c, struct bytes name);
struct function *libraries_find_function(struct call *c, struct bytes name); /* In any case. */
const struct library *libraries_next(struct call *c, struct table_walk *walk);

/* Returns the library that is always there, loaded; or NULL, if there is none. It is no part of
 * the dataset, which may have a library or functions of the same names: those are found first. */
struct library *libraries_built_in(struct call *c);

/* Returns the function to be called by a name: as libraries_find_function(), or a built-in one. */
struct function *libraries_find_callable(struct call *c, struct bytes name);

/* Returns a library that uses the one of that name, or NULL. */
const struct library *libraries_find_user(struct call *c, struct bytes name);

/* Walks all functions. While a script runs, they are those of when it began. */
struct function *libraries_next_function(struct call *c, struct table_walk *walk);

/* How many there are, likewise. */
struct libraries_counts {
    size_t libraries, functions;
};
struct libraries_counts libraries_counts(struct call *c);

/* How many functions there were when somebody last asked for one. */
size_t libraries_compiled_functions(const struct libraries *l);

/* Returns the bytes of memory that they take up outside of the VM. */
size_t libraries_memory(const struct libraries *l);

/* Sees to it that the functions of a library are in the VM, which may be a new one. Then
 * returns the function again, as it is there; or NULL, having failed the call. */
struct function *library_need(struct call *c, struct function *f);

/* Puts a library, and takes it, in place of the one of its name: for who has changed the
 * text so. */
void libraries_put(struct call *c, struct library *l);

/* Returns what a function has said of itself: a set of enum script_flags. 0 if there is no
 * such function, as far as is known without compiling anything. */
unsigned libraries_flags(struct libraries *l, struct bytes function);

#endif
