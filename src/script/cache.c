#include "script/cache.h"

#include "base/mem.h"

#include <stdio.h>

struct cache {
    struct table *by_sha;
    struct table *by_text;
    size_t memory;
};

static struct bytes script_sha(const void *item)
{
    const struct script *s = item;

    return (struct bytes){s->sha, SHA1_HEX};
}

static struct bytes script_text(const void *item)
{
    const struct script *s = item;

    return s->text;
}

static const struct table_type sha_type = {.key = script_sha};
static const struct table_type text_type = {.key = script_text};

struct cache *cache_new(void)
{
    struct cache *c = mem_zalloc(sizeof *c);

    c->by_sha = table_new(&sha_type);
    c->by_text = table_new(&text_type);
    return c;
}

void cache_free(struct cache *c)
{
    if (c != NULL) {
        table_free(c->by_text, NULL);
        table_free(c->by_sha, mem_free);
        mem_free(c);
    }
}

struct script *cache_find(const struct cache *c, struct bytes sha)
{
    char lower[SHA1_HEX];

    if (sha.len != SHA1_HEX) {
        return NULL;
    }
    for (size_t i = 0; i < SHA1_HEX; i++) {
        char byte = sha.at[i];
        lower[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
    }
    return table_find(c->by_sha, (struct bytes){lower, SHA1_HEX});
}

struct script *cache_find_text(const struct cache *c, struct bytes text)
{
    return table_find(c->by_text, text);
}

/* Takes the next word off the front of a line; empty at its end. */
static struct bytes take_word(struct bytes *line)
{
    struct bytes word;

    while (line->len > 0 && (line->at[0] == ' ' || line->at[0] == '\r')) {
        *line = (struct bytes){line->at + 1, line->len - 1};
    }
    word = (struct bytes){line->at, 0};
    while (word.len < line->len && word.at[word.len] != ' ' && word.at[word.len] != '\r') {
        word.len++;
    }
    *line = (struct bytes){line->at + word.len, line->len - word.len};
    return word;
}

static bool read_flag(struct script *s, struct bytes flag, char *message, size_t size)
{
    static const char *const without_effect[] = {"allow-oom", "allow-stale", "no-cluster",
                                                 "allow-cross-slot-keys", NULL};

    if (bytes_equal(flag, BYTES("no-writes"))) {
        s->read_only = true;
        return true;
    }
    for (const char *const *name = without_effect; *name != NULL; name++) {
        if (bytes_equal(flag, bytes_of(*name))) {
            return true;
        }
    }
    snprintf(message, size, "Unexpected flag in script shebang: %.*s", (int)flag.len, flag.at);
    return false;
}

static bool read_flags(struct script *s, struct bytes flags, char *message, size_t size)
{
    while (flags.len > 0) {
        const char *comma = memchr(flags.at, ',', flags.len);
        size_t len = comma != NULL ? (size_t)(comma - flags.at) : flags.len;

        if (len > 0 && !read_flag(s, (struct bytes){flags.at, len}, message, size)) {
            return false;
        }
        flags = (struct bytes){flags.at + len, flags.len - len};
        if (flags.len > 0) {
            flags = (struct bytes){flags.at + 1, flags.len - 1};
        }
    }
    return true;
}

/* Reads the first line of a text that begins with "#!". */
static bool read_shebang(struct script *s, char *message, size_t size)
{
    static const struct bytes option = BYTES("flags=");
    const char *end = memchr(s->text.at, '\n', s->text.len);
    struct bytes line, word;

    if (end == NULL) {
        snprintf(message, size, "Invalid script shebang");
        return false;
    }
    s->shebang_len = (size_t)(end - s->text.at);
    line = (struct bytes){s->text.at, s->shebang_len};
    word = take_word(&line);
    if (!bytes_equal(word, BYTES("#!lua"))) {
        snprintf(message, size, "Unexpected engine in script shebang: %.*s", (int)word.len,
                 word.at);
        return false;
    }
    while ((word = take_word(&line)).len > 0) {
        if (word.len < option.len || memcmp(word.at, option.at, option.len) != 0) {
            snprintf(message, size, "Unknown lua shebang option: %.*s", (int)word.len, word.at);
            return false;
        }
        word = (struct bytes){word.at + option.len, word.len - option.len};
        if (!read_flags(s, word, message, size)) {
            return false;
        }
    }
    return true;
}

struct script *cache_new_script(struct bytes text, char *message, size_t size)
{
    struct script *s = mem_zalloc(sizeof *s + text.len);
    char *copy = (char *)(s + 1);

    if (text.len > 0) {
        memcpy(copy, text.at, text.len);
    }
    s->text = (struct bytes){copy, text.len};
    sha1_hex(text, s->sha);
    if (text.len >= 2 && memcmp(text.at, "#!", 2) == 0 && !read_shebang(s, message, size)) {
        mem_free(s);
        return NULL;
    }
    return s;
}

void cache_free_script(struct script *s)
{
    mem_free(s);
}

void cache_add(struct cache *c, struct script *s)
{
    table_put(c->by_sha, s);
    table_put(c->by_text, s);
    c->memory += mem_size(s);
}

void cache_flush(struct cache *c)
{
    table_free(c->by_text, NULL);
    table_free(c->by_sha, mem_free);
    c->by_sha = table_new(&sha_type);
    c->by_text = table_new(&text_type);
    c->memory = 0;
}

size_t cache_count(const struct cache *c)
{
    return table_count(c->by_sha);
}

size_t cache_memory(const struct cache *c)
{
    return c->memory + table_memory(c->by_sha) + table_memory(c->by_text);
}
