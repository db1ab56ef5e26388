/* COMMAND: what the server knows of its commands, told from their rows. */
#include "base/glob.h"
#include "command/category.h"
#include "command/families.h"
#include "command/syntax.h"
#include "engine/call.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct flag_name command_flag_names[] = {
    {COMMAND_WRITE, "write"},
    {COMMAND_READONLY, "readonly"},
    {COMMAND_DENYOOM, "denyoom"},
    {COMMAND_ADMIN, "admin"},
    {COMMAND_PUBSUB, "pubsub"},
    {COMMAND_NOSCRIPT, "noscript"},
    {COMMAND_BLOCKING, "blocking"},
    {COMMAND_LOADING, "loading"},
    {COMMAND_STALE, "stale"},
    {COMMAND_SKIP_MONITOR, "skip_monitor"},
    {COMMAND_SKIP_SLOWLOG, "skip_slowlog"},
    {COMMAND_ASKING, "asking"},
    {COMMAND_FAST, "fast"},
    {COMMAND_NO_AUTH, "no_auth"},
    {COMMAND_NO_MANDATORY_KEYS, "no_mandatory_keys"},
    {COMMAND_NO_ASYNC_LOADING, "no_async_loading"},
    {COMMAND_NO_MULTI, "no_multi"},
    {COMMAND_MOVABLE_KEYS, "movablekeys"},
    {COMMAND_ALLOW_BUSY, "allow_busy"},
};

static const struct flag_name key_flag_names[] = {
    {KEY_RO, "RO"},
    {KEY_RW, "RW"},
    {KEY_OW, "OW"},
    {KEY_RM, "RM"},
    {KEY_ACCESS, "access"},
    {KEY_UPDATE, "update"},
    {KEY_INSERT, "insert"},
    {KEY_DELETE, "delete"},
    {KEY_NOT_KEY, "not_key"},
    {KEY_INCOMPLETE, "incomplete"},
    {KEY_VARIABLE_FLAGS, "variable_flags"},
};

static void reply_flags(struct call *c, const struct flag_name *table, size_t count, uint32_t flags)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len += (flags & table[i].flag) != 0;
    }
    reply_set(c, len);
    for (size_t i = 0; i < count; i++) {
        if (flags & table[i].flag) {
            reply_status(c, table[i].name);
        }
    }
}

static void reply_key_flags(struct call *c, uint32_t flags)
{
    reply_flags(c, key_flag_names, COUNT(key_flag_names), flags);
}

static void reply_name(struct call *c, const struct command *cmd)
{
    BUF_LOCAL(name);

    command_add_name(cmd, &name);
    reply_bytes(c, buf_bytes(&name));
}

static size_t count_rows(const struct command *rows)
{
    size_t count = 0;

    while (rows != NULL && rows[count].name != NULL) {
        count++;
    }
    return count;
}

static size_t count_keyspecs(const struct command *cmd)
{
    size_t count = 0;

    while (count < COMMAND_KEYSPECS && cmd->keys[count].flags != 0) {
        count++;
    }
    return count;
}

/* COMMAND INFO. */

/* Where keys are, as it was told before there were key specs. */
struct key_range {
    int first, last, step; /* 0: no keys, or none in a fixed place. */
};

static struct key_range spec_range(const struct keyspec *spec)
{
    int last = spec->last >= 0 ? spec->index + spec->last : spec->last;

    return (struct key_range){spec->index, last, spec->step};
}

/* Returns the range that a command's key specs make up together, as far as they
 * follow one another without a gap. */
static struct key_range key_range_of(const struct command *cmd)
{
    size_t count = count_keyspecs(cmd);
    struct key_range all = {0};

    for (size_t i = 0; i < count; i++) {
        const struct keyspec *spec = &cmd->keys[i];
        struct key_range range = spec_range(spec);
        if (spec->keyword != NULL || spec->find != KEYS_RANGE) {
            continue;
        }
        if (count > 1 && (range.step != 1 || (all.last != 0 && range.first != all.last + 1))) {
            continue;
        }
        range.first = all.first != 0 ? all.first : range.first;
        all = range;
    }
    return all;
}

