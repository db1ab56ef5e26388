/* Commands that take elements off the ends of lists: popping and moving, at once or
 * when there is something to take. */
#include "base/mem.h"
#include "command/families.h"
#include "command/flags.h"
#include "command/list.h"
#include "command/pop.h"
#include "engine/block.h"
#include "engine/event.h"

/* Reads argument `arg`, LEFT or RIGHT. */
static bool parse_end(struct call *c, size_t arg, bool *left)
{
    *left = call_is(c, arg, "left");
    if (!*left && !call_is(c, arg, "right")) {
        call_fail_syntax(c);
        return false;
    }
    return true;
}

/* Replies with each of `count` elements from an end on, and removes them. */
static void take(struct call *c, struct bytes key, const struct value *list, bool left,
                 size_t count)
{
    struct list_walk walk;
    struct bytes element;

    if (count == 0) {
        return;
    }
    value_list_walk(list, left ? 0 : value_list_count(list) - 1, !left, &walk);
    for (size_t i = 0; i < count && value_list_next(&walk, &element); i++) {
        reply_bytes(c, element);
    }
    list_remove(c, key, list, left ? 0 : -1, count, left ? "lpop" : "rpop");
}

/* The same as an array, of no more elements than there are. */
static void take_array(struct call *c, struct bytes key, const struct value *list, bool left,
                       size_t count)
{
    size_t len = value_list_count(list);

    count = count < len ? count : len;
    reply_array(c, count);
    take(c, key, list, left, count);
}

static void pop(struct call *c, bool left)
{
    bool many = c->argc == 3;
    const struct value *list;
    size_t count = 1;

    if (c->argc > 3) {
        call_fail_arity(c);
        return;
    }
    if (many && !call_size(c, 2, 0, "value is out of range, must be positive", &count)) {
        return;
    }
    if (!call_find(c, 1, VALUE_LIST, &list)) {
        return;
    }
    if (list == NULL) {
        many ? reply_nil_array(c) : reply_nil(c);
    } else if (many) {
        take_array(c, c->argv[1], list, left, count);
    } else {
        take(c, c->argv[1], list, left, 1);
    }
}

static void lpop(struct call *c)
{
    pop(c, true);
}

static void rpop(struct call *c)
{
    pop(c, false);
}

static void pop_or_wait(struct call *c, bool left)
{
    struct block block = {.first = 1, .count = c->argc - 2, .type = VALUE_LIST};
    const struct value *list;
    struct bytes key;

    if (!call_timeout(c, c->argc - 1, &block.timeout_ms) ||
        !pop_find(c, 1, block.count, VALUE_LIST, &key, &list)) {
        return;
    }
    if (list != NULL) {
        reply_array(c, 2);
        reply_bytes(c, key);
        take(c, key, list, left, 1);
    } else if (!call_block(c, &block)) {
        reply_nil_array(c);
    }
}

static void blpop(struct call *c)
{
    pop_or_wait(c, true);
}

static void brpop(struct call *c)
{
    pop_or_wait(c, false);
}

/* LMPOP and BLMPOP. */

static const char *const ends[] = {"left", "right"};

/* Pops from the first of the keys that holds a list. Returns whether there is none. */
static bool pop_many(struct call *c, const struct popping *p)
{
    const struct value *list;
    struct bytes key;

    if (!pop_find(c, p->first, p->keys, VALUE_LIST, &key, &list)) {
        return false;
    }
    if (list != NULL) {
        reply_array(c, 2);
        reply_bytes(c, key);
        take_array(c, key, list, !p->from_last, p->count);
    }
    return list == NULL;
}

static void lmpop(struct call *c)
{
    struct popping p;

    if (pop_parse(c, 1, ends, &p) && pop_many(c, &p)) {
        reply_nil_array(c);
    }
}

static void blmpop(struct call *c)
{
    struct block block = {.type = VALUE_LIST};
    struct popping p;

    if (!pop_parse(c, 2, ends, &p) || !call_timeout(c, 1, &block.timeout_ms)) {
        return;
    }
    block.first = p.first;
    block.count = p.keys;
    if (pop_many(c, &p) && !call_block(c, &block)) {
        reply_nil_array(c);
    }
}

/* Moves an element of the list at argument 1 to that at argument 2, and replies with
 * it. If they are the same, an element cannot be inserted from where it is. */
static void move(struct call *c, const struct value *source, bool from_left, bool to_left)
{
    size_t index = from_left ? 0 : value_list_count(source) - 1;
    char text[NUMBER_INT_MAX];
    const struct value *destination;
    struct bytes element;
    BUF_LOCAL(copy);

    if (!call_find_or_bind(c, 2, VALUE_LIST, &destination) ||
        !value_list_at(source, index, text, &element)) {
        return;
    }
    if (destination == source) {
        buf_add(&copy, element);
        element = buf_bytes(&copy);
    }
    reply_bytes(c, element);
    list_push(c, c->argv[2], to_left, element);
    call_event(c, EVENT_LIST, to_left ? "lpush" : "rpush", c->argv[2]);
    list_remove(c, c->argv[1], source, from_left ? 0 : -1, 1, from_left ? "lpop" : "rpop");
}

static void move_if_there(struct call *c, bool from_left, bool to_left)
{
    const struct value *source;

    if (!call_find(c, 1, VALUE_LIST, &source)) {
        return;
    }
    if (source != NULL) {
        move(c, source, from_left, to_left);
    } else {
        reply_nil(c);
    }
}

