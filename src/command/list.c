/* Commands on lists: adding, reading, changing. Those that take elements off are in
 * list_pop.c. */
#include "command/list.h"

#include "command/families.h"
#include "command/flags.h"
#include "engine/event.h"

/* Adding and removing. */

void list_remove(struct call *c, struct bytes key, const struct value *list, int64_t index,
                 size_t count, const char *event)
{
    bool all = count == value_list_count(list);

    call_make(c, all ? change_unbind(c->db, key) : change_list_remove(c->db, key, index, count));
    call_event(c, EVENT_LIST, event, key);
    if (all) {
        call_event(c, EVENT_GENERIC, "del", key);
    }
}

void list_push(struct call *c, struct bytes key, bool left, struct bytes element)
{
    call_make(c, change_list_insert(c->db, key, left ? 0 : -1, element));
}

/* Pushes the arguments. `list` is NULL if there is none to push to. */
static void push_arguments(struct call *c, const struct value *list, bool left)
{
    if (list == NULL) {
        reply_int(c, 0);
        return;
    }
    for (size_t i = 2; i < c->argc; i++) {
        list_push(c, c->argv[1], left, c->argv[i]);
    }
    call_event(c, EVENT_LIST, left ? "lpush" : "rpush", c->argv[1]);
    reply_int(c, (int64_t)value_list_count(list));
}

static void push(struct call *c, bool left)
{
    const struct value *list;

    if (call_find_or_bind(c, 1, VALUE_LIST, &list)) {
        push_arguments(c, list, left);
    }
}

static void push_if_there(struct call *c, bool left)
{
    const struct value *list;

    if (call_find(c, 1, VALUE_LIST, &list)) {
        push_arguments(c, list, left);
    }
}

static void lpush(struct call *c)
{
    push(c, true);
}

static void rpush(struct call *c)
{
    push(c, false);
}

static void lpushx(struct call *c)
{
    push_if_there(c, true);
}

static void rpushx(struct call *c)
{
    push_if_there(c, false);
}

/* Reading. */

static void llen(struct call *c)
{
    const struct value *list;

    if (call_find(c, 1, VALUE_LIST, &list)) {
        reply_int(c, list == NULL ? 0 : (int64_t)value_list_count(list));
    }
}

/* Turns an index that may count from the end into one from 0, which may be none of
 * the list. */
static size_t index_from_front(const struct value *list, int64_t index)
{
    return index >= 0 ? (size_t)index : value_list_count(list) + (size_t)index;
}

static void lindex(struct call *c)
{
    char text[NUMBER_INT_MAX];
    const struct value *list;
    struct bytes element;
    int64_t index;

    if (!call_find(c, 1, VALUE_LIST, &list)) {
        return;
    }
    if (list == NULL) {
        reply_nil(c);
        return;
    }
    if (!call_int(c, 2, &index)) {
        return;
    }
    if (value_list_at(list, index_from_front(list, index), text, &element)) {
        reply_bytes(c, element);
    } else {
        reply_nil(c);
    }
}

/* A range of the elements. */
struct range {
    size_t first;
    size_t count;
};

/* Reads the range in arguments 2 and 3, and finds the list. Returns false, having
 * failed the call, if that cannot be done. What is outside of the list is cut off. */
static bool parse_range(struct call *c, const struct value **list, struct range *range)
{
    int64_t first, last, len;

    if (!call_int(c, 2, &first) || !call_int(c, 3, &last) || !call_find(c, 1, VALUE_LIST, list)) {
        return false;
    }
    len = *list == NULL ? 0 : (int64_t)value_list_count(*list);
    first += first < 0 ? len : 0;
    last += last < 0 ? len : 0;
    first = first < 0 ? 0 : first;
    last = last >= len ? len - 1 : last;
    *range = first > last ? (struct range){0}
                          : (struct range){(size_t)first, (size_t)(last - first + 1)};
    return true;
}

static void lrange(struct call *c)
{
    const struct value *list;
    struct list_walk walk;
    struct bytes element;
    struct range range;

    if (!parse_range(c, &list, &range)) {
        return;
    }
    reply_array(c, range.count);
    if (range.count == 0) {
        return;
    }
    value_list_walk(list, range.first, false, &walk);
    for (size_t i = 0; i < range.count && value_list_next(&walk, &element); i++) {
        reply_bytes(c, element);
    }
}