static void reply_unknown(struct call *c)
{
    reply_map(c, 2);
    reply_string(c, "type");
    reply_string(c, "unknown");
    reply_string(c, "spec");
    reply_map(c, 0);
}

static void reply_search(struct call *c, const struct keyspec *spec)
{
    if (spec->find == KEYS_UNKNOWN) {
        reply_unknown(c);
        return;
    }
    reply_map(c, 2);
    reply_string(c, "type");
    reply_string(c, spec->keyword != NULL ? "keyword" : "index");
    reply_string(c, "spec");
    if (spec->keyword == NULL) {
        reply_map(c, 1);
        reply_string(c, "index");
        reply_int(c, spec->index);
        return;
    }
    reply_map(c, 2);
    reply_string(c, "keyword");
    reply_string(c, spec->keyword);
    reply_string(c, "startfrom");
    reply_int(c, spec->index);
}

static void reply_named_int(struct call *c, const char *name, int64_t number)
{
    reply_string(c, name);
    reply_int(c, number);
}

static void reply_find(struct call *c, const struct keyspec *spec)
{
    if (spec->find == KEYS_UNKNOWN) {
        reply_unknown(c);
        return;
    }
    reply_map(c, 2);
    reply_string(c, "type");
    reply_string(c, spec->find == KEYS_RANGE ? "range" : "keynum");
    reply_string(c, "spec");
    reply_map(c, 3);
    if (spec->find == KEYS_RANGE) {
        reply_named_int(c, "lastkey", spec->last);
        reply_named_int(c, "keystep", spec->step);
        reply_named_int(c, "limit", spec->limit);
    } else {
        reply_named_int(c, "keynumidx", spec->count_at);
        reply_named_int(c, "firstkey", spec->first);
        reply_named_int(c, "keystep", spec->key_step);
    }
}

static void reply_keyspecs(struct call *c, const struct command *cmd)
{
    size_t count = count_keyspecs(cmd);

    reply_set(c, count);
    for (size_t i = 0; i < count; i++) {
        reply_map(c, 3);
        reply_string(c, "flags");
        reply_key_flags(c, cmd->keys[i].flags);
        reply_string(c, "begin_search");
        reply_search(c, &cmd->keys[i]);
        reply_string(c, "find_keys");
        reply_find(c, &cmd->keys[i]);
    }
}

static void reply_info(struct call *c, const struct command *cmd);

static void reply_sub_infos(struct call *c, const struct command *cmd)
{
    size_t count = count_rows(cmd->subcommands);

    if (count == 0) {
        reply_set(c, 0);
        return;
    }
    reply_array(c, count);
    for (size_t i = 0; i < count; i++) {
        reply_info(c, &cmd->subcommands[i]);
    }
}

static void reply_info(struct call *c, const struct command *cmd)
{
    struct key_range keys = key_range_of(cmd);

    reply_array(c, 10);
    reply_name(c, cmd);
    reply_int(c, cmd->arity);
    reply_flags(c, command_flag_names, COUNT(command_flag_names), cmd->flags);
    reply_int(c, keys.first);
    reply_int(c, keys.last);
    reply_int(c, keys.step);
    reply_flags(c, categories, categories_count, category_of(cmd));
    reply_set(c, 0); /* Tips for proxies: none. */
    reply_keyspecs(c, cmd);
    reply_sub_infos(c, cmd);
}

static void reply_all_infos(struct call *c)
{
    const struct registry *commands = c->engine->commands;

    reply_array(c, registry_count(commands));
    for (size_t i = 0; i < registry_count(commands); i++) {
        reply_info(c, registry_at(commands, i));
    }
}

static void command_info(struct call *c)
{
    const struct command *cmd;

    if (c->argc == 2) {
        reply_all_infos(c);
        return;
    }
    reply_array(c, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        cmd = registry_find_full(c->engine->commands, c->argv[i]);
        if (cmd != NULL) {
            reply_info(c, cmd);
        } else {
            reply_nil(c);
        }
    }
}

/* COMMAND DOCS. */

