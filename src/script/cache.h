/* The scripts that the server knows, found by SHA-1 or by text. */
#ifndef SCRIPT_CACHE_H
#define SCRIPT_CACHE_H

#include "base/sha1.h"
#include "script/run.h"

struct script {
    char sha[SHA1_HEX + 1];
    struct bytes text;    /* Behind this struct. */
    size_t shebang_len;   /* Of the line "#!lua ..." that the text begins with, or 0. */
    unsigned flags;       /* A set of enum script_flags. */
    struct quota quota;   /* Its own. */
    bool warned;          /* See struct use. */
    bool kept;            /* By SCRIPT LOAD: it is not forgotten for others. */
    struct script *newer; /* Of those that are not kept, by when they were last used. */
    struct script *older;
    struct tally tally;
    int function;        /* In the VM's registry, */
    uint64_t generation; /* if this is its generation. */
};

struct cache;

struct cache *cache_new(struct runtime *r); /* `r` is viewed. */
void cache_free(struct cache *c);

/* Writes a SHA-1 in small letters. Returns false if it is none by its length. */
bool cache_lower(struct bytes sha, char lower[SHA1_HEX]);

/* Return the script, or NULL. A SHA-1 is found in any case of letters. */
struct script *cache_find(const struct cache *c, struct bytes sha);
struct script *cache_find_text(const struct cache *c, struct bytes text);

/* Walks all scripts. */
struct script *cache_next(const struct cache *c, struct table_walk *walk);

/* Makes a script of a text that is not there. Returns NULL, and writes a message
 * without a code, if its first line asks for what there is not. The caller adds it
 * or frees it. */
struct script *cache_new_script(struct bytes text, char *message, size_t size);
void cache_free_script(struct script *s);

/* Adds a script. If it is not kept, and there are too many that are not, the one of
 * them is forgotten that has not been used for longest. */
enum { CACHE_EVALUATED = 500 };
void cache_add(struct cache *c, struct script *s);

/* Notes that a script is being used. */
void cache_touch(struct cache *c, struct script *s);

/* Keeps a script from now on. */
void cache_keep(struct cache *c, struct script *s);

/* Returns how many scripts have been forgotten for others. */
uint64_t cache_evicted(const struct cache *c);

/* Forgets all scripts. */
void cache_flush(struct cache *c);

size_t cache_count(const struct cache *c);
size_t cache_memory(const struct cache *c);

#endif
