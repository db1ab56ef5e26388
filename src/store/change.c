#include "store/change.h"

#include "base/mem.h"
#include "data/packed.h"
#include "data/sequence.h"
#include "store/change_stream.h"
#include "store/edit.h"
#include "store/list.h"
#include "store/zset.h"

#include <assert.h>

/* Each function below makes one kind of change. With an inverse to give, it first
 * copies what the inverse needs of what is about to go. */

static void bind(struct dataset *data, const struct change *c, struct change *inverse,
                 struct arena *arena)
{
    struct value *old = edit_bind(data->db[c->db], c->value);

    if (inverse == NULL) {
        value_free(old);
    } else if (old != NULL) {
        *inverse = change_bind(c->db, old);
    } else {
        *inverse = change_unbind(c->db, arena_copy(arena, value_key(c->value)));
    }
}

static void unbind(struct dataset *data, const struct change *c, struct change *inverse,
                   struct arena *arena)
{
    struct value *old = edit_unbind(data->db[c->db], c->key);

    (void)arena;
    if (inverse == NULL) {
        value_free(old);
    } else {
        *inverse = change_bind(c->db, old);
    }
}

static void retime(struct dataset *data, const struct change *c, struct change *inverse,
                   struct arena *arena)
{
    const struct value *v = keyspace_find_any(data->db[c->db], c->key);

    assert(v != NULL);
    if (inverse != NULL) {
        *inverse = change_retime(c->db, arena_copy(arena, c->key), value_expires_ms(v));
    }
    edit_retime(data->db[c->db], c->key, c->expires_ms);
}

static void splice(struct dataset *data, const struct change *c, struct change *inverse,
                   struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_STRING);
    struct bytes old = value_string(v);

    assert(c->offset + c->removed <= old.len);
    if (inverse != NULL) {
        inverse->kind = CHANGE_SPLICE;
        inverse->raw = value_raw(v);
        inverse->db = c->db;
        inverse->key = arena_copy(arena, c->key);
        inverse->inserted = arena_copy(arena, (struct bytes){old.at + c->offset, c->removed});
        inverse->offset = c->offset;
        inverse->removed = c->inserted.len;
    }
    edit_splice(data->db[c->db], v, c->offset, c->removed, c->inserted, c->raw);
}

/* What a collection outgrew is put back whole; that undoes the addition as well. */
static struct change put_back(const struct change *c, struct arena *arena, struct body *body)
{
    return (struct change){
        .kind = CHANGE_BODY, .db = c->db, .key = arena_copy(arena, c->key), .body = body};
}

/* What is restored has been in this container before, whatever the limits are now. */
static const struct value_limits *limits_for(const struct dataset *data, const struct change *c)
{
    return c->undoes ? &value_limits_none : edit_limits(data->db[c->db]);
}

static void field_set(struct dataset *data, const struct change *c, struct change *inverse,
                      struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_HASH);
    const struct value_limits *limits = limits_for(data, c);
    struct body *outgrown = NULL;
    struct bytes old;

    if (inverse == NULL) {
        edit_hash_set(v, c->member, c->content, c->position, limits, NULL);
        return;
    }
    *inverse =
        value_hash_get(v, c->member, 0, &old)
            ? change_field_set(c->db, (struct bytes){0}, (struct bytes){0}, arena_copy(arena, old))
            : change_field_remove(c->db, (struct bytes){0}, (struct bytes){0});
    inverse->key = arena_copy(arena, c->key);
    inverse->member = arena_copy(arena, c->member);
    edit_hash_set(v, c->member, c->content, c->position, limits, &outgrown);
    if (outgrown != NULL) {
        *inverse = put_back(c, arena, outgrown);
    }
}

/* Returns when the first field of a hash expires, or EXPIRES_NEVER. */
static int64_t first_expiry_ms(const struct value *v)
{
    int64_t expires_ms = EXPIRES_NEVER;
    struct bytes field;

    value_hash_first_to_expire(v, &field, &expires_ms);
    return expires_ms;
}

/* A field that has an expiry beside its content is kept whole. */
static void remove_keeping(struct value *v, const struct change *c, struct change *inverse,
                           struct arena *arena)
{
    struct field *taken = edit_hash_take(v, c->member);
    struct bytes old = {0};
    bool found;