/* The types of named arguments that are no strings, by their names. */
static const struct {
    const char *type;
    const char *names[40];
} argument_types[] = {
    {"double", {"height", "latitude", "longitude", "radius", "score", "weight", "width"}},
    {"integer", {"bit",          "client-id",      "count",     "cursor",    "db",
                 "decrement",    "destination-db", "end",       "increment", "index",
                 "index1",       "index2",         "len",       "limit",     "maxlen",
                 "milliseconds", "min-match-len",  "numfields", "numkeys",   "num-matches",
                 "offset",       "port",           "protover",  "rank",      "seconds",
                 "start",        "stop",           "timeout"}},
    {"key", {"destination", "destkey", "key", "key1", "key2", "newkey", "source"}},
    {"pattern", {"pattern"}},
    {"unix-time", {"unix-time-milliseconds", "unix-time-seconds"}},
};

/* Lists the arguments of one command. */
struct listing {
    struct call *call;
    size_t keyspecs;
    size_t keys; /* Key arguments listed so far. */
};

static bool is_among(struct bytes name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (bytes_equal(name, bytes_of(*names))) {
            return true;
        }
    }
    return false;
}

static const char *named_type(const struct listing *l, struct bytes name)
{
    for (size_t i = 0; i < COUNT(argument_types); i++) {
        const char *type = argument_types[i].type;
        if (is_among(name, argument_types[i].names)) {
            return strcmp(type, "key") == 0 && l->keyspecs == 0 ? "string" : type;
        }
    }
    return "string";
}

static const char *type_of(const struct listing *l, const struct argument *a)
{
    switch (a->kind) {
    case ARGUMENT_TOKEN:
        return "pure-token";
    case ARGUMENT_ONEOF:
        return "oneof";
    case ARGUMENT_BLOCK:
        return "block";
    case ARGUMENT_NAMED:
        break;
    }
    return named_type(l, a->name);
}

static void list_flags(struct call *c, const struct argument *a)
{
    reply_set(c, (size_t)a->optional + a->multiple + a->multiple_token);
    if (a->optional) {
        reply_status(c, "optional");
    }
    if (a->multiple) {
        reply_status(c, "multiple");
    }
    if (a->multiple_token) {
        reply_status(c, "multiple_token");
    }
}

/* Key arguments belong to the key specs in order; what there is no spec left for, to
 * the last one. */
static void list_keyspec(struct listing *l)
{
    reply_string(l->call, "key_spec_index");
    reply_int(l->call, (int64_t)(l->keys < l->keyspecs ? l->keys : l->keyspecs - 1));
    l->keys++;
}

static void list_arguments(struct listing *l, const struct argument *list);

static void list_argument(struct listing *l, const struct argument *a)
{
    struct call *c = l->call;
    const char *type = type_of(l, a);
    bool is_key = strcmp(type, "key") == 0;
    bool has_flags = a->optional || a->multiple;

    reply_map(c, 2 + (size_t)is_key + (a->token.len > 0) + has_flags + (a->parts != NULL));
    reply_string(c, "name");
    reply_bytes(c, a->name);
    reply_string(c, "type");
    reply_string(c, type);
    if (is_key) {
        list_keyspec(l);
    }
    if (a->token.len > 0) {
        reply_string(c, "token");
        reply_bytes(c, a->token);
    }
    if (has_flags) {
        reply_string(c, "flags");
        list_flags(c, a);
    }
    if (a->parts != NULL) {
        reply_string(c, "arguments");
        list_arguments(l, a->parts);
    }
}

static void list_arguments(struct listing *l, const struct argument *list)
{
    size_t count = 0;

    for (const struct argument *a = list; a != NULL; a = a->next) {
        count++;
    }
    reply_array(l->call, count);
    for (const struct argument *a = list; a != NULL; a = a->next) {
        list_argument(l, a);
    }
}

static void reply_arguments(struct call *c, const struct command *cmd)
{
    struct listing listing = {.call = c, .keyspecs = count_keyspecs(cmd)};
    struct arena arena = {0};

    reply_string(c, "arguments");
    list_arguments(&listing, syntax_parse(&arena, cmd->syntax));
    arena_free(&arena);
}

static void reply_named_string(struct call *c, const char *name, const char *text)
{
    reply_string(c, name);
    reply_string(c, text);
}

