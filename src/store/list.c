/* Lists: a sequence, short or long. */
#include "store/list.h"

#include "store/body.h"

size_t value_list_count(const struct value *v)
{
    assert(v->type == VALUE_LIST);
    return sequence_count(body(v));
}

static bool get(const struct sequence_at *at, char *text, struct bytes *element)
{
    if (at->chunk == NULL) {
        return false;
    }
    *element = sequence_get(at, text);
    return true;
}

bool value_list_at(const struct value *v, size_t index, char text[NUMBER_INT_MAX],
                   struct bytes *element)
{
    struct sequence_at at;

    assert(v->type == VALUE_LIST);
    at = sequence_seek(body(v), index);
    return get(&at, text, element);
}

void value_list_walk(const struct value *v, size_t index, bool backwards, struct list_walk *walk)
{
    assert(v->type == VALUE_LIST);
    walk->at = sequence_seek(body(v), index);
    walk->backwards = backwards;
}

static void step(struct list_walk *walk)
{
    if (walk->backwards) {
        sequence_previous(&walk->at);
    } else {
        sequence_next(&walk->at);
    }
}

bool value_list_next(struct list_walk *walk, struct bytes *element)
{
    if (!get(&walk->at, walk->text, element)) {
        return false;
    }
    step(walk);
    return true;
}

bool value_list_find(struct list_walk *walk, const struct element *e, size_t most, size_t *index)
{
    if (!sequence_find(&walk->at, walk->backwards, e, most)) {
        return false;
    }
    *index = walk->at.index;
    step(walk);
    return true;
}

struct chunk_limit list_chunk_limit(int64_t list_max_chunk)
{
    enum { SMALLEST = 4096, USUAL = 8192, SIZES = 5 };
    int64_t size = list_max_chunk < -SIZES ? SIZES : -list_max_chunk;

    if (size > 0) {
        return (struct chunk_limit){.bytes = (size_t)SMALLEST << (size - 1), .count = SIZE_MAX};
    }
    return (struct chunk_limit){.bytes = USUAL,
                                .count = list_max_chunk > 0 ? (size_t)list_max_chunk : 1};
}

/* Where the first element goes that is to be inserted at `index`. */
static size_t place_of(const struct value *v, int64_t index)
{
    size_t count = value_list_count(v);
    size_t back = -(uint64_t)index - 1;

    assert(index >= 0 ? (uint64_t)index <= count : back <= count);
    return index >= 0 ? (size_t)index : count - back;
}

void edit_list_insert(struct value *v, int64_t index, struct bytes element,
                      const struct value_limits *limits)
{
    struct sequence *s = body(v);

    sequence_insert(&s, place_of(v, index), element, list_chunk_limit(limits->list_max_chunk));
    set_body(v, s);
}

void edit_list_insert_all(struct value *v, int64_t index, struct sequence *moved)
{
    struct sequence *s = body(v);

    sequence_insert_all(&s, place_of(v, index), moved);
    set_body(v, s);
}

void edit_list_remove(struct value *v, int64_t index, size_t count, struct sequence **removed)
{
    struct sequence *s = body(v);
    size_t place = place_of(v, index);

    assert(index >= 0 || count <= place);
    sequence_remove(&s, index >= 0 ? place : place - count, count, removed);
    set_body(v, s);
}

void edit_list_replace(struct value *v, int64_t index, struct bytes element,
                       const struct value_limits *limits)
{
    struct sequence *s = body(v);
    size_t place = place_of(v, index);

    assert(index >= 0 || place > 0);
    sequence_replace(&s, index >= 0 ? place : place - 1, element,
                     list_chunk_limit(limits->list_max_chunk));
    set_body(v, s);
}

void value_fill_element(struct value *v, struct bytes element, const struct value_limits *limits)
{
    assert(v->type == VALUE_LIST);
    edit_list_insert(v, -1, element, limits);
}

/* The class. */

static const char *encoding_name(const struct value *v)
{
    (void)v;
    return "quicklist";
}

static void *copy(const struct value *v)
{
    return sequence_copy(body(v));
}

static size_t memory(const struct value *v, size_t samples)
{
    (void)samples;
    return sequence_memory(body(v));
}

static void check(const struct value *v)
{
    assert(v->encoding == SEQUENCE);
    sequence_check(body(v));
}

static struct digest digest(const struct value *v)
{
    struct digest sum = {{0}};
    struct list_walk walk;
    struct bytes element;
    uint64_t place = 0;

    value_list_walk(v, 0, false, &walk);
    while (value_list_next(&walk, &element)) {
        digest_add(&sum, digest_bytes(element), place++);
    }
    return sum;
}

static void encode(const struct value *v, struct buf *out)
{
    struct list_walk walk;
    struct bytes element;

    put_number(out, value_list_count(v));
    value_list_walk(v, 0, false, &walk);
    while (value_list_next(&walk, &element)) {
        put_bytes(out, element);
    }
}

static bool decode(struct bytes *in, struct value *v, const struct value_limits *limits)
{
    struct bytes element;
    uint64_t count;

    if (!take_number(in, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!take_bytes(in, &element)) {
            return false;
        }
        value_fill_element(v, element, limits);
    }
    return true;
}

const struct value_class list_class = {
    .name = "list",
    .first = SEQUENCE,
    .count = value_list_count,
    .encoding_name = encoding_name,
    .copy = copy,
    .memory = memory,
    .check = check,
    .digest = digest,
    .encode = encode,
    .decode = decode,
};
