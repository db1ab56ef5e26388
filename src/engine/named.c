#include "engine/named.h"

#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>

enum { DB_BYTES = sizeof(uint16_t) }; /* In front of a key. */

static struct bytes name_of(const void *item)
{
    const struct named *n = item;

    return n->name;
}

static const struct table_type named_type = {.key = name_of};

void *named_find(const struct table *t, struct bytes name)
{
    return t != NULL ? table_find(t, name) : NULL;
}

void named_put(struct table **t, void *item)
{
    void *replaced;

    if (*t == NULL) {
        *t = table_new(&named_type);
    }
    replaced = table_put(*t, item);
    assert(replaced == NULL);
}

static void *add(struct table **t, size_t size, struct bytes name)
{
    struct named *n = mem_zalloc(size + name.len);
    char *copy = (char *)n + size;

    if (name.len > 0) {
        memcpy(copy, name.at, name.len);
    }
    n->name = (struct bytes){copy, name.len};
    named_put(t, n);
    return n;
}

void *named_find_or_add(struct table **t, size_t size, struct bytes name)
{
    void *item = named_find(*t, name);

    return item != NULL ? item : add(t, size, name);
}

void named_remove(struct table **t, void *item)
{
    void *removed = table_remove(*t, name_of(item));

    assert(removed == item);
    mem_free(removed);
    if (table_count(*t) == 0) {
        table_free(*t, NULL);
        *t = NULL;
    }
}

size_t named_count(const struct table *t)
{
    return t != NULL ? table_count(t) : 0;
}

void *named_next(const struct table *t, struct table_walk *walk)
{
    return t != NULL ? table_next(t, walk) : NULL;
}

/* Keys. */

static void compose(struct buf *name, unsigned db, struct bytes key)
{
    uint16_t number = (uint16_t)db;

    buf_add(name, (struct bytes){(const char *)&number, sizeof number});
    buf_add(name, key);
}

void *named_find_key(const struct table *t, unsigned db, struct bytes key)
{
    BUF_LOCAL(name);

    if (t == NULL) {
        return NULL;
    }
    compose(&name, db, key);
    return table_find(t, buf_bytes(&name));
}

void *named_find_or_add_key(struct table **t, size_t size, unsigned db, struct bytes key)
{
    BUF_LOCAL(name);

    compose(&name, db, key);
    return named_find_or_add(t, size, buf_bytes(&name));
}

unsigned named_db(const void *item)
{
    uint16_t db;

    memcpy(&db, name_of(item).at, sizeof db);
    return db;
}

struct bytes named_key(const void *item)
{
    struct bytes name = name_of(item);

    return (struct bytes){name.at + DB_BYTES, name.len - DB_BYTES};
}
