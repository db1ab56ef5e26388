/* SORT: the elements of a list, set or sorted set, in the order of themselves or of
 * other keys that their names lead to. */
#include "base/mem.h"
#include "command/families.h"
#include "command/flags.h"
#include "engine/call.h"
#include "store/list.h"
#include "store/zset.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct options {
    bool descending;
    bool alpha;
    bool unsorted;          /* BY something that is the same for all. */
    const struct bytes *by; /* NULL: by the elements themselves. */
    const struct bytes *to; /* The key to store to, or NULL. */
    size_t *gets;           /* The places of all patterns behind GET. */
    size_t get_count;
    int64_t start, count; /* LIMIT; a count of -1 is all. */
};

/* An element, and what it is compared by. */
struct item {
    struct bytes element;
    struct bytes text; /* Of no bytes at NULL: there is none. */
    double score;
};

struct items {
    struct item *at;
    size_t count;
    struct arena copies; /* Of what is a number where it comes from. */
};

/* Options. */

static bool is_same_for_all(struct bytes pattern)
{
    return memchr(pattern.at, '*', pattern.len) == NULL;
}

/* Reads the option at argument `arg`. Returns how many arguments it is; 0, having
 * failed the call, if it makes no sense. */
static size_t read_option(struct call *c, size_t arg, bool read_only, struct options *o)
{
    size_t left = c->argc - arg - 1;

    if (call_is(c, arg, "asc") || call_is(c, arg, "desc")) {
        o->descending = call_is(c, arg, "desc");
        return 1;
    }
    if (call_is(c, arg, "alpha")) {
        o->alpha = true;
        return 1;
    }
    if (call_is(c, arg, "limit") && left >= 2) {
        return call_int(c, arg + 1, &o->start) && call_int(c, arg + 2, &o->count) ? 3 : 0;
    }
    if (call_is(c, arg, "store") && left >= 1 && !read_only) {
        o->to = &c->argv[arg + 1];
        return 2;
    }
    if (call_is(c, arg, "by") && left >= 1) {
        o->by = &c->argv[arg + 1];
        o->unsorted |= is_same_for_all(*o->by);
        return 2;
    }
    if (call_is(c, arg, "get") && left >= 1) {
        o->gets[o->get_count++] = arg + 1;
        return 2;
    }
    call_fail_syntax(c);
    return 0;
}

static bool read_options(struct call *c, bool read_only, struct options *o)
{
    size_t args;

    for (size_t i = 2; i < c->argc; i += args) {
        args = read_option(c, i, read_only, o);
        if (args == 0) {
            return false;
        }
    }
    return true;
}

/* Loading. */

static void load_list(struct items *items, const struct value *v, bool backward)
{
    struct list_walk walk;
    struct bytes element;

    value_list_walk(v, backward ? value_list_count(v) - 1 : 0, backward, &walk);
    while (value_list_next(&walk, &element)) {
        bool is_text = element.at >= walk.text && element.at < walk.text + sizeof walk.text;
        items->at[items->count++].element = is_text ? arena_copy(&items->copies, element) : element;
    }
}

static void load_set(struct items *items, const struct value *v)
{
    struct value_walk walk = {0};
    struct bytes member;

    while (value_set_next(v, &walk, &member)) {
        items->at[items->count++].element =
            member.at == walk.text ? arena_copy(&items->copies, member) : member;
    }
}

static void load_zset(struct items *items, const struct value *v, bool backward)
{
    size_t count = value_zset_count(v);
    struct zset_walk walk = zset_walk_from(v, backward ? count - 1 : 0, backward);
    struct bytes member;
    double score;

    while (items->count < count && zset_walk_next(&walk, &member, &score)) {
        items->at[items->count++].element = member;
    }
}

/* Loads the elements in the order that they have, or, if they will not be sorted, in
 * the opposite one when that is wanted. */
static void load(struct items *items, const struct value *v, const struct options *o)
{
    bool backward = o->unsorted && o->descending;

    if (v == NULL) {
        return;
    }
    items->at = mem_alloc(value_count(v) * sizeof *items->at);
    switch (value_type(v)) {
    case VALUE_LIST:
        load_list(items, v, backward);
        break;
    case VALUE_SET:
        load_set(items, v);
        break;
    default:
        load_zset(items, v, backward);
    }
}

static void unload(struct items *items)
{
    mem_free(items->at);
    arena_free(&items->copies);
}

/* Patterns. */

