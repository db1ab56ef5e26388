#include "script/cache.h"

#include "base/mem.h"

#include <stdio.h>

struct cache {
    struct runtime *runtime; /* Not owned. */
    struct table *by_sha;
    struct table *by_text;
    size_t memory;
    struct script *last;   /* That was used; or NULL. */
    struct script *newest; /* Of those that are not kept. */
    struct script *oldest;
    size_t evaluated; /* How many they are. */
    uint64_t evicted;
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

struct cache *cache_new(struct runtime *r)
{
    struct cache *c = mem_zalloc(sizeof *c);

    c->runtime = r;
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

bool cache_lower(struct bytes sha, char lower[SHA1_HEX])
{
    if (sha.len != SHA1_HEX) {
        return false;
    }
    for (size_t i = 0; i < SHA1_HEX; i++) {
        char byte = sha.at[i];
        lower[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
    }
    return true;
}

/* Many run one script again and again. Comparing its name costs less than hashing it. */
struct script *cache_find(const struct cache *c, struct bytes sha)
{
    char lower[SHA1_HEX];

    if (c->last != NULL && bytes_equal(sha, script_sha(c->last))) {
        return c->last;
    }
    return cache_lower(sha, lower) ? table_find(c->by_sha, (struct bytes){lower, SHA1_HEX}) : NULL;
}

struct script *cache_find_text(const struct cache *c, struct bytes text)
{
    return table_find(c->by_text, text);
}

struct script *cache_next(const struct cache *c, struct table_walk *walk)
{
    return table_next(c->by_sha, walk);
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

static bool read_flag(struct script *s, struct bytes name, char *message, size_t size)
{
    unsigned flag = script_flag_of(name);

    if (flag == 0) {
        snprintf(message, size, "Unexpected flag in script shebang: %.*s", (int)name.len, name.at);
        return false;
    }
    s->flags |= flag;
    return true;
}

static bool read_flags(struct script *s, struct bytes flags, char *message, size_t size)
{
    bool more = flags.len > 0;

    while (more) {
        const char *comma = memchr(flags.at, ',', flags.len);
        struct bytes name = {flags.at, comma != NULL ? (size_t)(comma - flags.at) : flags.len};

        if (!read_flag(s, name, message, size)) {
            return false;
        }
        more = comma != NULL;
        if (more) {
            flags = (struct bytes){comma + 1, flags.len - name.len - 1};
        }
    }
    return true;
}

/* Reads one word of the first line, behind "#!lua". */
static bool read_option(struct script *s, struct bytes word, char *message, size_t size)
{
    static const struct bytes flags = BYTES("flags=");

    if (word.len >= flags.len && memcmp(word.at, flags.at, flags.len) == 0) {
        word = (struct bytes){word.at + flags.len, word.len - flags.len};
        return read_flags(s, word, message, size);
    }
    switch (quota_read(&s->quota, word)) {
    case QUOTA_TAKEN:
        return true;
    case QUOTA_INVALID:
        snprintf(message, size, "Invalid value of a lua shebang option: %.*s", (int)word.len,
                 word.at);
        return false;
    default:
        snprintf(message, size, "Unknown lua shebang option: %.*s", (int)word.len, word.at);
        return false;
    }
}

/* Reads the first line of a text that begins with "#!". */
static bool read_shebang(struct script *s, char *message, size_t size)
{
    const char *end = memchr(s->text.at, '\n', s->text.len);
    struct bytes line, word;

    if (end == NULL) {
        snprintf(message, size, "Invalid script shebang");
        return false;
    }
    s->shebang_len = (size_t)(end - s->text.at);
    s->flags |= SCRIPT_DECLARED;
    line = (struct bytes){s->text.at, s->shebang_len};
    word = take_word(&line);
    if (!bytes_equal(word, BYTES("#!lua"))) {
        snprintf(message, size, "Unexpected engine in script shebang: %.*s", (int)word.len,
                 word.at);
        return false;
    }
    while ((word = take_word(&line)).len > 0) {
        if (!read_option(s, word, message, size)) {
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

/* Scripts that are not kept, in a list by when they were last used. */

static void join_list(struct cache *c, struct script *s)
{
    s->newer = NULL;
    s->older = c->newest;
    if (c->newest != NULL) {
        c->newest->newer = s;
    } else {
        c->oldest = s;
    }
    c->newest = s;
    c->evaluated++;
}

static void leave_list(struct cache *c, struct script *s)
{
    if (s->newer != NULL) {
        s->newer->older = s->older;
    } else {
        c->newest = s->older;
    }
    if (s->older != NULL) {
        s->older->newer = s->newer;
    } else {
        c->oldest = s->newer;
    }
    c->evaluated--;
}

/* The function of a script that is forgotten goes with its VM, or now. */
static void forget_oldest(struct cache *c)
{
    struct script *s = c->oldest;

    leave_list(c, s);
    c->last = NULL;
    table_remove(c->by_sha, script_sha(s));
    table_remove(c->by_text, s->text);
    c->memory -= mem_size(s);
    c->evicted++;
    runtime_drop_function(c->runtime, s->function, s->generation);
    mem_free(s);
}

void cache_add(struct cache *c, struct script *s)
{
    table_put(c->by_sha, s);
    table_put(c->by_text, s);
    c->memory += mem_size(s);
    if (!s->kept) {
        join_list(c, s);
        if (c->evaluated > CACHE_EVALUATED) {
            forget_oldest(c);
        }
    }
}

void cache_touch(struct cache *c, struct script *s)
{
    c->last = s;
    if (!s->kept && c->newest != s) {
        leave_list(c, s);
        join_list(c, s);
    }
}

void cache_keep(struct cache *c, struct script *s)
{
    if (!s->kept) {
        leave_list(c, s);
        s->kept = true;
    }
}

uint64_t cache_evicted(const struct cache *c)
{
    return c->evicted;
}

void cache_flush(struct cache *c)
{
    table_free(c->by_text, NULL);
    table_free(c->by_sha, mem_free);
    c->by_sha = table_new(&sha_type);
    c->by_text = table_new(&text_type);
    c->memory = 0;
    c->last = NULL;
    c->newest = NULL;
    c->oldest = NULL;
    c->evaluated = 0;
}

size_t cache_count(const struct cache *c)
{
    return table_count(c->by_sha);
}

size_t cache_memory(const struct cache *c)
{
    return c->memory + table_memory(c->by_sha) + table_memory(c->by_text);
}
