/* Sets: of integers as long as all members are, then packed, then a table. */
#include "data/intset.h"
#include "store/body.h"

struct member {
    uint32_t len;
    char at[];
};

static struct bytes member_key(const void *item)
{
    const struct member *m = item;

    return (struct bytes){m->at, m->len};
}

static const struct table_type member_type = {.key = member_key};

static struct member *member_new(struct bytes b)
{
    struct member *m = mem_alloc(sizeof *m + b.len);

    m->len = (uint32_t)b.len;
    if (b.len > 0) {
        memcpy(m->at, b.at, b.len);
    }
    return m;
}

size_t value_set_count(const struct value *v)
{
    assert(v->type == VALUE_SET);
    switch ((enum encoding)v->encoding) {
    case INTSET:
        return intset_count(body(v));
    case PACKED:
        return packed_count(body(v));
    default:
        return table_count(body(v));
    }
}

bool value_set_has(const struct value *v, struct bytes member)
{
    int64_t number;

    assert(v->type == VALUE_SET);
    switch ((enum encoding)v->encoding) {
    case INTSET:
        return number_parse_int(member, &number) && intset_has(body(v), number);
    case PACKED:
        return packed_find(body(v), member, 1) != PACKED_NONE;
    default:
        return table_find(body(v), member) != NULL;
    }
}

bool value_set_next(const struct value *v, struct value_walk *walk, struct bytes *member)
{
    const void *item;

    assert(v->type == VALUE_SET);
    switch ((enum encoding)v->encoding) {
    case INTSET:
        if (walk->index >= intset_count(body(v))) {
            return false;
        }
        member->at = walk->text;
        member->len = number_format_int(walk->text, intset_at(body(v), walk->index++));
        return true;
    case PACKED:
        return packed_step(body(v), walk, member);
    default:
        item = table_next(body(v), &walk->table);
        if (item != NULL) {
            *member = member_key(item);
        }
        return item != NULL;
    }
}

struct bytes value_set_random(const struct value *v, struct random *r, char text[NUMBER_INT_MAX])
{
    size_t index;

    assert(value_set_count(v) > 0);
    if (v->encoding == TABLE) {
        return member_key(table_random(body(v), r));
    }
    index = random_below(r, value_set_count(v));
    if (v->encoding == PACKED) {
        return packed_get(body(v), packed_select(body(v), index));
    }
    return (struct bytes){text, number_format_int(text, intset_at(body(v), index))};
}

static bool small_set(const struct value *v, size_t count, const struct value_limits *limits)
{
    struct value_walk walk = {0};
    struct bytes member;

    if (count > limits->set_max_packed_entries) {
        return false;
    }
    while (value_set_next(v, &walk, &member)) {
        if (member.len > limits->set_max_packed_value) {
            return false;
        }
    }
    return true;
}

static void set_to_packed(struct value *v, struct body **outgrown)
{
    struct packed *packed = NULL;
    struct value_walk walk = {0};
    struct bytes member;

    while (value_set_next(v, &walk, &member)) {
        packed_insert(&packed, PACKED_NONE, &member, 1);
    }
    take_body(v, PACKED, packed, outgrown);
}

static void set_to_table(struct value *v, struct body **outgrown)
{
    struct table *table = table_new(&member_type);
    struct value_walk walk = {0};
    struct bytes member;

    while (value_set_next(v, &walk, &member)) {
        table_put(table, member_new(member));
    }
    take_body(v, TABLE, table, outgrown);
}

/* Gives a set a container that may take `member` too. At most one step up is
 * made, so there is at most one outgrown body. */
static void set_make_fit(struct value *v, struct bytes member, const struct value_limits *limits,
                         struct body **outgrown)
{
    size_t count = value_set_count(v) + 1;
    int64_t number;

    if (v->encoding == TABLE ||
        (v->encoding == INTSET && count <= limits->set_max_intset_entries &&
         number_parse_int(member, &number)) ||
        (v->encoding == PACKED && count <= limits->set_max_packed_entries &&
         member.len <= limits->set_max_packed_value)) {
        return;
    }
    if (v->encoding == INTSET && member.len <= limits->set_max_packed_value &&
        !number_parse_int(member, &number) && small_set(v, count, limits)) {
        set_to_packed(v, outgrown);
        return;
    }
    set_to_table(v, outgrown);
}

