#include "script/cache.h"

#include "base/mem.h"

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

struct script *cache_new_script(struct bytes text, char *message, size_t size)
{
    struct shebang shebang;
    struct script *s;
    char *copy;

    if (!shebang_read_script(text, &shebang, message, size)) {
        return NULL;
    }
    s = mem_zalloc(sizeof *s + text.len);
    copy = (char *)(s + 1);
    if (text.len > 0) {
        memcpy(copy, text.at, text.len);
    }
    s->text = (struct bytes){copy, text.len};
    s->shebang_len = shebang.len;
    s->flags = shebang.flags;
    s->quota = shebang.quota;
    sha1_hex(text, s->sha);
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