    if (taken != NULL) {
        *inverse = (struct change){.kind = CHANGE_FIELD_RESTORE,
                                   .db = c->db,
                                   .key = arena_copy(arena, c->key),
                                   .field = taken};
        return;
    }
    found = value_hash_get(v, c->member, 0, &old);
    assert(found);
    *inverse = change_field_set(c->db, arena_copy(arena, c->key), arena_copy(arena, c->member),
                                arena_copy(arena, old));
    inverse->position = edit_hash_remove(v, inverse->member);
}

static void field_remove(struct dataset *data, const struct change *c, struct change *inverse,
                         struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_HASH);
    int64_t before_ms = first_expiry_ms(v);

    if (inverse == NULL) {
        edit_hash_remove(v, c->member);
    } else {
        remove_keeping(v, c, inverse, arena);
    }
    edit_reindex_fields(data->db[c->db], v, before_ms);
}

static void field_retime(struct dataset *data, const struct change *c, struct change *inverse,
                         struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_HASH);
    int64_t before_ms = first_expiry_ms(v);
    struct body *old = NULL;

    if (inverse != NULL) {
        *inverse =
            change_field_retime(c->db, arena_copy(arena, c->key), arena_copy(arena, c->timed),
                                value_hash_expires_ms(v, c->timed));
    }
    edit_hash_retime(v, c->timed, c->timed_expires_ms, inverse != NULL ? &old : NULL);
    if (old != NULL) {
        *inverse = put_back(c, arena, old);
    }
    edit_reindex_fields(data->db[c->db], v, before_ms);
}

static void field_restore(struct dataset *data, const struct change *c, struct change *inverse,
                          struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_HASH);
    int64_t before_ms = first_expiry_ms(v);

    (void)arena;
    assert(inverse == NULL);
    edit_hash_put(v, c->field);
    edit_reindex_fields(data->db[c->db], v, before_ms);
}

static void set_add(struct dataset *data, const struct change *c, struct change *inverse,
                    struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_SET);
    const struct value_limits *limits = limits_for(data, c);
    struct body *outgrown = NULL;

    if (inverse == NULL) {
        edit_set_add(v, c->member, c->position, limits, NULL);
        return;
    }
    edit_set_add(v, c->member, c->position, limits, &outgrown);
    *inverse = outgrown != NULL ? put_back(c, arena, outgrown)
                                : change_set_remove(c->db, arena_copy(arena, c->key),
                                                    arena_copy(arena, c->member));
}

static void set_remove(struct dataset *data, const struct change *c, struct change *inverse,
                       struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_SET);

    if (inverse == NULL) {
        edit_set_remove(v, c->member);
        return;
    }
    *inverse = change_set_add(c->db, arena_copy(arena, c->key), arena_copy(arena, c->member));
    inverse->position = edit_set_remove(v, inverse->member);
}

static void list_insert(struct dataset *data, const struct change *c, struct change *inverse,
                        struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_LIST);

    if (inverse != NULL) {
        size_t count = c->moved != NULL ? sequence_count(c->moved) : 1;
        *inverse = change_list_remove(c->db, arena_copy(arena, c->key), c->index, count);
    }
    if (c->moved != NULL) {
        edit_list_insert_all(v, c->index, c->moved);
    } else {
        edit_list_insert(v, c->index, c->element, edit_limits(data->db[c->db]));
    }
}

/* Views a copy of the element at `index`, which may count from the end. */
static struct bytes copy_at(const struct value *v, int64_t index, struct arena *arena)
{
    char text[NUMBER_INT_MAX];
    size_t count = value_list_count(v);
    struct bytes element;
    bool found =
        value_list_at(v, index >= 0 ? (size_t)index : count + (size_t)index, text, &element);

    assert(found);
    return arena_copy(arena, element);
}

static void list_remove(struct dataset *data, const struct change *c, struct change *inverse,
                        struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_LIST);

    if (inverse == NULL) {
        edit_list_remove(v, c->index, c->removed_count, NULL);
        return;
    }
    *inverse = change_list_insert(c->db, arena_copy(arena, c->key), c->index, (struct bytes){0});
    if (c->removed_count == 1) {
        inverse->element = copy_at(v, c->index, arena);
        edit_list_remove(v, c->index, 1, NULL);
    } else {
        edit_list_remove(v, c->index, c->removed_count, &inverse->moved);
    }
}