void edit_set_add(struct value *v, struct bytes member, uint32_t position,
                  const struct value_limits *limits, struct body **outgrown)
{
    void *at;
    int64_t number;
    bool is_number;

    assert(v->type == VALUE_SET);
    set_make_fit(v, member, limits, outgrown);
    at = body(v);
    switch ((enum encoding)v->encoding) {
    case INTSET:
        is_number = number_parse_int(member, &number);
        assert(is_number);
        intset_add((struct intset **)&at, number);
        set_body(v, at);
        break;
    case PACKED:
        packed_insert((struct packed **)&at, position, &member, 1);
        set_body(v, at);
        break;
    default:
        at = table_put(at, member_new(member));
        assert(at == NULL);
    }
}

uint32_t edit_set_remove(struct value *v, struct bytes member)
{
    void *at = body(v);
    uint32_t position = PACKED_NONE;
    int64_t number;
    bool is_number;

    assert(v->type == VALUE_SET);
    switch ((enum encoding)v->encoding) {
    case INTSET:
        is_number = number_parse_int(member, &number);
        assert(is_number);
        intset_remove((struct intset **)&at, number);
        set_body(v, at);
        break;
    case PACKED:
        position = packed_find(at, member, 1);
        assert(position != PACKED_NONE);
        packed_remove((struct packed **)&at, position, 1);
        set_body(v, at);
        /* The end of the array is everybody's: it may be where nothing is. */
        position = at != NULL && position < packed_size(at) ? position : PACKED_NONE;
        break;
    default:
        at = table_remove(at, member);
        assert(at != NULL);
        mem_free(at);
    }
    return position;
}

bool value_fill_member(struct value *v, struct bytes member, const struct value_limits *limits)
{
    if (value_set_has(v, member)) {
        return false;
    }
    edit_set_add(v, member, PACKED_NONE, limits, NULL);
    return true;
}

struct scan {
    value_visit *visit;
    void *context;
};

static void scan_member(void *item, void *context)
{
    struct scan *s = context;

    s->visit(member_key(item), (struct bytes){0}, s->context);
}

static uint64_t scan(const struct value *v, uint64_t cursor, int64_t now_ms, value_visit *visit,
                     void *context)
{
    struct scan visited = {visit, context};
    struct value_walk walk = {0};
    struct bytes member;

    (void)now_ms;
    if (v->encoding == TABLE) {
        return table_scan(body(v), cursor, scan_member, &visited);
    }
    while (value_set_next(v, &walk, &member)) {
        visit(member, (struct bytes){0}, context);
    }
    return 0;
}

/* The class. */

/* Packed sets are not known to Redis 7.0. */
static const char *encoding_name(const struct value *v)
{
    return v->encoding == INTSET ? "intset" : "hashtable";
}

static void *copy(const struct value *v)
{
    struct table *table;
    struct table_walk walk = {0};
    const void *item;

    switch ((enum encoding)v->encoding) {
    case INTSET:
        return intset_copy(body(v));
    case PACKED:
        return packed_copy(body(v));
    default:
        table = table_new(&member_type);
        while ((item = table_next(body(v), &walk)) != NULL) {
            table_put(table, member_new(member_key(item)));
        }
        return table;
    }
}

static size_t memory(const struct value *v, size_t samples)
{
    switch ((enum encoding)v->encoding) {
    case INTSET:
        return intset_memory(body(v));
    case PACKED:
        return packed_memory(body(v));
    default:
        return table_memory(body(v)) + items_memory(body(v), samples);
    }
}

static void check(const struct value *v)
{
    switch ((enum encoding)v->encoding) {
    case INTSET:
        intset_check(body(v));
        break;
    case PACKED:
        packed_check(body(v));
        break;
    default:
        assert(v->encoding == TABLE);
        table_check(body(v));
    }
}

static struct digest digest(const struct value *v)
{
    struct digest sum = {{0}};
    struct value_walk walk = {0};
    struct bytes member;

    while (value_set_next(v, &walk, &member)) {
        digest_add(&sum, digest_bytes(member), 0);
    }
    return sum;
}

static void encode(const struct value *v, struct buf *out)
{
    struct value_walk walk = {0};
    struct bytes member;

    put_number(out, value_set_count(v));
    while (value_set_next(v, &walk, &member)) {
        put_bytes(out, member);
    }
}

static bool decode(struct bytes *in, struct value *v, const struct value_limits *limits)
{
    struct bytes member;
    uint64_t count;

    if (!take_number(in, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!take_bytes(in, &member) || !value_fill_member(v, member, limits)) {
            return false;
        }
    }
    return true;
}

const struct value_class set_class = {
    .name = "set",
    .first = INTSET,
    .count = value_set_count,
    .encoding_name = encoding_name,
    .copy = copy,
    .memory = memory,
    .scan = scan,
    .check = check,
    .digest = digest,
    .encode = encode,
    .decode = decode,
};
