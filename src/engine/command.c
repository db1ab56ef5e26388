#include "engine/command.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/number.h"

#include <assert.h>
#include <ctype.h>

enum {
    SLOTS = 2048, /* Several times the number of names; a power of two. */
    ROWS = SLOTS / 4,
    NAME_MAX_LEN = 64, /* Commands have shorter names. */
};

/* Most clients and scripts write a name in small letters or in capitals: both are
 * there as they are, and only what is mixed has to be looked at letter by letter. */
struct registry {
    struct {
        struct bytes name;
        const struct command *row;
    } slot[SLOTS];
    struct arena capitals; /* The names in capitals. */

    size_t count;
    const struct command *row[ROWS]; /* The first `count`, in the order they came. */

    struct command *rows; /* The copies, by number. */
    size_t rows_count;
};

/* Of both ends, which may overlap: nobody chooses names to collide. */
static size_t hash_name(struct bytes name)
{
    uint64_t first = 0;
    uint64_t last = 0;

    if (name.len >= 8) {
        memcpy(&first, name.at, 8);
        memcpy(&last, name.at + name.len - 8, 8);
    } else if (name.len >= 4) {
        memcpy(&first, name.at, 4);
        memcpy(&last, name.at + name.len - 4, 4);
    } else if (name.len > 0) {
        first = (unsigned char)name.at[0];
        last = (unsigned char)name.at[name.len - 1];
    }
    return ((first ^ last << 32) * UINT64_C(0x9e3779b97f4a7c15)) >> 52;
}

static const struct command *find_exactly(const struct registry *r, struct bytes name)
{
    for (size_t i = hash_name(name) % SLOTS; r->slot[i].row != NULL; i = (i + 1) % SLOTS) {
        if (bytes_equal(name, r->slot[i].name)) {
            return r->slot[i].row;
        }
    }
    return NULL;
}

static void enter(struct registry *r, struct bytes name, const struct command *cmd)
{
    size_t i = hash_name(name) % SLOTS;

    assert(find_exactly(r, name) == NULL);
    while (r->slot[i].row != NULL) {
        i = (i + 1) % SLOTS;
    }
    r->slot[i].row = cmd;
    r->slot[i].name = name;
}

/* Writes a name with each letter turned by `turn`, and views it. */
static struct bytes turned(struct bytes name, int (*turn)(int), char out[NAME_MAX_LEN])
{
    assert(name.len <= NAME_MAX_LEN);
    for (size_t i = 0; i < name.len; i++) {
        out[i] = (char)turn((unsigned char)name.at[i]);
    }
    return (struct bytes){out, name.len};
}

static void enter_both(struct registry *r, const struct command *cmd)
{
    struct bytes name = bytes_of(cmd->name);
    char capitals[NAME_MAX_LEN];

    assert(r->count < ROWS);
    r->row[r->count++] = cmd;
    enter(r, name, cmd);
    enter(r, arena_copy(&r->capitals, turned(name, toupper, capitals)), cmd);
}

/* How many rows an array takes up in a registry, with those of subcommands. A row
 * without a name ends those of one command there, too. */
static size_t count_rows(const struct command *family)
{
    size_t count = 0;

    for (; family->name != NULL; family++) {
        count += 1 + (family->subcommands != NULL ? count_rows(family->subcommands) + 1 : 0);
    }
    return count;
}

static struct command *copy_row(struct registry *r, const struct command *row)
{
    struct command *copy = &r->rows[r->rows_count];

    *copy = *row;
    copy->number = (unsigned)r->rows_count++;
    return copy;
}

static void copy_subcommands(struct registry *r, struct command *container)
{
    const struct command *sub = container->subcommands;

    container->subcommands = r->rows + r->rows_count;
    for (; sub->name != NULL; sub++) {
        copy_row(r, sub)->container = container;
    }
    copy_row(r, sub);
}

static void add(struct registry *r, const struct command *row)
{
    struct command *cmd = copy_row(r, row);

    if (cmd->subcommands != NULL) {
        copy_subcommands(r, cmd);
    }
    enter_both(r, cmd);
}

struct registry *registry_new(const struct command *const *families)
{
    struct registry *r = mem_zalloc(sizeof *r);
    size_t rows = 0;

    for (size_t i = 0; families[i] != NULL; i++) {
        rows += count_rows(families[i]);
    }
    r->rows = mem_alloc(rows * sizeof *r->rows);
    for (; *families != NULL; families++) {
        for (const struct command *row = *families; row->name != NULL; row++) {
            add(r, row);
        }
    }
    assert(r->rows_count == rows);
    return r;
}

void registry_free(struct registry *r)
{
    arena_free(&r->capitals);
    mem_free(r->rows);
    mem_free(r);
}

__attribute__((cold, noinline)) static const struct command *find_mixed(const struct registry *r,
                                                                        struct bytes name)
{
    char small[NAME_MAX_LEN];