static void list_replace(struct dataset *data, const struct change *c, struct change *inverse,
                         struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_LIST);

    if (inverse != NULL) {
        *inverse = change_list_replace(c->db, arena_copy(arena, c->key), c->index,
                                       copy_at(v, c->index, arena));
    }
    edit_list_replace(v, c->index, c->element, edit_limits(data->db[c->db]));
}

static void score_set(struct dataset *data, const struct change *c, struct change *inverse,
                      struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_ZSET);
    const struct value_limits *limits = limits_for(data, c);
    struct body *outgrown = NULL;
    double old;

    if (inverse == NULL) {
        edit_zset_set(v, c->scored, c->score, limits, NULL);
        return;
    }
    *inverse = value_zset_score(v, c->scored, &old)
                   ? change_score_set(c->db, (struct bytes){0}, (struct bytes){0}, old)
                   : change_score_remove(c->db, (struct bytes){0}, (struct bytes){0});
    inverse->key = arena_copy(arena, c->key);
    inverse->scored = arena_copy(arena, c->scored);
    edit_zset_set(v, c->scored, c->score, limits, &outgrown);
    if (outgrown != NULL) {
        *inverse = put_back(c, arena, outgrown);
    }
}

static void score_remove(struct dataset *data, const struct change *c, struct change *inverse,
                         struct arena *arena)
{
    struct value *v = edit_find(data->db[c->db], c->key, VALUE_ZSET);
    double old = 0;
    bool found;

    if (inverse != NULL) {
        found = value_zset_score(v, c->scored, &old);
        assert(found);
        *inverse =
            change_score_set(c->db, arena_copy(arena, c->key), arena_copy(arena, c->scored), old);
    }
    edit_zset_remove(v, c->scored);
}

static void rekey(struct dataset *data, const struct change *c, struct change *inverse,
                  struct arena *arena)
{
    if (inverse != NULL) {
        *inverse =
            change_rekey(c->to_db, arena_copy(arena, c->to_key), c->db, arena_copy(arena, c->key));
    }
    edit_rekey(data->db[c->db], c->key, data->db[c->to_db], c->to_key);
}

static void swap(struct dataset *data, const struct change *c, struct change *inverse,
                 struct arena *arena)
{
    struct keyspace *keys = data->db[c->db];

    (void)arena;
    data->db[c->db] = data->db[c->other];
    data->db[c->other] = keys;
    if (inverse != NULL) {
        *inverse = *c;
    }
}

static void flush(struct dataset *data, const struct change *c, struct change *inverse,
                  struct arena *arena)
{
    struct keyspace *old = data->db[c->db];

    (void)arena;
    data->db[c->db] = c->keyspace != NULL ? c->keyspace : keyspace_new(&data->limits);
    if (inverse == NULL) {
        keyspace_free(old);
    } else {
        *inverse = change_flush(c->db);
        inverse->keyspace = old;
    }
}

static void restore_body(struct dataset *data, const struct change *c, struct change *inverse,
                         struct arena *arena)
{
    const struct value *bound = keyspace_find_any(data->db[c->db], c->key);
    struct value *v;
    int64_t before_ms;

    (void)arena;
    assert(inverse == NULL);
    assert(bound != NULL);
    v = edit_find(data->db[c->db], c->key, value_type(bound));
    before_ms = first_expiry_ms(v);
    edit_restore_body(v, c->body);
    edit_reindex_fields(data->db[c->db], v, before_ms);
}

static void text_put(struct dataset *data, const struct change *c, struct change *inverse,
                     struct arena *arena)
{
    struct text *old = edit_text_put(data->texts[c->db], c->text);

    if (inverse == NULL) {
        text_free(old);
    } else if (old != NULL) {
        *inverse = change_text_put((enum text_kind)c->db, old);
    } else {
        *inverse = change_text_remove((enum text_kind)c->db, arena_copy(arena, text_name(c->text)));
    }
}

static void text_remove(struct dataset *data, const struct change *c, struct change *inverse,
                        struct arena *arena)
{
    struct text *old = edit_text_take(data->texts[c->db], c->key);

    (void)arena;
    if (inverse == NULL) {
        text_free(old);
    } else {
        *inverse = change_text_put((enum text_kind)c->db, old);
    }
}