/* Splits "key->field", where the key has the star. Returns false if there is no
 * field. */
static bool split_field(struct bytes pattern, size_t star, struct bytes *key, struct bytes *field)
{
    const char *arrow = memmem(pattern.at + star + 1, pattern.len - star - 1, "->", 2);
    size_t end;

    if (arrow == NULL || arrow + 2 == pattern.at + pattern.len) {
        return false;
    }
    end = (size_t)(arrow - pattern.at);
    *key = (struct bytes){pattern.at, end};
    *field = (struct bytes){arrow + 2, pattern.len - end - 2};
    return true;
}

/* Finds what a pattern leads to, with the element in the place of its star. Returns
 * false if that is nothing. */
static bool follow(struct call *c, struct bytes pattern, struct bytes element,
                   struct bytes *content)
{
    const char *star = memchr(pattern.at, '*', pattern.len);
    struct bytes key = pattern;
    struct bytes field;
    const struct value *v;
    bool has_field;
    BUF_LOCAL(name);

    if (pattern.len == 1 && pattern.at[0] == '#') {
        *content = element;
        return true;
    }
    if (star == NULL) {
        return false;
    }
    has_field = split_field(pattern, (size_t)(star - pattern.at), &key, &field);
    buf_add(&name, (struct bytes){key.at, (size_t)(star - key.at)});
    buf_add(&name, element);
    buf_add(&name, (struct bytes){star + 1, (size_t)(key.at + key.len - star - 1)});
    v = call_find_any(c, buf_bytes(&name));
    if (v == NULL || value_type(v) != (has_field ? VALUE_HASH : VALUE_STRING)) {
        return false;
    }
    if (has_field) {
        return value_hash_get(v, field, c->now_ms, content);
    }
    *content = value_string(v);
    return true;
}

/* Sorting. */

/* As Redis, accepts what strtod() does, up to a zero byte, and nothing as 0. */
static bool parse_score(struct bytes text, double *score)
{
    size_t size = text.len + 1;
    char small[128];
    BUF_LOCAL(longer);
    char *copy = size <= sizeof small ? small : buf_reserve(&longer, size);
    char *end;

    bytes_to_string(text, copy, size);
    errno = 0;
    *score = strtod(copy, &end);
    return *end == '\0' && errno != ERANGE && !isnan(*score);
}

/* Finds what an element is compared by. */
static bool weigh(struct call *c, const struct options *o, struct item *item)
{
    int64_t number;

    item->score = 0;
    item->text = (struct bytes){0};
    if (o->by == NULL) {
        item->text = item->element;
    } else if (!follow(c, *o->by, item->element, &item->text)) {
        return true;
    }
    if (o->alpha) {
        return true;
    }
    if (number_parse_int(item->text, &number)) {
        item->score = (double)number;
        return true;
    }
    return parse_score(item->text, &item->score);
}

static int compare_texts(const struct item *a, const struct item *b)
{
    if (a->text.at == NULL || b->text.at == NULL) {
        return (a->text.at != NULL) - (b->text.at != NULL);
    }
    return bytes_compare(a->text, b->text);
}

static int compare(const void *first, const void *second, void *context)
{
    const struct item *a = first;
    const struct item *b = second;
    const struct options *o = context;
    int order;

    if (o->alpha) {
        order = compare_texts(a, b);
    } else if (a->score != b->score) {
        order = a->score < b->score ? -1 : 1;
    } else {
        order = bytes_compare(a->element, b->element);
    }
    return o->descending ? -order : order;
}

static bool sort_items(struct call *c, const struct options *o, struct items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        if (!weigh(c, o, &items->at[i])) {
            call_fail(c, "ERR One or more scores can't be converted into double");
            return false;
        }
    }
    if (items->count > 1) {
        qsort_r(items->at, items->count, sizeof *items->at, compare, (void *)o);
    }
    return true;
}

/* Answering. */

/* Cuts the items to what LIMIT leaves of them. */
static struct items limited(const struct items *all, const struct options *o)
{
    size_t start = o->start < 0 ? 0 : (size_t)o->start;
    size_t left;

    if (start >= all->count) {
        return (struct items){0};
    }
    left = all->count - start;
    return (struct items){
        .at = all->at + start,
        .count = o->count < 0 || (size_t)o->count > left ? left : (size_t)o->count,
    };
}

typedef void take(struct call *c, bool there, struct bytes content, void *context);