struct position_options {
    size_t skipped; /* Matches, by RANK. */
    bool backwards;
    bool many;     /* COUNT was given: reply with an array, */
    size_t count;  /* of so many; 0 is all. */
    size_t maxlen; /* Elements to look at; 0 is all. */
};

static bool parse_rank(struct call *c, size_t arg, struct position_options *o)
{
    int64_t rank;

    if (!call_int(c, arg, &rank)) {
        return false;
    }
    if (rank == 0) {
        call_fail(c, "ERR RANK can't be zero: use 1 to start from the first match, 2 from the "
                     "second ... or use negative to start from the end of the list");
        return false;
    }
    o->backwards = rank < 0;
    o->skipped = (rank < 0 ? -(size_t)rank : (size_t)rank) - 1;
    return true;
}

static bool parse_position_options(struct call *c, struct position_options *o)
{
    bool fits = true;

    *o = (struct position_options){.count = 1};
    for (size_t i = 3; fits && i < c->argc; i += 2) {
        if (i + 1 == c->argc) {
            call_fail_syntax(c);
            return false;
        }
        if (call_is(c, i, "rank")) {
            fits = parse_rank(c, i + 1, o);
        } else if (call_is(c, i, "count")) {
            fits = call_size(c, i + 1, 0, "COUNT can't be negative", &o->count);
            o->many = true;
        } else if (call_is(c, i, "maxlen")) {
            fits = call_size(c, i + 1, 0, "MAXLEN can't be negative", &o->maxlen);
        } else {
            call_fail_syntax(c);
            return false;
        }
    }
    return fits;
}

/* Replies with the index of each match that is wanted; returns how many that are. */
static size_t reply_positions(struct call *c, const struct value *list,
                              const struct position_options *o)
{
    struct element wanted = element_of(c->argv[2]);
    size_t len = value_list_count(list);
    size_t left = o->maxlen > 0 && o->maxlen < len ? o->maxlen : len;
    size_t before = o->backwards ? len - 1 : 0;
    size_t matches = 0;
    struct list_walk walk;
    size_t index;

    value_list_walk(list, before, o->backwards, &walk);
    while ((o->count == 0 || matches < o->skipped + o->count) &&
           value_list_find(&walk, &wanted, left, &index)) {
        left -= (o->backwards ? before - index : index - before) + 1;
        before = o->backwards ? index - 1 : index + 1;
        if (matches++ >= o->skipped) {
            reply_int(c, (int64_t)index);
        }
    }
    return matches > o->skipped ? matches - o->skipped : 0;
}

static void lpos(struct call *c)
{
    struct position_options o;
    const struct value *list;
    size_t place = 0;
    size_t found;

    if (!parse_position_options(c, &o) || !call_find(c, 1, VALUE_LIST, &list)) {
        return;
    }
    if (o.many) {
        place = reply_late(c);
    }
    found = list == NULL ? 0 : reply_positions(c, list, &o);
    if (o.many) {
        reply_late_end(c, place, RESP_ARRAY, found);
    } else if (found == 0) {
        reply_nil(c);
    }
}

/* Changing. */

static void lset(struct call *c)
{
    const struct value *list;
    int64_t index;

    if (!call_find(c, 1, VALUE_LIST, &list)) {
        return;
    }
    if (list == NULL) {
        call_fail(c, "ERR no such key");
        return;
    }
    if (!call_int(c, 2, &index)) {
        return;
    }
    if (index_from_front(list, index) >= value_list_count(list)) {
        call_fail(c, "ERR index out of range");
        return;
    }
    call_make(c, change_list_replace(c->db, c->argv[1], index, c->argv[3]));
    call_event(c, EVENT_LIST, "lset", c->argv[1]);
    reply_ok(c);
}

static void linsert(struct call *c)
{
    bool after = call_is(c, 2, "after");
    struct element pivot = element_of(c->argv[3]);
    const struct value *list;
    struct list_walk walk;
    size_t index;

    if (!after && !call_is(c, 2, "before")) {
        call_fail_syntax(c);
        return;
    }
    if (!call_find(c, 1, VALUE_LIST, &list)) {
        return;
    }
    if (list == NULL) {
        reply_int(c, 0);
        return;
    }
    value_list_walk(list, 0, false, &walk);
    if (!value_list_find(&walk, &pivot, SIZE_MAX, &index)) {
        reply_int(c, -1);
        return;
    }
    call_make(c, change_list_insert(c->db, c->argv[1], (int64_t)(index + after), c->argv[4]));
    call_event(c, EVENT_LIST, "linsert", c->argv[1]);
    reply_int(c, (int64_t)value_list_count(list));
}