static void reply_docs(struct call *c, const struct command *cmd)
{
    size_t subcommands = count_rows(cmd->subcommands);
    bool has_arguments = cmd->syntax[0] != '\0';

    reply_map(c, 4 + (size_t)has_arguments + (subcommands > 0));
    reply_named_string(c, "summary", cmd->summary);
    reply_named_string(c, "since", cmd->since);
    reply_named_string(c, "group", cmd->group);
    reply_named_string(c, "complexity", cmd->complexity);
    if (has_arguments) {
        reply_arguments(c, cmd);
    }
    if (subcommands > 0) {
        reply_string(c, "subcommands");
        reply_map(c, subcommands);
        for (size_t i = 0; i < subcommands; i++) {
            reply_name(c, &cmd->subcommands[i]);
            reply_docs(c, &cmd->subcommands[i]);
        }
    }
}

static void reply_all_docs(struct call *c)
{
    const struct registry *commands = c->engine->commands;

    reply_map(c, registry_count(commands));
    for (size_t i = 0; i < registry_count(commands); i++) {
        reply_string(c, registry_at(commands, i)->name);
        reply_docs(c, registry_at(commands, i));
    }
}

static void command_docs(struct call *c)
{
    const struct command *cmd;
    size_t place, count = 0;

    if (c->argc == 2) {
        reply_all_docs(c);
        return;
    }
    place = reply_late(c);
    for (size_t i = 2; i < c->argc; i++) {
        cmd = registry_find_full(c->engine->commands, c->argv[i]);
        if (cmd != NULL) {
            reply_name(c, cmd);
            reply_docs(c, cmd);
            count++;
        }
    }
    reply_late_end(c, place, RESP_MAP, count);
}

/* COMMAND LIST. */

struct list_filter {
    enum { LIST_ALL, LIST_MODULE, LIST_CATEGORY, LIST_PATTERN } by;
    struct bytes value;
    uint32_t category;
};

static bool filter_takes(const struct list_filter *filter, const struct command *cmd)
{
    BUF_LOCAL(name);

    switch (filter->by) {
    case LIST_ALL:
        return true;
    case LIST_MODULE: /* There are no modules. */
        return false;
    case LIST_CATEGORY:
        return (category_of(cmd) & filter->category) != 0;
    case LIST_PATTERN:
        break;
    }
    command_add_name(cmd, &name);
    return glob_match_nocase(filter->value, buf_bytes(&name));
}

static bool read_filter(struct call *c, struct list_filter *filter)
{
    if (c->argc == 2) {
        return true;
    }
    if (c->argc != 5 || !call_is(c, 2, "filterby")) {
        return false;
    }
    filter->value = c->argv[4];
    filter->category = category_find(filter->value);
    if (call_is(c, 3, "module")) {
        filter->by = LIST_MODULE;
    } else if (call_is(c, 3, "aclcat")) {
        filter->by = LIST_CATEGORY;
    } else if (call_is(c, 3, "pattern")) {
        filter->by = LIST_PATTERN;
    }
    return filter->by != LIST_ALL;
}

static size_t list_if_taken(struct call *c, const struct list_filter *filter,
                            const struct command *cmd)
{
    if (!filter_takes(filter, cmd)) {
        return 0;
    }
    reply_name(c, cmd);
    return 1;
}

