#include "engine/declared.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/command.h"

#include <stdlib.h>

const char *const strict_keys_names[] = {"no", "warn", "yes", NULL};

enum { FEW = 8 }; /* Are looked through faster than they are sorted. */

static int compare(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static void sort_keys(struct declared *d)
{
    d->sorted = mem_alloc(d->count * sizeof *d->sorted);
    memcpy(d->sorted, d->key, d->count * sizeof *d->sorted);
    qsort(d->sorted, d->count, sizeof *d->sorted, compare);
}

void declared_clear(struct declared *d)
{
    mem_free(d->sorted);
    d->sorted = NULL;
}

static bool is_declared(struct declared *d, struct bytes key)
{
    if (d->count <= FEW) {
        for (size_t i = 0; i < d->count; i++) {
            if (bytes_equal(d->key[i], key)) {
                return true;
            }
        }
        return false;
    }
    if (d->sorted == NULL) {
        sort_keys(d);
    }
    return bsearch(&key, d->sorted, d->count, sizeof key, compare) != NULL;
}

struct search {
    struct declared *declared;
    const struct bytes *argv;
    const struct bytes *undeclared; /* The first that was found; NULL: none. */
};

static void see_key(size_t place, unsigned flags, void *context)
{
    struct search *s = context;

    (void)flags;
    if (s->undeclared == NULL && !is_declared(s->declared, s->argv[place])) {
        s->undeclared = &s->argv[place];
    }
}

static void warn(struct declared *d, struct bytes key)
{
    enum { SHOWN = 64 };

    if (!*d->warned) {
        *d->warned = true;
        log_write(LOG_WARNING, "script %s uses a key that it has not declared: '%.*s'", d->script,
                  key.len < SHOWN ? (int)key.len : SHOWN, key.at);
    }
}

bool declared_allow(struct declared *d, const struct command *cmd, size_t argc,
                    const struct bytes *argv, struct bytes *undeclared)
{
    struct search search = {d, argv, NULL};

    /* Arguments that make no sense are the command's to refuse. */
    command_keys(cmd, argc, argv, see_key, &search);
    if (search.undeclared == NULL) {
        return true;
    }
    if (d->policy == STRICT_WARN) {
        warn(d, *search.undeclared);
        return true;
    }
    *undeclared = *search.undeclared;
    return false;
}