static void ltrim(struct call *c)
{
    struct bytes key = c->argv[1];
    const struct value *list;
    struct range kept;
    size_t behind;

    if (!parse_range(c, &list, &kept)) {
        return;
    }
    reply_ok(c);
    if (list == NULL) {
        return;
    }
    if (kept.count == 0) {
        list_remove(c, key, list, 0, value_list_count(list), "ltrim");
        return;
    }
    behind = value_list_count(list) - kept.first - kept.count;
    if (behind > 0) {
        call_make(c, change_list_remove(c->db, key, -1, behind));
    }
    if (kept.first > 0) {
        call_make(c, change_list_remove(c->db, key, 0, kept.first));
    }
    call_event(c, EVENT_LIST, "ltrim", key);
}

/* What LREM finds: ranges of equal elements. */
struct matches {
    struct buf ranges; /* Of struct range, in the order in which they were found. */
    bool backwards;
    size_t count; /* Elements. */
};

static size_t range_count(const struct matches *m)
{
    return m->ranges.len / sizeof(struct range);
}

/* The ranges in the order of the list. */
static struct range *range_at(const struct matches *m, size_t i)
{
    struct range *ranges = (struct range *)m->ranges.at;

    return &ranges[m->backwards ? range_count(m) - 1 - i : i];
}

/* Makes a range longer by an element beside it. */
static bool range_extend(struct range *r, size_t index)
{
    if (index != r->first + r->count && index + 1 != r->first) {
        return false;
    }
    r->first = index < r->first ? index : r->first;
    r->count++;
    return true;
}

static void add_match(struct matches *m, size_t index)
{
    struct range *ranges = (struct range *)m->ranges.at;
    struct range fresh = {index, 1};
    size_t count = range_count(m);

    m->count++;
    if (count == 0 || !range_extend(&ranges[count - 1], index)) {
        buf_add(&m->ranges, (struct bytes){(const char *)&fresh, sizeof fresh});
    }
}

static void find_matches(const struct value *list, struct bytes content, size_t most,
                         struct matches *m)
{
    struct element wanted = element_of(content);
    struct list_walk walk;
    size_t index;

    value_list_walk(list, m->backwards ? value_list_count(list) - 1 : 0, m->backwards, &walk);
    while (m->count < most && value_list_find(&walk, &wanted, SIZE_MAX, &index)) {
        add_match(m, index);
    }
}

/* Binds the key to what is left of the list. */
static void rebuild(struct call *c, const struct value *list, const struct matches *m)
{
    struct value *rest = value_new(VALUE_LIST, c->argv[1], value_expires_ms(list));
    struct list_walk walk;
    struct bytes element;
    size_t index = 0;

    for (size_t i = 0; i <= range_count(m); i++) {
        size_t end = i < range_count(m) ? range_at(m, i)->first : SIZE_MAX;
        value_list_walk(list, index, false, &walk);
        for (; index < end && value_list_next(&walk, &element); index++) {
            value_fill_element(rest, element, &c->engine->data->limits);
        }
        index = i < range_count(m) ? end + range_at(m, i)->count : index;
    }
    call_make(c, change_bind(c->db, rest));
}

/* Each range that is removed costs an undo record. When there are many, a new list
 * costs less. */
static void remove_matches(struct call *c, const struct value *list, const struct matches *m)
{
    enum { RECORD_ELEMENTS = 16 };

    if (range_count(m) * RECORD_ELEMENTS > value_list_count(list) && range_count(m) > 1) {
        rebuild(c, list, m);
        return;
    }
    for (size_t i = range_count(m); i > 0; i--) {
        const struct range *r = range_at(m, i - 1);
        call_make(c, change_list_remove(c->db, c->argv[1], (int64_t)r->first, r->count));
    }
}