static void command_list(struct call *c)
{
    const struct registry *commands = c->engine->commands;
    struct list_filter filter = {.by = LIST_ALL};
    size_t place, count = 0;

    if (!read_filter(c, &filter)) {
        call_fail_syntax(c);
        return;
    }
    place = reply_late(c);
    for (size_t i = 0; i < registry_count(commands); i++) {
        const struct command *cmd = registry_at(commands, i);
        count += list_if_taken(c, &filter, cmd);
        for (size_t sub = 0; sub < count_rows(cmd->subcommands); sub++) {
            count += list_if_taken(c, &filter, &cmd->subcommands[sub]);
        }
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

/* COMMAND GETKEYS. */

/* The request whose keys are asked for, and what its keys are answered with. */
struct key_listing {
    struct call *call;
    size_t argc;
    const struct bytes *argv;
    bool with_flags;
    size_t count;
};

static void count_key(size_t place, unsigned flags, void *context)
{
    struct key_listing *l = context;

    (void)place;
    (void)flags;
    l->count++;
}

static void reply_key(size_t place, unsigned flags, void *context)
{
    struct key_listing *l = context;

    if (l->with_flags) {
        reply_array(l->call, 2);
    }
    reply_bytes(l->call, l->argv[place]);
    if (l->with_flags) {
        reply_key_flags(l->call, flags);
    }
}

static bool has_keys(const struct command *cmd)
{
    for (size_t i = 0; i < count_keyspecs(cmd); i++) {
        if (!(cmd->keys[i].flags & KEY_NOT_KEY)) {
            return true;
        }
    }
    return false;
}

static void reply_keys(struct key_listing *l, const struct command *cmd)
{
    bool well_formed = command_keys(cmd, l->argc, l->argv, count_key, l);

    if (well_formed && l->count > 0) {
        reply_array(l->call, l->count);
        command_keys(cmd, l->argc, l->argv, reply_key, l);
    } else if (cmd->flags & COMMAND_NO_MANDATORY_KEYS) {
        reply_array(l->call, 0);
    } else {
        call_fail(l->call, "ERR Invalid arguments specified for command");
    }
}

static void get_keys(struct call *c, bool with_flags)
{
    struct key_listing listing = {
        .call = c, .argc = c->argc - 2, .argv = c->argv + 2, .with_flags = with_flags};
    const struct command *container, *cmd;

    cmd = engine_find_command(c->engine, listing.argc, listing.argv, &container);
    if (cmd == NULL) {
        call_fail(c, "ERR Invalid command specified");
    } else if (!has_keys(cmd)) {
        call_fail(c, "ERR The command has no key arguments");
    } else if (!command_arity_fits(cmd, listing.argc)) {
        call_fail(c, "ERR Invalid number of arguments specified for command");
    } else {
        reply_keys(&listing, cmd);
    }
}

static void command_getkeys(struct call *c)
{
    get_keys(c, false);
}

static void command_getkeysandflags(struct call *c)
{
    get_keys(c, true);
}

static void command_count(struct call *c)
{
    reply_int(c, (int64_t)registry_count(c->engine->commands));
}

/* clang-format off */
enum { ANY_TIME = COMMAND_LOADING | COMMAND_STALE };

static const struct command subcommands[] = {
    {.name = "count", .arity = 2, .flags = ANY_TIME, .run = command_count, .group = "server", .since = "2.8.13", .complexity = "O(1)", .summary = "Returns how many commands there are", .syntax = ""},
    {.name = "docs", .arity = -2, .flags = ANY_TIME, .run = command_docs, .group = "server", .since = "7.0.0", .complexity = "O(N) with N commands", .summary = "Documents commands, or all of them", .syntax = "[command-name ...]"},
    {.name = "getkeys", .arity = -4, .flags = ANY_TIME, .run = command_getkeys, .group = "server", .since = "2.8.13", .complexity = "O(N) with N arguments", .summary = "Returns which arguments of a request are keys", .syntax = "command arg [arg ...]"},
    {.name = "getkeysandflags", .arity = -4, .flags = ANY_TIME, .run = command_getkeysandflags, .group = "server", .since = "7.0.0", .complexity = "O(N) with N arguments", .summary = "Returns which arguments of a request are keys, and how it uses them", .syntax = "command arg [arg ...]"},
    {.name = "help", .arity = 2, .flags = ANY_TIME, .run = reply_help, .group = "server", .since = "5.0.0", .complexity = "O(1)", .summary = "Returns this text", .syntax = ""},
    {.name = "info", .arity = -2, .flags = ANY_TIME, .run = command_info, .group = "server", .since = "2.8.13", .complexity = "O(N) with N commands", .summary = "Describes commands to programs, or all of them", .syntax = "[command-name ...]"},
    {.name = "list", .arity = -2, .flags = ANY_TIME, .run = command_list, .group = "server", .since = "7.0.0", .complexity = "O(N) with N commands", .summary = "Returns the names of commands", .syntax = "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]"},
    {0},
};

const struct command command_commands[] = {
    {.name = "command", .arity = -1, .flags = ANY_TIME, .run = reply_all_infos, .subcommands = subcommands, .group = "server", .since = "2.8.13", .complexity = "O(N) with N commands", .summary = "Describes all commands to programs", .syntax = ""},
    {0},
};