/* As Redis, replies with a nil that is an array if the time is up. */
static void move_or_wait(struct call *c, bool from_left, bool to_left)
{
    struct block block = {.first = 1, .count = 1, .type = VALUE_LIST};
    const struct value *source;
    struct bytes key;

    if (!call_timeout(c, c->argc - 1, &block.timeout_ms) ||
        !pop_find(c, 1, 1, VALUE_LIST, &key, &source)) {
        return;
    }
    if (source != NULL) {
        move(c, source, from_left, to_left);
    } else if (!call_block(c, &block)) {
        call_has_waited(c) ? reply_nil_array(c) : reply_nil(c);
    }
}

static void lmove(struct call *c)
{
    bool from_left, to_left;

    if (parse_end(c, 3, &from_left) && parse_end(c, 4, &to_left)) {
        move_if_there(c, from_left, to_left);
    }
}

static void rpoplpush(struct call *c)
{
    move_if_there(c, false, true);
}

static void blmove(struct call *c)
{
    bool from_left, to_left;

    if (parse_end(c, 3, &from_left) && parse_end(c, 4, &to_left)) {
        move_or_wait(c, from_left, to_left);
    }
}

static void brpoplpush(struct call *c)
{
    move_or_wait(c, false, true);
}

enum {
    TAKE_MANY = COMMAND_WRITE | COMMAND_DIRECT | COMMAND_MOVABLE_KEYS,
    TAKE_OR_WAIT = COMMAND_WRITE | COMMAND_DIRECT | COMMAND_NOSCRIPT | COMMAND_BLOCKING,
    MOVE_OR_WAIT = TAKE_OR_WAIT | COMMAND_DENYOOM,
};

/* All but the last argument. */
#define KEYS_AND_TIMEOUT(key_use)                                                                  \
    {                                                                                              \
        .flags = (key_use), .index = 1, .last = -2, .step = 1                                      \
    }

/* clang-format off */
const struct command list_pop_commands[] = {
    {.name = "blmove",     .arity = 6,  .flags = MOVE_OR_WAIT,                 .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_RW | KEY_INSERT)}, .run = blmove,     .group = "list", .since = "6.2.0", .complexity = "O(1)",                                   .summary = "Moves an element from one list to another, and waits for it if need be",         .syntax = "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout"},
    {.name = "blmpop",     .arity = -5, .flags = TAKE_MANY | COMMAND_BLOCKING, .keys = {NUMBERED_KEYS(2, KEY_RW | KEY_ACCESS | KEY_DELETE)},                        .run = blmpop,     .group = "list", .since = "7.0.0", .complexity = "O(N+M) with N keys and M elements returned", .summary = "Removes elements from the first list that there is, and waits for one if need be", .syntax = "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]"},
    {.name = "blpop",      .arity = -3, .flags = TAKE_OR_WAIT,                 .keys = {KEYS_AND_TIMEOUT(KEY_RW | KEY_ACCESS | KEY_DELETE)},                        .run = blpop,      .group = "list", .since = "2.0.0", .complexity = "O(N) in the number of keys",             .summary = "Removes the first element of the first list that there is, and waits for one if need be", .syntax = "key [key ...] timeout"},
    {.name = "brpop",      .arity = -3, .flags = TAKE_OR_WAIT,                 .keys = {KEYS_AND_TIMEOUT(KEY_RW | KEY_ACCESS | KEY_DELETE)},                        .run = brpop,      .group = "list", .since = "2.0.0", .complexity = "O(N) in the number of keys",             .summary = "Removes the last element of the first list that there is, and waits for one if need be", .syntax = "key [key ...] timeout"},
    {.name = "brpoplpush", .arity = 4,  .flags = MOVE_OR_WAIT,                 .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_RW | KEY_INSERT)}, .run = brpoplpush, .group = "list", .since = "2.2.0", .complexity = "O(1)",                                   .summary = "Moves the last element of a list to the front of another, and waits for it if need be", .syntax = "source destination timeout"},
    {.name = "lmove",      .arity = 5,  .flags = WRITE,                        .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_RW | KEY_INSERT)}, .run = lmove,      .group = "list", .since = "6.2.0", .complexity = "O(1)",                                   .summary = "Moves an element from one list to another",                                    .syntax = "source destination <LEFT | RIGHT> <LEFT | RIGHT>"},
    {.name = "lmpop",      .arity = -4, .flags = TAKE_MANY,                    .keys = {NUMBERED_KEYS(1, KEY_RW | KEY_ACCESS | KEY_DELETE)},                        .run = lmpop,      .group = "list", .since = "7.0.0", .complexity = "O(N+M) with N keys and M elements returned", .summary = "Removes elements from the first list that there is",                             .syntax = "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]"},
    {.name = "lpop",       .arity = -2, .flags = FREE_FAST,                    .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE)},                                 .run = lpop,       .group = "list", .since = "1.0.0", .complexity = "O(N) in the number of elements returned", .summary = "Removes the first elements of a list and returns them",                         .syntax = "key [count]"},
    {.name = "rpop",       .arity = -2, .flags = FREE_FAST,                    .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE)},                                 .run = rpop,       .group = "list", .since = "1.0.0", .complexity = "O(N) in the number of elements returned", .summary = "Removes the last elements of a list and returns them",                          .syntax = "key [count]"},
    {.name = "rpoplpush",  .arity = 3,  .flags = WRITE,                        .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_RW | KEY_INSERT)}, .run = rpoplpush,  .group = "list", .since = "1.2.0", .complexity = "O(1)",                                   .summary = "Moves the last element of a list to the front of another",                     .syntax = "source destination"},
    {0},
};
/* clang-format on */
