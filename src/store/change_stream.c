#include "store/change_stream.h"

#include "store/coding.h"
#include "store/edit.h"

#include <assert.h>

/* Operands. */

static struct change change_of_operands(enum change_kind kind, unsigned db, struct bytes key,
                                        const struct buf *operands)
{
    struct change c = change_on(kind, db, key);

    c.operands = buf_bytes(operands);
    return c;
}

struct change change_stream_meta(unsigned db, struct bytes key, const struct stream_meta *meta,
                                 struct buf *scratch)
{
    scratch->len = 0;
    put_meta(scratch, meta);
    return change_of_operands(CHANGE_STREAM_META, db, key, scratch);
}

struct change change_group_set(unsigned db, struct bytes key, struct bytes name,
                               struct stream_id last, int64_t read, struct buf *scratch)
{
    scratch->len = 0;
    put_bytes(scratch, name);
    put_id(scratch, last);
    put_signed(scratch, read);
    return change_of_operands(CHANGE_GROUP_SET, db, key, scratch);
}

struct change change_group_remove(unsigned db, struct bytes key, struct bytes name,
                                  struct buf *scratch)
{
    scratch->len = 0;
    put_bytes(scratch, name);
    return change_of_operands(CHANGE_GROUP_REMOVE, db, key, scratch);
}

struct change change_consumer_set(unsigned db, struct bytes key, struct bytes group,
                                  struct bytes name, int64_t seen_ms, struct buf *scratch)
{
    scratch->len = 0;
    put_bytes(scratch, group);
    put_bytes(scratch, name);
    put_signed(scratch, seen_ms);
    return change_of_operands(CHANGE_CONSUMER_SET, db, key, scratch);
}

struct change change_consumer_remove(unsigned db, struct bytes key, struct bytes group,
                                     struct bytes name, struct buf *scratch)
{
    scratch->len = 0;
    put_bytes(scratch, group);
    put_bytes(scratch, name);
    return change_of_operands(CHANGE_CONSUMER_REMOVE, db, key, scratch);
}

struct change change_pending_set(unsigned db, struct bytes key, const struct delivery *d,
                                 struct buf *scratch)
{
    scratch->len = 0;
    put_bytes(scratch, d->group);
    put_bytes(scratch, d->consumer);
    put_id(scratch, d->id);
    put_signed(scratch, d->delivered_ms);
    put_number(scratch, d->count);
    return change_of_operands(CHANGE_PENDING_SET, db, key, scratch);
}

struct change change_pending_remove(unsigned db, struct bytes key, struct bytes group,
                                    struct stream_id id, struct buf *scratch)
{
    scratch->len = 0;
    put_bytes(scratch, group);
    put_id(scratch, id);
    return change_of_operands(CHANGE_PENDING_REMOVE, db, key, scratch);
}

static bool operands_take(const struct change *c, struct stream_operands *o)
{
    struct bytes in = c->operands;
    bool whole =
        c->kind == CHANGE_STREAM_META ? take_meta(&in, &o->meta) : take_bytes(&in, &o->group);

    switch (c->kind) {
    case CHANGE_GROUP_SET:
        whole = whole && take_id(&in, &o->id) && take_signed(&in, &o->number);
        break;
    case CHANGE_CONSUMER_SET:
        whole = whole && take_bytes(&in, &o->consumer) && take_signed(&in, &o->number);
        break;
    case CHANGE_CONSUMER_REMOVE:
        whole = whole && take_bytes(&in, &o->consumer);
        break;
    case CHANGE_PENDING_SET:
        whole = whole && take_bytes(&in, &o->consumer) && take_id(&in, &o->id) &&
                take_signed(&in, &o->number) && take_number(&in, &o->count);
        break;
    case CHANGE_PENDING_REMOVE:
        whole = whole && take_id(&in, &o->id);
        break;
    default:
        break;
    }
    return whole && in.len == 0;
}

bool stream_operands_are_whole(const struct change *c)
{
    return operands_take(c, &(struct stream_operands){0});
}

struct stream_operands stream_operands_of(const struct change *c)
{
    struct stream_operands o = {0};
    bool whole = operands_take(c, &o);

    assert(whole);
    return o;
}

/* Making them. */

static struct value *find(struct dataset *data, const struct change *c)
{
    return edit_find(data->db[c->db], c->key, VALUE_STREAM);
}

