/* The scripts that the server knows, found by SHA-1 or by text. */
#ifndef SCRIPT_CACHE_H
#define SCRIPT_CACHE_H

#include "base/sha1.h"
#include "script/runtime.h"

struct script {
    char sha[SHA1_HEX + 1];
    struct bytes text;   /* Behind this struct. */
    size_t shebang_len;  /* Of the line "#!lua ..." that the text begins with, or 0. */
    bool read_only;      /* flags=no-writes */
    int function;        /* In the VM's registry, */
    uint64_t generation; /* if this is its generation. */
};

struct cache;

struct cache *cache_new(void);
void cache_free(struct cache *c);

/* Return the script, or NULL. A SHA-1 is found in any case of letters. */
struct script *cache_find(const struct cache *c, struct bytes sha);
struct script *cache_find_text(const struct cache *c, struct bytes text);

/* Makes a script of a text that is not there. Returns NULL, and writes a message
 * without a code, if its first line asks for what there is not. The caller adds it
 * or frees it. */
struct script *cache_new_script(struct bytes text, char *message, size_t size);
void cache_free_script(struct script *s);
void cache_add(struct cache *c, struct script *s);

/* Forgets all scripts. */
void cache_flush(struct cache *c);

size_t cache_count(const struct cache *c);
size_t cache_memory(const struct cache *c);

#endif