    return name.len <= NAME_MAX_LEN ? find_exactly(r, turned(name, tolower, small)) : NULL;
}

const struct command *registry_find(const struct registry *r, struct bytes name)
{
    const struct command *cmd = find_exactly(r, name);

    return cmd != NULL ? cmd : find_mixed(r, name);
}

const struct command *registry_find_sub(const struct command *container, struct bytes name)
{
    for (const struct command *cmd = container->subcommands; cmd != NULL && cmd->name != NULL;
         cmd++) {
        if (bytes_is(name, cmd->name)) {
            return cmd;
        }
    }
    return NULL;
}

const struct command *registry_find_full(const struct registry *r, struct bytes name)
{
    const char *bar = name.len > 0 ? memchr(name.at, '|', name.len) : NULL;
    const struct command *container;
    struct bytes sub;

    if (bar == NULL) {
        return registry_find(r, name);
    }
    sub = (struct bytes){bar + 1, name.len - (size_t)(bar + 1 - name.at)};
    container = registry_find(r, (struct bytes){name.at, name.len - sub.len - 1});
    return container != NULL ? registry_find_sub(container, sub) : NULL;
}

size_t registry_count(const struct registry *r)
{
    return r->count;
}

const struct command *registry_at(const struct registry *r, size_t index)
{
    assert(index < r->count);
    return r->row[index];
}

const struct command *registry_next(const struct registry *r, const struct command *cmd)
{
    size_t number = cmd == NULL ? 0 : cmd->number + 1;

    while (number < r->rows_count && r->rows[number].name == NULL) {
        number++;
    }
    return number < r->rows_count ? &r->rows[number] : NULL;
}

size_t registry_numbers(const struct registry *r)
{
    return r->rows_count;
}

void command_add_name(const struct command *cmd, struct buf *out)
{
    if (cmd->container != NULL) {
        buf_addf(out, "%s|", cmd->container->name);
    }
    buf_addf(out, "%s", cmd->name);
}

/* Returns the argument where the search of a key spec begins, or `argc`. */
static size_t search_begin(const struct keyspec *spec, size_t argc, const struct bytes *argv)
{
    size_t i;

    if (spec->keyword == NULL) {
        return (size_t)spec->index < argc ? (size_t)spec->index : argc;
    }
    if (spec->index >= 0) {
        for (i = (size_t)spec->index; i < argc; i++) {
            if (bytes_is(argv[i], spec->keyword)) {
                return i + 1;
            }
        }
        return argc;
    }
    if (argc < (size_t)-spec->index) {
        return argc;
    }
    for (i = argc - (size_t)-spec->index; i > 0; i--) {
        if (bytes_is(argv[i], spec->keyword)) {
            return i + 1;
        }
    }
    return argc;
}

/* Sets *first, *last and *step, or returns false. A range may be empty: then
 * *first > *last. */
static bool key_range(const struct keyspec *spec, size_t argc, const struct bytes *argv,
                      size_t *first, size_t *last, size_t *step)
{
    size_t begin = search_begin(spec, argc, argv);
    int64_t count;

    *first = 1;
    *last = 0;
    *step = 1;
    if (spec->find == KEYS_UNKNOWN && spec->keyword == NULL) {
        return true;
    }
    if (begin >= argc) {
        return spec->keyword != NULL;
    }
    if (spec->find == KEYS_NUMBERED) {
        size_t at = begin + (size_t)spec->count_at;
        if (at >= argc || !number_parse_int(argv[at], &count) || count < 0 ||
            (uint64_t)count > argc) {
            return false;
        }
        *first = begin + (size_t)spec->first;
        *step = (size_t)spec->key_step;
        *last = *first + ((size_t)count - 1) * *step;
        return count == 0 ? (*last = *first - 1, true) : *last < argc;
    }
    *first = begin;
    *step = (size_t)spec->step;
    if (spec->last >= 0) {
        *last = begin + (size_t)spec->last;
    } else if (spec->limit > 1) {
        *last = begin + (argc - begin) / (size_t)spec->limit - 1;
    } else {
        *last = argc - (size_t)-spec->last;
    }
    return *last < argc;
}

bool command_keys(const struct command *cmd, size_t argc, const struct bytes *argv,
                  void (*see)(size_t place, unsigned flags, void *context), void *context)
{
    size_t first, last, step;

    for (int i = 0; i < COMMAND_KEYSPECS && cmd->keys[i].flags != 0; i++) {
        unsigned flags = cmd->keys[i].flags;

        if (flags & KEY_NOT_KEY) {
            continue;
        }
        if (!key_range(&cmd->keys[i], argc, argv, &first, &last, &step)) {
            return false;
        }
        if (cmd->key_use != NULL) {
            flags = cmd->key_use(argc, argv);
        }
        for (size_t place = first; place <= last; place += step) {
            see(place, flags, context);
        }
    }
    return true;
}