/* clang-format off */
static void (*const make[])(struct dataset *, const struct change *, struct change *,
                            struct arena *) = {
    [CHANGE_BIND] = bind,
    [CHANGE_UNBIND] = unbind,
    [CHANGE_RETIME] = retime,
    [CHANGE_SPLICE] = splice,
    [CHANGE_FIELD_SET] = field_set,
    [CHANGE_FIELD_REMOVE] = field_remove,
    [CHANGE_SET_ADD] = set_add,
    [CHANGE_SET_REMOVE] = set_remove,
    [CHANGE_SWAP] = swap,
    [CHANGE_FLUSH] = flush,
    [CHANGE_BODY] = restore_body,
    [CHANGE_LIST_INSERT] = list_insert,
    [CHANGE_LIST_REMOVE] = list_remove,
    [CHANGE_LIST_REPLACE] = list_replace,
    [CHANGE_SCORE_SET] = score_set,
    [CHANGE_SCORE_REMOVE] = score_remove,
    [CHANGE_ENTRY_ADD] = make_entry_add,
    [CHANGE_ENTRY_REMOVE] = make_entry_remove,
    [CHANGE_STREAM_META] = make_stream_meta,
    [CHANGE_GROUP_SET] = make_group_set,
    [CHANGE_GROUP_REMOVE] = make_group_remove,
    [CHANGE_CONSUMER_SET] = make_consumer_set,
    [CHANGE_CONSUMER_REMOVE] = make_consumer_remove,
    [CHANGE_PENDING_SET] = make_pending_set,
    [CHANGE_PENDING_REMOVE] = make_pending_remove,
    [CHANGE_REKEY] = rekey,
    [CHANGE_STREAM_BACK] = make_stream_back,
    [CHANGE_FIELD_RETIME] = field_retime,
    [CHANGE_FIELD_RESTORE] = field_restore,
    [CHANGE_TEXT_PUT] = text_put,
    [CHANGE_TEXT_REMOVE] = text_remove,
};
/* clang-format on */

_Static_assert(sizeof make / sizeof *make == CHANGE_KIND_END, "every kind has its function");

void change_make(struct dataset *data, const struct change *c, struct change *inverse,
                 struct arena *arena)
{
    assert(c->kind < CHANGE_KIND_END && make[c->kind] != NULL);
    assert(c->db < (change_is_of_keys(c) ? data->count : TEXT_KIND_END));
    make[c->kind](data, c, inverse, arena);
}

void change_drop(struct change *c)
{
    switch (c->kind) {
    case CHANGE_BIND:
        value_free(c->value);
        break;
    case CHANGE_FLUSH:
        keyspace_free(c->keyspace);
        break;
    case CHANGE_BODY:
        edit_body_free(c->body);
        break;
    case CHANGE_LIST_INSERT:
        sequence_free(c->moved);
        break;
    case CHANGE_STREAM_BACK:
        drop_stream_back(c);
        break;
    case CHANGE_TEXT_PUT:
        text_free(c->text);
        break;
    case CHANGE_FIELD_RESTORE:
        mem_free(c->field);
        break;
    default:
        break;
    }
}

enum { SAMPLES = 5 }; /* Elements or keys from which the size of all is inferred. */

static size_t memory_of_database(const struct keyspace *keys)
{
    struct table_walk walk = {0};
    const struct value *v;
    size_t seen = 0;
    size_t sum = 0;

    if (keys == NULL) {
        return 0;
    }
    while (seen < SAMPLES && (v = keyspace_next(keys, &walk)) != NULL) {
        sum += value_memory(v, SAMPLES);
        seen++;
    }
    return keyspace_memory(keys) + (seen > 0 ? sum / seen * keyspace_count(keys) : 0);
}

size_t change_memory(const struct change *c)
{
    switch (c->kind) {
    case CHANGE_BIND:
        return value_memory(c->value, SAMPLES);
    case CHANGE_FLUSH:
        return memory_of_database(c->keyspace);
    case CHANGE_BODY:
        return edit_body_memory(c->body, SAMPLES);
    case CHANGE_LIST_INSERT:
        return sequence_memory(c->moved);
    case CHANGE_STREAM_BACK:
        return stream_back_memory(c);
    case CHANGE_TEXT_PUT:
        return text_memory(c->text);
    case CHANGE_FIELD_RESTORE:
        return mem_size(c->field);
    default:
        return 0;
    }
}