static void lrem(struct call *c)
{
    struct matches m = {.count = 0};
    const struct value *list;
    int64_t count;

    if (!call_int(c, 2, &count) || !call_find(c, 1, VALUE_LIST, &list)) {
        return;
    }
    if (list != NULL) {
        m.backwards = count < 0;
        find_matches(list, c->argv[3],
                     count == 0  ? SIZE_MAX
                     : count < 0 ? -(size_t)count
                                 : (size_t)count,
                     &m);
    }
    if (m.count > 0 && m.count == value_list_count(list)) {
        list_remove(c, c->argv[1], list, 0, m.count, "lrem");
    } else if (m.count > 0) {
        remove_matches(c, list, &m);
        call_event(c, EVENT_LIST, "lrem", c->argv[1]);
    }
    buf_clear(&m.ranges);
    reply_int(c, (int64_t)m.count);
}

enum { FREE = COMMAND_WRITE | COMMAND_DIRECT };

/* clang-format off */
const struct command list_commands[] = {
    {.name = "lindex",  .arity = 3,  .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = lindex,  .group = "list", .since = "1.0.0", .complexity = "O(log N)",                                      .summary = "Returns an element of a list by its index",                       .syntax = "key index"},
    {.name = "linsert", .arity = 5,  .flags = WRITE,      .keys = {ONE_KEY(KEY_RW | KEY_INSERT)}, .run = linsert, .group = "list", .since = "2.2.0", .complexity = "O(N) in the elements before the pivot",         .summary = "Inserts an element before or after the first that equals a pivot", .syntax = "key <BEFORE | AFTER> pivot element"},
    {.name = "llen",    .arity = 2,  .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO)},              .run = llen,    .group = "list", .since = "1.0.0", .complexity = "O(1)",                                          .summary = "Returns how many elements a list has",                            .syntax = "key"},
    {.name = "lpos",    .arity = -3, .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = lpos,    .group = "list", .since = "6.0.6", .complexity = "O(N) in the elements looked at",                .summary = "Returns at which indexes a list has an element",                  .syntax = "key element [RANK rank] [COUNT num-matches] [MAXLEN len]"},
    {.name = "lpush",   .arity = -3, .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_INSERT)}, .run = lpush,   .group = "list", .since = "1.0.0", .complexity = "O(N) in the number of elements named",          .summary = "Adds elements in front of a list, and creates it if need be",     .syntax = "key element [element ...]"},
    {.name = "lpushx",  .arity = -3, .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_INSERT)}, .run = lpushx,  .group = "list", .since = "2.2.0", .complexity = "O(N) in the number of elements named",          .summary = "Adds elements in front of a list, if there is one",               .syntax = "key element [element ...]"},
    {.name = "lrange",  .arity = 4,  .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = lrange,  .group = "list", .since = "1.0.0", .complexity = "O(log N + M) with M elements returned",         .summary = "Returns a range of the elements of a list",                       .syntax = "key start stop"},
    {.name = "lrem",    .arity = 4,  .flags = FREE,       .keys = {ONE_KEY(KEY_RW | KEY_DELETE)}, .run = lrem,    .group = "list", .since = "1.0.0", .complexity = "O(N) in the size of the list",                  .summary = "Removes elements that equal one, from either end of a list",      .syntax = "key count element"},
    {.name = "lset",    .arity = 4,  .flags = WRITE,      .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .run = lset,    .group = "list", .since = "1.0.0", .complexity = "O(log N)",                                      .summary = "Puts another element at an index of a list",                      .syntax = "key index element"},
    {.name = "ltrim",   .arity = 4,  .flags = FREE,       .keys = {ONE_KEY(KEY_RW | KEY_DELETE)}, .run = ltrim,   .group = "list", .since = "1.0.0", .complexity = "O(log N + M) with M chunks of elements removed", .summary = "Removes all elements of a list but a range",                      .syntax = "key start stop"},
    {.name = "rpush",   .arity = -3, .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_INSERT)}, .run = rpush,   .group = "list", .since = "1.0.0", .complexity = "O(N) in the number of elements named",          .summary = "Adds elements at the end of a list, and creates it if need be",   .syntax = "key element [element ...]"},
    {.name = "rpushx",  .arity = -3, .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_INSERT)}, .run = rpushx,  .group = "list", .since = "2.2.0", .complexity = "O(N) in the number of elements named",          .summary = "Adds elements at the end of a list, if there is one",             .syntax = "key element [element ...]"},
    {0},
};
/* clang-format on */