/* Gives `take` all that the reply consists of. */
static void each(struct call *c, const struct options *o, const struct items *items, take *take_one,
                 void *context)
{
    struct bytes content = {0};

    for (size_t i = 0; i < items->count; i++) {
        struct bytes element = items->at[i].element;
        for (size_t j = 0; j < o->get_count; j++) {
            bool there = follow(c, c->argv[o->gets[j]], element, &content);
            take_one(c, there, content, context);
        }
        if (o->get_count == 0) {
            take_one(c, true, element, context);
        }
    }
}

static void reply_one(struct call *c, bool there, struct bytes content, void *context)
{
    (void)context;
    if (there) {
        reply_bytes(c, content);
    } else {
        reply_nil(c);
    }
}

static void store_one(struct call *c, bool there, struct bytes content, void *context)
{
    value_fill_element(context, there ? content : (struct bytes){0}, &c->engine->data->limits);
}

static void store(struct call *c, const struct options *o, const struct items *items)
{
    struct bytes key = *o->to;
    struct value *list;

    if (items->count > 0) {
        list = value_new(VALUE_LIST, key, EXPIRES_NEVER);
        each(c, o, items, store_one, list);
        call_make(c, change_bind(c->db, list));
        call_event(c, EVENT_LIST, "sortstore", key);
    } else if (keyspace_find(c->keys, key, c->now_ms) != NULL) {
        call_make(c, change_unbind(c->db, key));
        call_event(c, EVENT_GENERIC, "del", key);
    }
}

static void answer(struct call *c, const struct options *o, const struct items *items)
{
    size_t count = items->count * (o->get_count > 0 ? o->get_count : 1);

    if (o->to != NULL) {
        store(c, o, items);
        reply_int(c, (int64_t)count);
    } else {
        reply_array(c, count);
        each(c, o, items, reply_one, NULL);
    }
}

static bool is_sortable(const struct value *v)
{
    return v == NULL || value_type(v) == VALUE_LIST || value_type(v) == VALUE_SET ||
           value_type(v) == VALUE_ZSET;
}

static void sort_value(struct call *c, struct options *o)
{
    const struct value *v = call_find_any(c, c->argv[1]);
    struct items items = {0};
    struct items shown;

    if (!is_sortable(v)) {
        call_fail_wrong_type(c);
        return;
    }
    /* What is stored, or what a script goes on with, does not hang on the order that a
     * set happens to have. */
    if (o->unsorted && v != NULL && value_type(v) == VALUE_SET &&
        (o->to != NULL || c->session->in_script)) {
        o->unsorted = false;
        o->alpha = true;
        o->by = NULL;
    }
    load(&items, v, o);
    if (o->unsorted || sort_items(c, o, &items)) {
        shown = limited(&items, o);
        answer(c, o, &shown);
    }
    unload(&items);
}

static void sort_with(struct call *c, bool read_only)
{
    struct options o = {.count = -1, .gets = mem_alloc(c->argc * sizeof *o.gets)};

    if (read_options(c, read_only, &o)) {
        sort_value(c, &o);
    }
    mem_free(o.gets);
}

static void sort(struct call *c)
{
    sort_with(c, false);
}

static void sort_ro(struct call *c)
{
    sort_with(c, true);
}

/* clang-format off */
#define ELSEWHERE {.flags = KEY_RO | KEY_ACCESS, .find = KEYS_UNKNOWN}

const struct command sort_commands[] = {
    {.name = "sort",    .arity = -2, .flags = WRITE | COMMAND_MOVABLE_KEYS, .keys = {ONE_KEY(KEY_RO | KEY_ACCESS), ELSEWHERE, {.flags = KEY_OW | KEY_UPDATE, .find = KEYS_UNKNOWN, .index = -2, .keyword = "store", .step = 1}}, .run = sort,    .group = "generic", .since = "1.0.0", .complexity = "O(N log N) in the number of elements", .summary = "Sorts a list, set or sorted set, and may store the result", .syntax = "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]"},
    {.name = "sort_ro", .arity = -2, .flags = READ | COMMAND_MOVABLE_KEYS,  .keys = {ONE_KEY(KEY_RO | KEY_ACCESS), ELSEWHERE},                                                                                                  .run = sort_ro, .group = "generic", .since = "7.0.0", .complexity = "O(N log N) in the number of elements", .summary = "Sorts a list, set or sorted set",                       .syntax = "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA]"},
    {0},
};
/* clang-format on */
