#include "command/category.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The categories that permissions are given by. */
enum category {
    CATEGORY_KEYSPACE = 1 << 0,
    CATEGORY_READ = 1 << 1,
    CATEGORY_WRITE = 1 << 2,
    CATEGORY_SET = 1 << 3,
    CATEGORY_SORTEDSET = 1 << 4,
    CATEGORY_LIST = 1 << 5,
    CATEGORY_HASH = 1 << 6,
    CATEGORY_STRING = 1 << 7,
    CATEGORY_BITMAP = 1 << 8,
    CATEGORY_HYPERLOGLOG = 1 << 9,
    CATEGORY_GEO = 1 << 10,
    CATEGORY_STREAM = 1 << 11,
    CATEGORY_PUBSUB = 1 << 12,
    CATEGORY_ADMIN = 1 << 13,
    CATEGORY_FAST = 1 << 14,
    CATEGORY_SLOW = 1 << 15,
    CATEGORY_BLOCKING = 1 << 16,
    CATEGORY_DANGEROUS = 1 << 17,
    CATEGORY_CONNECTION = 1 << 18,
    CATEGORY_TRANSACTION = 1 << 19,
    CATEGORY_SCRIPTING = 1 << 20,
};

const struct flag_name categories[] = {
    {CATEGORY_KEYSPACE, "@keyspace"},
    {CATEGORY_READ, "@read"},
    {CATEGORY_WRITE, "@write"},
    {CATEGORY_SET, "@set"},
    {CATEGORY_SORTEDSET, "@sortedset"},
    {CATEGORY_LIST, "@list"},
    {CATEGORY_HASH, "@hash"},
    {CATEGORY_STRING, "@string"},
    {CATEGORY_BITMAP, "@bitmap"},
    {CATEGORY_HYPERLOGLOG, "@hyperloglog"},
    {CATEGORY_GEO, "@geo"},
    {CATEGORY_STREAM, "@stream"},
    {CATEGORY_PUBSUB, "@pubsub"},
    {CATEGORY_ADMIN, "@admin"},
    {CATEGORY_FAST, "@fast"},
    {CATEGORY_SLOW, "@slow"},
    {CATEGORY_BLOCKING, "@blocking"},
    {CATEGORY_DANGEROUS, "@dangerous"},
    {CATEGORY_CONNECTION, "@connection"},
    {CATEGORY_TRANSACTION, "@transaction"},
    {CATEGORY_SCRIPTING, "@scripting"},
};

const size_t categories_count = COUNT(categories);

/* The category of most commands of a group. */
static const struct flag_name group_categories[] = {
    {CATEGORY_KEYSPACE, "generic"},
    {CATEGORY_STRING, "string"},
    {CATEGORY_LIST, "list"},
    {CATEGORY_SET, "set"},
    {CATEGORY_SORTEDSET, "sorted-set"},
    {CATEGORY_HASH, "hash"},
    {CATEGORY_PUBSUB, "pubsub"},
    {CATEGORY_TRANSACTION, "transactions"},
    {CATEGORY_CONNECTION, "connection"},
    {CATEGORY_SCRIPTING, "scripting"},
    {CATEGORY_HYPERLOGLOG, "hyperloglog"},
    {CATEGORY_GEO, "geo"},
    {CATEGORY_STREAM, "stream"},
    {CATEGORY_BITMAP, "bitmap"},
};

enum {
    SORTED_TYPES = CATEGORY_SET | CATEGORY_SORTEDSET | CATEGORY_LIST | CATEGORY_DANGEROUS,
    WHOLE_KEYSPACE = CATEGORY_KEYSPACE | CATEGORY_DANGEROUS,
    OPERATION = CATEGORY_ADMIN | CATEGORY_DANGEROUS,
};

/* The commands that do not go with their group. */
static const struct flag_name odd_categories[] = {
    {CATEGORY_CONNECTION, "asking"},
    {CATEGORY_CONNECTION, "command"},
    {CATEGORY_KEYSPACE, "dbsize"},
    {WHOLE_KEYSPACE, "flushall"},
    {WHOLE_KEYSPACE, "flushdb"},
    {CATEGORY_DANGEROUS, "info"},
    {WHOLE_KEYSPACE, "keys"},
    {OPERATION, "lastsave"},
    {WHOLE_KEYSPACE, "migrate"},
    {CATEGORY_CONNECTION, "readonly"},
    {CATEGORY_CONNECTION, "readwrite"},
    {WHOLE_KEYSPACE, "restore"},
    {WHOLE_KEYSPACE, "restore-asking"},
    {OPERATION, "role"},
    {SORTED_TYPES, "sort"},
    {SORTED_TYPES, "sort_ro"},
    {WHOLE_KEYSPACE, "swapdb"},
    {CATEGORY_CONNECTION, "wait"},
};

/* What follows from a command's flags. */
static const struct {
    uint32_t flag;
    uint32_t categories;
} flag_categories[] = {
    {COMMAND_WRITE, CATEGORY_WRITE},
    {COMMAND_READONLY, CATEGORY_READ},
    {COMMAND_ADMIN, OPERATION},
    {COMMAND_PUBSUB, CATEGORY_PUBSUB},
    {COMMAND_BLOCKING, CATEGORY_BLOCKING},
    {COMMAND_FAST, CATEGORY_FAST},
};

/* Returns the flag of a name in any case of letters, or 0. */
static uint32_t find_flag(const struct flag_name *table, size_t count, struct bytes name)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_is(name, table[i].name)) {
            return table[i].flag;
        }
    }
    return 0;
}

uint32_t category_find(struct bytes name)
{
    for (size_t i = 0; i < categories_count; i++) {
        if (bytes_is(name, categories[i].name + 1)) {
            return categories[i].flag;
        }
    }
    return 0;
}

/* Returns the categories that come from what a command is about. A command with
 * subcommands has none: they have. */
static uint32_t subject_of(const struct command *cmd)
{
    const char *name = cmd->container != NULL ? cmd->container->name : cmd->name;
    uint32_t odd = find_flag(odd_categories, COUNT(odd_categories), bytes_of(name));

    if (odd != 0) {
        return odd;
    }
    if (cmd->subcommands != NULL) {
        return 0;
    }
    return find_flag(group_categories, COUNT(group_categories), bytes_of(cmd->group));
}

uint32_t category_of(const struct command *cmd)
{
    uint32_t found = subject_of(cmd);

    for (size_t i = 0; i < COUNT(flag_categories); i++) {
        if (cmd->flags & flag_categories[i].flag) {
            found |= flag_categories[i].categories;
        }
    }
    if (found & CATEGORY_SCRIPTING) { /* What a script reads is up to the script. */
        found &= ~(uint32_t)CATEGORY_READ;
    }
    if (!(found & CATEGORY_FAST)) {
        found |= CATEGORY_SLOW;
    }
    return found;
}
