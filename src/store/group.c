/* Groups of consumers, with the entries that were delivered to them. An entry that is
 * pending is in two trees: its group's, which owns it, and its consumer's. */
#include "store/stream_body.h"

#include <endian.h>

/* Trees by name. The order is the beginning of the name. */

static int compare_names(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static const struct tree_type by_name = {.compare = compare_names};

static uint64_t order_of(struct bytes name)
{
    uint64_t order = 0;

    if (name.len > 0) {
        memcpy(&order, name.at, name.len < sizeof order ? name.len : sizeof order);
    }
    return be64toh(order);
}

void by_name_add(struct tree **t, void *item)
{
    if (*t == NULL) {
        *t = tree_new(&by_name);
    }
    tree_add(*t, order_of(*(const struct bytes *)item), item);
}

void *by_name_find(const struct tree *t, struct bytes name)
{
    struct tree_at at;
    void *item;

    if (t == NULL) {
        return NULL;
    }
    at = tree_seek(t, order_of(name), &name);
    if (tree_at_end(at)) {
        return NULL;
    }
    item = tree_item(at);
    return bytes_equal(*(const struct bytes *)item, name) ? item : NULL;
}

void *by_name_take(struct tree *t, struct bytes name)
{
    return tree_remove(t, order_of(name), &name);
}

size_t tree_size(const struct tree *t)
{
    return t == NULL ? 0 : tree_count(t);
}

void *tree_step(struct tree_at *at)
{
    void *item;

    if (tree_at_end(*at)) {
        return NULL;
    }
    item = tree_item(*at);
    *at = tree_next(*at);
    return item;
}

static struct tree_at tree_begin(const struct tree *t)
{
    return t == NULL ? (struct tree_at){0} : tree_first(t);
}

/* Reading. */

size_t stream_groups(const struct value *v)
{
    return tree_size(stream_of(v)->groups);
}

const struct stream_group *stream_group(const struct value *v, struct bytes name)
{
    return by_name_find(stream_of(v)->groups, name);
}

size_t group_consumers(const struct stream_group *g)
{
    return tree_size(g->consumers);
}

size_t group_pending_count(const struct stream_group *g)
{
    return tree_size(g->pending);
}

const struct stream_consumer *group_consumer(const struct stream_group *g, struct bytes name)
{
    return by_name_find(g->consumers, name);
}

const struct stream_pending *group_pending(const struct stream_group *g, struct stream_id id)
{
    return by_id_find(g->pending, id);
}

size_t consumer_pending_count(const struct stream_consumer *c)
{
    return tree_size(c->pending);
}

bool group_pending_edges(const struct stream_group *g, struct stream_id *first,
                         struct stream_id *last)
{
    if (group_pending_count(g) == 0) {
        return false;
    }
    *first = ((const struct stream_pending *)tree_item(tree_first(g->pending)))->id;
    *last = ((const struct stream_pending *)tree_item(tree_last(g->pending)))->id;
    return true;
}

struct tree_at stream_each_group(const struct value *v)
{
    return tree_begin(stream_of(v)->groups);
}

struct tree_at group_each_consumer(const struct stream_group *g)
{
    return tree_begin(g->consumers);
}

struct tree_at group_each_pending(const struct stream_group *g, struct stream_id from)
{
    return by_id_from(g->pending, from);
}

struct tree_at consumer_each_pending(const struct stream_consumer *c, struct stream_id from)
{
    return by_id_from(c->pending, from);
}

const struct stream_group *group_next(struct tree_at *at)
{
    return tree_step(at);
}

const struct stream_consumer *consumer_next(struct tree_at *at)
{
    return tree_step(at);
}

const struct stream_pending *pending_next(struct tree_at *at)
{
    return tree_step(at);
}

/* Making and freeing. */

static struct stream_group *group_new(struct bytes name)
{
    struct stream_group *g = mem_alloc(sizeof *g + name.len);

    *g = (struct stream_group){.name = {g->text, name.len}, .read = STREAM_READ_UNKNOWN};
    if (name.len > 0) {
        memcpy(g->text, name.at, name.len);
    }
    return g;
}

static struct stream_consumer *consumer_new(struct bytes name)
{
    struct stream_consumer *c = mem_alloc(sizeof *c + name.len);

    *c = (struct stream_consumer){.name = {c->text, name.len}};
    if (name.len > 0) {
        memcpy(c->text, name.at, name.len);
    }
    return c;
}

static void consumer_free(void *item)
{
    struct stream_consumer *c = item;

    tree_free(c->pending, NULL);
    mem_free(c);
}

static void group_free(void *item)
{
    struct stream_group *g = item;

    tree_free(g->consumers, consumer_free);
    tree_free(g->pending, mem_free);
    mem_free(g);
}

void groups_free(struct tree *groups)
{
    tree_free(groups, group_free);
}

/* Files an entry with its group and its consumer. */
static void pending_add(struct stream_group *g, struct stream_pending *p)
{
    by_id_add(&g->pending, p);
    by_id_add(&p->consumer->pending, p);
}

static struct stream_group *group_copy(const struct stream_group *g)
{
    struct stream_group *copy = group_new(g->name);
    struct tree_at at = group_each_consumer(g);
    const struct stream_consumer *consumer;
    const struct stream_pending *pending;

    copy->last = g->last;
    copy->read = g->read;
    while ((consumer = consumer_next(&at)) != NULL) {
        struct stream_consumer *c = consumer_new(consumer->name);
        struct tree_at own = consumer_each_pending(consumer, STREAM_ID_MIN);

        c->seen_ms = consumer->seen_ms;
        by_name_add(&copy->consumers, c);
        while ((pending = pending_next(&own)) != NULL) {
            struct stream_pending *p = mem_alloc(sizeof *p);
            *p = *pending;
            p->consumer = c;
            pending_add(copy, p);
        }
    }
    return copy;
}

struct tree *groups_copy(const struct tree *groups)
{
    struct tree *copy = NULL;
    struct tree_at at = tree_begin(groups);
    const struct stream_group *g;

    while ((g = group_next(&at)) != NULL) {
        by_name_add(&copy, group_copy(g));
    }
    return copy;
}

/* Editing. */

static struct stream_group *group_of(struct value *v, struct bytes name)
{
    struct stream_group *g = by_name_find(stream_open(v)->groups, name);

    assert(g != NULL);
    return g;
}

static struct stream_consumer *consumer_of(struct stream_group *g, struct bytes name)
{
    struct stream_consumer *c = by_name_find(g->consumers, name);

    assert(c != NULL);
    return c;
}

void edit_group_set(struct value *v, struct bytes name, struct stream_id last, int64_t read)
{
    struct stream *s = stream_open(v);
    struct stream_group *g = by_name_find(s->groups, name);

    if (g == NULL) {
        g = group_new(name);
        by_name_add(&s->groups, g);
    }
    g->last = last;
    g->read = read;
}

struct stream_group *edit_group_take(struct value *v, struct bytes name)
{
    return by_name_take(stream_open(v)->groups, name);
}

void edit_group_return(struct value *v, struct stream_group *g)
{
    by_name_add(&stream_open(v)->groups, g);
}

void edit_group_free(struct stream_group *g)
{
    group_free(g);
}

void edit_consumer_set(struct value *v, struct bytes group, struct bytes name, int64_t seen_ms)
{
    struct stream_group *g = group_of(v, group);
    struct stream_consumer *c = by_name_find(g->consumers, name);

    if (c == NULL) {
        c = consumer_new(name);
        by_name_add(&g->consumers, c);
    }
    c->seen_ms = seen_ms;
}

struct stream_consumer *edit_consumer_take(struct value *v, struct bytes group, struct bytes name)
{
    struct stream_group *g = group_of(v, group);
    struct stream_consumer *c = by_name_take(g->consumers, name);
    struct tree_at at = consumer_each_pending(c, STREAM_ID_MIN);
    const struct stream_pending *p;

    while ((p = pending_next(&at)) != NULL) {
        by_id_take(g->pending, p->id);
    }
    return c;
}

void edit_consumer_return(struct value *v, struct bytes group, struct stream_consumer *c)
{
    struct stream_group *g = group_of(v, group);
    struct tree_at at = consumer_each_pending(c, STREAM_ID_MIN);
    void *p;

    by_name_add(&g->consumers, c);
    while ((p = tree_step(&at)) != NULL) {
        by_id_add(&g->pending, p);
    }
}

void edit_consumer_free(struct stream_consumer *c)
{
    tree_free(c->pending, mem_free);
    mem_free(c);
}

void edit_pending_set(struct value *v, const struct delivery *d)
{
    struct stream_group *g = group_of(v, d->group);
    struct stream_consumer *c = consumer_of(g, d->consumer);
    struct stream_pending *p = by_id_find(g->pending, d->id);

    if (p == NULL) {
        p = mem_alloc(sizeof *p);
        *p = (struct stream_pending){.id = d->id, .consumer = c};
        pending_add(g, p);
    } else if (p->consumer != c) {
        by_id_take(p->consumer->pending, p->id);
        by_id_add(&c->pending, p);
        p->consumer = c;
    }
    p->delivered_ms = d->delivered_ms;
    p->count = d->count;
}

void edit_pending_remove(struct value *v, struct bytes group, struct stream_id id)
{
    struct stream_group *g = group_of(v, group);
    struct stream_pending *p = by_id_take(g->pending, id);

    by_id_take(p->consumer->pending, id);
    mem_free(p);
}

/* Filling. */

bool value_fill_group(struct value *v, struct bytes name, struct stream_id last, int64_t read)
{
    if (stream_group(v, name) != NULL) {
        return false;
    }
    edit_group_set(v, name, last, read);
    return true;
}

bool value_fill_consumer(struct value *v, struct bytes group, struct bytes name, int64_t seen_ms)
{
    const struct stream_group *g = stream_group(v, group);

    if (g == NULL || group_consumer(g, name) != NULL) {
        return false;
    }
    edit_consumer_set(v, group, name, seen_ms);
    return true;
}

bool value_fill_pending(struct value *v, const struct delivery *d)
{
    const struct stream_group *g = stream_group(v, d->group);

    if (g == NULL || group_consumer(g, d->consumer) == NULL || group_pending(g, d->id) != NULL) {
        return false;
    }
    edit_pending_set(v, d);
    return true;
}

/* For the class. */

static size_t tree_memory_of(const struct tree *t)
{
    return t == NULL ? 0 : tree_memory(t);
}

size_t edit_group_memory(const struct stream_group *g)
{
    struct tree_at at = group_each_consumer(g);
    size_t sum = mem_size(g) + tree_memory_of(g->consumers) + tree_memory_of(g->pending) +
                 group_pending_count(g) * sizeof(struct stream_pending);
    const struct stream_consumer *c;

    while ((c = consumer_next(&at)) != NULL) {
        sum += mem_size(c) + tree_memory_of(c->pending);
    }
    return sum;
}

size_t edit_consumer_memory(const struct stream_consumer *c)
{
    return mem_size(c) + tree_memory_of(c->pending) +
           tree_size(c->pending) * sizeof(struct stream_pending);
}

size_t groups_memory(const struct tree *groups)
{
    struct tree_at at = tree_begin(groups);
    size_t sum = tree_memory_of(groups);
    const struct stream_group *g;

    while ((g = group_next(&at)) != NULL) {
        sum += edit_group_memory(g);
    }
    return sum;
}

static void check_consumer(const struct stream_group *g, const struct stream_consumer *c)
{
    struct tree_at at = consumer_each_pending(c, STREAM_ID_MIN);
    const struct stream_pending *p;

    if (c->pending != NULL) {
        tree_check(c->pending);
    }
    while ((p = pending_next(&at)) != NULL) {
        assert(p->consumer == c);
        assert(group_pending(g, p->id) == p);
    }
}

static void check_group(const struct stream_group *g)
{
    struct tree_at at = group_each_consumer(g);
    const struct stream_consumer *c;
    size_t pending = 0;

    if (g->consumers != NULL) {
        tree_check(g->consumers);
    }
    if (g->pending != NULL) {
        tree_check(g->pending);
    }
    while ((c = consumer_next(&at)) != NULL) {
        check_consumer(g, c);
        pending += consumer_pending_count(c);
    }
    assert(pending == group_pending_count(g));
}

void groups_check(const struct tree *groups)
{
    struct tree_at at = tree_begin(groups);
    const struct stream_group *g;

    if (groups != NULL) {
        tree_check(groups);
    }
    while ((g = group_next(&at)) != NULL) {
        check_group(g);
    }
}

static struct digest mix_number(struct digest d, uint64_t n)
{
    return digest_mix(d, digest_number(n));
}

static struct digest consumer_digest(const struct stream_consumer *c)
{
    struct digest sum = mix_number(digest_bytes(c->name), (uint64_t)c->seen_ms);
    struct tree_at at = consumer_each_pending(c, STREAM_ID_MIN);
    const struct stream_pending *p;

    while ((p = pending_next(&at)) != NULL) {
        sum = mix_number(mix_number(digest_id(sum, p->id), (uint64_t)p->delivered_ms), p->count);
    }
    return sum;
}

static struct digest group_digest(const struct stream_group *g)
{
    struct digest sum = mix_number(digest_id(digest_bytes(g->name), g->last), (uint64_t)g->read);
    struct tree_at at = group_each_consumer(g);
    const struct stream_consumer *c;

    while ((c = consumer_next(&at)) != NULL) {
        sum = digest_mix(sum, consumer_digest(c));
    }
    return sum;
}

struct digest groups_digest(const struct tree *groups)
{
    struct digest sum = {{0}};
    struct tree_at at = tree_begin(groups);
    const struct stream_group *g;

    while ((g = group_next(&at)) != NULL) {
        digest_add(&sum, group_digest(g), 0);
    }
    return sum;
}

/* The form that the log keeps: each group with its consumers, each consumer with what
 * is pending for it. */

static void encode_consumer(const struct stream_consumer *c, struct buf *out)
{
    struct tree_at at = consumer_each_pending(c, STREAM_ID_MIN);
    const struct stream_pending *p;

    put_bytes(out, c->name);
    put_signed(out, c->seen_ms);
    put_number(out, consumer_pending_count(c));
    while ((p = pending_next(&at)) != NULL) {
        put_id(out, p->id);
        put_signed(out, p->delivered_ms);
        put_number(out, p->count);
    }
}

static void encode_group(const struct stream_group *g, struct buf *out)
{
    struct tree_at at = group_each_consumer(g);
    const struct stream_consumer *c;

    put_bytes(out, g->name);
    put_id(out, g->last);
    put_signed(out, g->read);
    put_number(out, group_consumers(g));
    while ((c = consumer_next(&at)) != NULL) {
        encode_consumer(c, out);
    }
}

void groups_encode(const struct tree *groups, struct buf *out)
{
    struct tree_at at = tree_begin(groups);
    const struct stream_group *g;

    put_number(out, tree_size(groups));
    while ((g = group_next(&at)) != NULL) {
        encode_group(g, out);
    }
}

static bool decode_pending(struct bytes *in, struct value *v, struct bytes group,
                           struct bytes consumer)
{
    struct delivery d = {.group = group, .consumer = consumer};

    return take_id(in, &d.id) && take_signed(in, &d.delivered_ms) && take_number(in, &d.count) &&
           value_fill_pending(v, &d);
}

static bool decode_consumer(struct bytes *in, struct value *v, struct bytes group)
{
    struct bytes name;
    int64_t seen_ms;
    uint64_t pending;

    if (!take_bytes(in, &name) || !take_signed(in, &seen_ms) || !take_number(in, &pending) ||
        !value_fill_consumer(v, group, name, seen_ms)) {
        return false;
    }
    for (; pending > 0; pending--) {
        if (!decode_pending(in, v, group, name)) {
            return false;
        }
    }
    return true;
}

static bool decode_group(struct bytes *in, struct value *v)
{
    struct bytes name;
    struct stream_id last;
    int64_t read;
    uint64_t consumers;

    if (!take_bytes(in, &name) || !take_id(in, &last) || !take_signed(in, &read) ||
        !take_number(in, &consumers) || !value_fill_group(v, name, last, read)) {
        return false;
    }
    for (; consumers > 0; consumers--) {
        if (!decode_consumer(in, v, name)) {
            return false;
        }
    }
    return true;
}

bool groups_decode(struct bytes *in, struct value *v)
{
    uint64_t groups;

    if (!take_number(in, &groups)) {
        return false;
    }
    for (; groups > 0; groups--) {
        if (!decode_group(in, v)) {
            return false;
        }
    }
    return true;
}