/* An inverse that was described in a scratch buffer gets copies of its own. */
static void keep_operands(struct change *inverse, const struct change *c, struct arena *arena)
{
    inverse->key = arena_copy(arena, c->key);
    inverse->operands = arena_copy(arena, inverse->operands);
}

/* What it takes to undo what moved something out of a stream, or added to its end. */
struct stream_back {
    enum { BACK_ADDED, BACK_ENTRIES, BACK_GROUP, BACK_CONSUMER } what;
    union {
        struct stream_meta before; /* BACK_ADDED */
        struct removed *entries;
        struct stream_group *group;
        struct stream_consumer *consumer;
    };
    struct bytes consumers_group;
};

static struct stream_back *back_new(struct change *inverse, const struct change *c,
                                    struct arena *arena)
{
    struct stream_back *back = arena_alloc(arena, sizeof *back);

    *inverse = change_on(CHANGE_STREAM_BACK, c->db, arena_copy(arena, c->key));
    inverse->back = back;
    return back;
}

void make_stream_back(struct dataset *data, const struct change *c, struct change *inverse,
                      struct arena *arena)
{
    struct value *v = find(data, c);
    const struct stream_back *back = c->back;

    (void)arena;
    assert(inverse == NULL);
    switch (back->what) {
    case BACK_ADDED:
        edit_entry_pop(v, &back->before);
        break;
    case BACK_ENTRIES:
        edit_entries_return(v, back->entries);
        break;
    case BACK_GROUP:
        edit_group_return(v, back->group);
        break;
    case BACK_CONSUMER:
        edit_consumer_return(v, back->consumers_group, back->consumer);
        break;
    }
}

void drop_stream_back(struct change *c)
{
    switch (c->back->what) {
    case BACK_ADDED:
        break;
    case BACK_ENTRIES:
        edit_entries_free(c->back->entries);
        break;
    case BACK_GROUP:
        edit_group_free(c->back->group);
        break;
    case BACK_CONSUMER:
        edit_consumer_free(c->back->consumer);
        break;
    }
}

size_t stream_back_memory(const struct change *c)
{
    switch (c->back->what) {
    case BACK_ADDED:
        return 0;
    case BACK_ENTRIES:
        return edit_entries_memory(c->back->entries);
    case BACK_GROUP:
        return edit_group_memory(c->back->group);
    case BACK_CONSUMER:
        return edit_consumer_memory(c->back->consumer);
    }
    return 0;
}

bool change_modifies_key(const struct change *inverse)
{
    switch (inverse->kind) {
    case CHANGE_STREAM_META:
    case CHANGE_GROUP_SET:
    case CHANGE_GROUP_REMOVE:
    case CHANGE_CONSUMER_SET:
    case CHANGE_CONSUMER_REMOVE:
    case CHANGE_PENDING_SET:
    case CHANGE_PENDING_REMOVE:
        return false;
    case CHANGE_STREAM_BACK:
        return inverse->back->what == BACK_ADDED || inverse->back->what == BACK_ENTRIES;
    default:
        return true;
    }
}

void make_entry_add(struct dataset *data, const struct change *c, struct change *inverse,
                    struct arena *arena)
{
    struct value *v = find(data, c);
    struct stream_back *back;

    if (inverse != NULL) {
        back = back_new(inverse, c, arena);
        back->what = BACK_ADDED;
        back->before = stream_meta(v);
    }
    edit_entry_add(v, c->id, c->fields, edit_limits(data->db[c->db]));
}

void make_entry_remove(struct dataset *data, const struct change *c, struct change *inverse,
                       struct arena *arena)
{
    struct value *v = find(data, c);
    struct stream_back *back;

    if (inverse == NULL) {
        edit_entries_remove(v, &c->range, NULL);
        return;
    }
    back = back_new(inverse, c, arena);
    back->what = BACK_ENTRIES;
    back->entries = edit_entries_remove(v, &c->range, arena);
}

void make_stream_meta(struct dataset *data, const struct change *c, struct change *inverse,
                      struct arena *arena)
{
    struct value *v = find(data, c);
    struct stream_operands o = stream_operands_of(c);
    struct stream_meta old = stream_meta(v);
    BUF_LOCAL(scratch);

