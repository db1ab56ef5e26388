#include "store/texts.h"

#include "base/mem.h"
#include "store/edit.h"

#include <assert.h>

struct text {
    uint32_t name_len;
    size_t content_len;
    char at[]; /* The name, then the content. */
};

struct texts {
    struct table *table;
    uint64_t version;
};

struct bytes text_name(const struct text *text)
{
    return (struct bytes){text->at, text->name_len};
}

struct bytes text_content(const struct text *text)
{
    return (struct bytes){text->at + text->name_len, text->content_len};
}

static struct bytes name_of(const void *item)
{
    return text_name(item);
}

static const struct table_type text_type = {.key = name_of};

struct texts *texts_new(void)
{
    struct texts *t = mem_zalloc(sizeof *t);

    t->table = table_new(&text_type);
    return t;
}

void texts_free(struct texts *t)
{
    if (t != NULL) {
        table_free(t->table, mem_free);
        mem_free(t);
    }
}

size_t texts_count(const struct texts *t)
{
    return table_count(t->table);
}

const struct text *texts_find(const struct texts *t, struct bytes name)
{
    return table_find(t->table, name);
}

const struct text *texts_next(const struct texts *t, struct table_walk *walk)
{
    return table_next(t->table, walk);
}

uint64_t texts_version(const struct texts *t)
{
    return t->version;
}

struct digest texts_digest(const struct texts *t)
{
    struct digest sum = {{0}};
    struct table_walk walk = {0};
    const struct text *text;

    while ((text = texts_next(t, &walk)) != NULL) {
        digest_add(&sum,
                   digest_mix(digest_bytes(text_name(text)), digest_bytes(text_content(text))), 0);
    }
    return sum;
}

struct text *text_new(struct bytes name, struct bytes content)
{
    struct text *text = mem_alloc(sizeof *text + name.len + content.len);

    text->name_len = (uint32_t)name.len;
    text->content_len = content.len;
    if (name.len > 0) {
        memcpy(text->at, name.at, name.len);
    }
    if (content.len > 0) {
        memcpy(text->at + name.len, content.at, content.len);
    }
    return text;
}

size_t text_memory(const struct text *text)
{
    return mem_size(text);
}

void text_free(struct text *text)
{
    mem_free(text);
}

struct text *edit_text_put(struct texts *t, struct text *text)
{
    t->version++;
    return table_put(t->table, text);
}

struct text *edit_text_take(struct texts *t, struct bytes name)
{
    struct text *text = table_remove(t->table, name);

    assert(text != NULL);
    t->version++;
    return text;
}