    if (inverse != NULL) {
        *inverse = change_stream_meta(c->db, c->key, &old, &scratch);
        keep_operands(inverse, c, arena);
    }
    edit_stream_meta(v, &o.meta);
}

void make_group_set(struct dataset *data, const struct change *c, struct change *inverse,
                    struct arena *arena)
{
    struct value *v = find(data, c);
    struct stream_operands o = stream_operands_of(c);
    const struct stream_group *old = stream_group(v, o.group);
    BUF_LOCAL(scratch);

    if (inverse != NULL) {
        *inverse = old != NULL
                       ? change_group_set(c->db, c->key, o.group, old->last, old->read, &scratch)
                       : change_group_remove(c->db, c->key, o.group, &scratch);
        keep_operands(inverse, c, arena);
    }
    edit_group_set(v, o.group, o.id, o.number);
}

void make_group_remove(struct dataset *data, const struct change *c, struct change *inverse,
                       struct arena *arena)
{
    struct stream_group *g = edit_group_take(find(data, c), stream_operands_of(c).group);
    struct stream_back *back;

    if (inverse == NULL) {
        edit_group_free(g);
        return;
    }
    back = back_new(inverse, c, arena);
    back->what = BACK_GROUP;
    back->group = g;
}

static const struct stream_group *group_of(const struct value *v, struct bytes name)
{
    const struct stream_group *g = stream_group(v, name);

    assert(g != NULL);
    return g;
}

void make_consumer_set(struct dataset *data, const struct change *c, struct change *inverse,
                       struct arena *arena)
{
    struct value *v = find(data, c);
    struct stream_operands o = stream_operands_of(c);
    const struct stream_consumer *old = group_consumer(group_of(v, o.group), o.consumer);
    BUF_LOCAL(scratch);

    if (inverse != NULL) {
        *inverse =
            old != NULL
                ? change_consumer_set(c->db, c->key, o.group, o.consumer, old->seen_ms, &scratch)
                : change_consumer_remove(c->db, c->key, o.group, o.consumer, &scratch);
        keep_operands(inverse, c, arena);
    }
    edit_consumer_set(v, o.group, o.consumer, o.number);
}

void make_consumer_remove(struct dataset *data, const struct change *c, struct change *inverse,
                          struct arena *arena)
{
    struct stream_operands o = stream_operands_of(c);
    struct stream_consumer *consumer = edit_consumer_take(find(data, c), o.group, o.consumer);
    struct stream_back *back;

    if (inverse == NULL) {
        edit_consumer_free(consumer);
        return;
    }
    back = back_new(inverse, c, arena);
    back->what = BACK_CONSUMER;
    back->consumer = consumer;
    back->consumers_group = arena_copy(arena, o.group);
}

/* Describes the change that makes a pending entry what it is now. */
static struct change pending_again(const struct change *c, struct bytes group,
                                   const struct stream_pending *p, struct buf *scratch)
{
    struct delivery d = {group, p->consumer->name, p->id, p->delivered_ms, p->count};

    return change_pending_set(c->db, c->key, &d, scratch);
}

void make_pending_set(struct dataset *data, const struct change *c, struct change *inverse,
                      struct arena *arena)
{
    struct value *v = find(data, c);
    struct stream_operands o = stream_operands_of(c);
    const struct stream_pending *old = group_pending(group_of(v, o.group), o.id);
    BUF_LOCAL(scratch);

    if (inverse != NULL) {
        *inverse = old != NULL ? pending_again(c, o.group, old, &scratch)
                               : change_pending_remove(c->db, c->key, o.group, o.id, &scratch);
        keep_operands(inverse, c, arena);
    }
    edit_pending_set(v, &(struct delivery){o.group, o.consumer, o.id, o.number, o.count});
}

void make_pending_remove(struct dataset *data, const struct change *c, struct change *inverse,
                         struct arena *arena)
{
    struct value *v = find(data, c);
    struct stream_operands o = stream_operands_of(c);
    const struct stream_pending *old = group_pending(group_of(v, o.group), o.id);
    BUF_LOCAL(scratch);

    assert(old != NULL);
    if (inverse != NULL) {
        *inverse = pending_again(c, o.group, old, &scratch);
        keep_operands(inverse, c, arena);
    }
    edit_pending_remove(v, o.group, o.id);
}
