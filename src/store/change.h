/* Changes: every write to the data, described as data.
 *
 * A command, a replayed log entry and a rollback all write by making changes,
 * so there is one piece of code per kind of write. Making a change gives back
 * the change that undoes it; the kinds are closed under that.
 *
 * A change always changes something: whoever makes one has looked first. What
 * it needs to find (a bound key, a member) is asserted, so a replica that has
 * drifted stops instead of drifting further. */
#ifndef STORE_CHANGE_H
#define STORE_CHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "store/dataset.h"
#include "store/stream.h"

/* The numbers are those of the log: a new kind gets a new number, and numbers are
 * never used again. */
enum change_kind {
    /*                              what it does                       undone by             */
    CHANGE_BIND = 0,             /* bind a key to a whole value        BIND or UNBIND        */
    CHANGE_UNBIND = 1,           /* unbind a key                       BIND                  */
    CHANGE_RETIME = 2,           /* set when a key expires             RETIME                */
    CHANGE_SPLICE = 3,           /* replace bytes of a string          SPLICE                */
    CHANGE_FIELD_SET = 4,        /* set a field of a hash              FIELD_SET or _REMOVE  */
    CHANGE_FIELD_REMOVE = 5,     /* remove a field of a hash           FIELD_SET             */
    CHANGE_SET_ADD = 6,          /* add a member to a set              SET_REMOVE            */
    CHANGE_SET_REMOVE = 7,       /* remove a member from a set         SET_ADD               */
    CHANGE_SWAP = 8,             /* swap two databases                 SWAP                  */
    CHANGE_FLUSH = 9,            /* put another database in place      FLUSH                 */
    CHANGE_BODY = 10,            /* put back what a collection outgrew never needs to be     */
    CHANGE_LIST_INSERT = 11,     /* insert elements into a list        LIST_REMOVE           */
    CHANGE_LIST_REMOVE = 12,     /* remove elements from a list        LIST_INSERT           */
    CHANGE_LIST_REPLACE = 13,    /* give an element other content      LIST_REPLACE          */
    CHANGE_SCORE_SET = 14,       /* add a member or move it            SCORE_SET or _REMOVE  */
    CHANGE_SCORE_REMOVE = 15,    /* remove a member from a sorted set  SCORE_SET             */
    CHANGE_ENTRY_ADD = 16,       /* add an entry to a stream           STREAM_BACK           */
    CHANGE_ENTRY_REMOVE = 17,    /* remove entries from a stream       STREAM_BACK           */
    CHANGE_STREAM_META = 18,     /* set what a stream remembers        STREAM_META           */
    CHANGE_GROUP_SET = 19,       /* make a group or move it            GROUP_SET or _REMOVE  */
    CHANGE_GROUP_REMOVE = 20,    /* remove a group with all it has     STREAM_BACK           */
    CHANGE_CONSUMER_SET = 21,    /* make a consumer or see it          CONSUMER_SET, _REMOVE */
    CHANGE_CONSUMER_REMOVE = 22, /* remove one with all it has         STREAM_BACK           */
    CHANGE_PENDING_SET = 23,     /* make an entry pending, or move it  PENDING_SET, _REMOVE  */
    CHANGE_PENDING_REMOVE = 24,  /* end that                           PENDING_SET           */
    CHANGE_REKEY = 25,           /* move a value to another key        REKEY                 */
    CHANGE_FIELD_RETIME = 26,    /* set when a field expires           FIELD_RETIME          */
    CHANGE_STREAM_BACK = 27,     /* put back what a stream has lost    never needs to be     */
    CHANGE_FIELD_RESTORE = 28,   /* put back a field taken out whole   never needs to be     */
    CHANGE_TEXT_PUT = 29,        /* keep a text, a library or script   TEXT_PUT or _REMOVE   */
    CHANGE_TEXT_REMOVE = 30,     /* keep it no longer                  TEXT_PUT              */
    CHANGE_KIND_END,
};

struct body;
struct sequence;
struct stream_back;
struct field;

struct change {
    uint8_t kind;
    bool raw : 1;      /* SPLICE: value_raw() from then on. */
    bool undoes : 1;   /* Restores: a collection stays in the container that it is in. */
    uint16_t db;       /* The number of the database; TEXT_*: an enum text_kind. */
    uint32_t position; /* FIELD_SET, SET_ADD: where in a packed array. */
    struct bytes key;
    union {
        struct value *value; /* BIND; belongs to the change until it is made. */
        int64_t expires_ms;  /* RETIME. */
        struct {             /* SPLICE. */
            struct bytes inserted;
            size_t offset;
            size_t removed;
        };
        struct { /* FIELD_*, SET_*: the field or the member; and FIELD_SET's content. */
            struct bytes member;
            struct bytes content;
        };
        struct {           /* LIST_*. */
            int64_t index; /* Of the first element; or, from -1 backwards, of the last. */
            union {
                struct bytes element; /* LIST_INSERT, LIST_REPLACE. */
                size_t removed_count; /* LIST_REMOVE. */
            };
            struct sequence *moved; /* LIST_INSERT: instead of an element; or NULL.
                                       Belongs to the change. */
        };
        struct { /* FIELD_RETIME. */
            struct bytes timed;
            int64_t timed_expires_ms;
        };
        struct { /* SCORE_*: the member; and SCORE_SET's score. */
            struct bytes scored;
            double score;
        };
        struct { /* ENTRY_ADD: the id, and the fields in coded form. */
            struct stream_id id;
            struct bytes fields;
        };
        struct stream_range range; /* ENTRY_REMOVE: there is an entry in it. */
        struct bytes operands;     /* STREAM_META, GROUP_*, CONSUMER_*, PENDING_*: as in the log. */
        struct stream_back *back;  /* STREAM_BACK: what is in it belongs to the change. */
        struct {                   /* REKEY: where the value goes, to a key that is not bound. */
            struct bytes to_key;
            uint16_t to_db;
        };
        uint16_t other;            /* SWAP: the other database. */
        struct keyspace *keyspace; /* FLUSH: belongs to the change; NULL is an empty one. */
        struct body *body;         /* BODY: belongs to the change. */
        struct text *text;         /* TEXT_PUT: likewise. */
        struct field *field;       /* FIELD_RESTORE: likewise. */
    };
};

/* Describe a change. Bytes are viewed; change_bind() takes `value`.
 *
 * They set field by field, and are inline: describing a change is on the way of
 * every write, and copies of structs would cost more than the rest of it. */

static inline struct change change_on(enum change_kind kind, unsigned db, struct bytes key)
{
    struct change c;

    c.kind = (uint8_t)kind;
    c.raw = false;
    c.undoes = false;
    c.db = (uint16_t)db;
    c.position = UINT32_MAX; /* PACKED_NONE */
    c.key.at = key.at;
    c.key.len = key.len;
    return c;
}

static inline struct change change_bind(unsigned db, struct value *value)
{
    struct change c = change_on(CHANGE_BIND, db, value_key(value));

    c.value = value;
    return c;
}

static inline struct change change_unbind(unsigned db, struct bytes key)
{
    return change_on(CHANGE_UNBIND, db, key);
}

static inline struct change change_retime(unsigned db, struct bytes key, int64_t expires_ms)
{
    struct change c = change_on(CHANGE_RETIME, db, key);

    c.expires_ms = expires_ms;
    return c;
}

static inline struct change change_splice(unsigned db, struct bytes key, size_t offset,
                                          size_t removed, struct bytes inserted)
{
    struct change c = change_on(CHANGE_SPLICE, db, key);

    c.raw = true;
    c.inserted.at = inserted.at;
    c.inserted.len = inserted.len;
    c.offset = offset;
    c.removed = removed;
    return c;
}

/* A splice of all of a string, after which it counts as newly set: an integer, or
 * short, or neither. `old_len` is how long it is now. */
static inline struct change change_assign(unsigned db, struct bytes key, size_t old_len,
                                          struct bytes content)
{
    struct change c = change_splice(db, key, 0, old_len, content);

    c.raw = false;
    return c;
}

static inline struct change change_of_member(enum change_kind kind, unsigned db, struct bytes key,
                                             struct bytes member, struct bytes content)
{
    struct change c = change_on(kind, db, key);

    c.member.at = member.at;
    c.member.len = member.len;
    c.content.at = content.at;
    c.content.len = content.len;
    return c;
}

static inline struct change change_field_set(unsigned db, struct bytes key, struct bytes field,
                                             struct bytes content)
{
    return change_of_member(CHANGE_FIELD_SET, db, key, field, content);
}

static inline struct change change_field_remove(unsigned db, struct bytes key, struct bytes field)
{
    return change_of_member(CHANGE_FIELD_REMOVE, db, key, field, (struct bytes){0});
}

static inline struct change change_field_retime(unsigned db, struct bytes key, struct bytes field,
                                                int64_t expires_ms)
{
    struct change c = change_on(CHANGE_FIELD_RETIME, db, key);

    c.timed = field;
    c.timed_expires_ms = expires_ms;
    return c;
}

static inline struct change change_set_add(unsigned db, struct bytes key, struct bytes member)
{
    return change_of_member(CHANGE_SET_ADD, db, key, member, (struct bytes){0});
}

static inline struct change change_set_remove(unsigned db, struct bytes key, struct bytes member)
{
    return change_of_member(CHANGE_SET_REMOVE, db, key, member, (struct bytes){0});
}

/* Lists. Elements are counted from either end, so that what happens at one of them
 * does not depend on the length: from 0 upwards, `index` is where the first of the
 * elements is or will be; from -1 downwards, where the last of them is or will be. */

static inline struct change change_list_insert(unsigned db, struct bytes key, int64_t index,
                                               struct bytes element)
{
    struct change c = change_on(CHANGE_LIST_INSERT, db, key);

    c.index = index;
    c.element.at = element.at;
    c.element.len = element.len;
    c.moved = NULL;
    return c;
}

static inline struct change change_list_remove(unsigned db, struct bytes key, int64_t index,
                                               size_t count)
{
    struct change c = change_on(CHANGE_LIST_REMOVE, db, key);

    c.index = index;
    c.removed_count = count;
    c.moved = NULL;
    return c;
}

static inline struct change change_list_replace(unsigned db, struct bytes key, int64_t index,
                                                struct bytes element)
{
    struct change c = change_list_insert(db, key, index, element);

    c.kind = CHANGE_LIST_REPLACE;
    return c;
}

static inline struct change change_score_set(unsigned db, struct bytes key, struct bytes member,
                                             double score)
{
    struct change c = change_on(CHANGE_SCORE_SET, db, key);

    c.scored.at = member.at;
    c.scored.len = member.len;
    c.score = score;
    return c;
}

static inline struct change change_score_remove(unsigned db, struct bytes key, struct bytes member)
{
    struct change c = change_on(CHANGE_SCORE_REMOVE, db, key);

    c.scored.at = member.at;
    c.scored.len = member.len;
    return c;
}

static inline struct change change_entry_add(unsigned db, struct bytes key, struct stream_id id,
                                             struct bytes fields)
{
    struct change c = change_on(CHANGE_ENTRY_ADD, db, key);

    c.id = id;
    c.fields.at = fields.at;
    c.fields.len = fields.len;
    return c;
}

static inline struct change change_entry_remove(unsigned db, struct bytes key,
                                                struct stream_range range)
{
    struct change c = change_on(CHANGE_ENTRY_REMOVE, db, key);

    c.range = range;
    return c;
}

/* What does not fit into a change is written to `scratch`, in the form of the log, and
 * viewed there. */

struct change change_stream_meta(unsigned db, struct bytes key, const struct stream_meta *meta,
                                 struct buf *scratch);
struct change change_group_set(unsigned db, struct bytes key, struct bytes name,
                               struct stream_id last, int64_t read, struct buf *scratch);
struct change change_group_remove(unsigned db, struct bytes key, struct bytes name,
                                  struct buf *scratch);
struct change change_consumer_set(unsigned db, struct bytes key, struct bytes group,
                                  struct bytes name, int64_t seen_ms, struct buf *scratch);
struct change change_consumer_remove(unsigned db, struct bytes key, struct bytes group,
                                     struct bytes name, struct buf *scratch);
struct change change_pending_set(unsigned db, struct bytes key, const struct delivery *delivery,
                                 struct buf *scratch);
struct change change_pending_remove(unsigned db, struct bytes key, struct bytes group,
                                    struct stream_id id, struct buf *scratch);

static inline struct change change_rekey(unsigned db, struct bytes key, unsigned to_db,
                                         struct bytes to_key)
{
    struct change c = change_on(CHANGE_REKEY, db, key);

    c.to_key.at = to_key.at;
    c.to_key.len = to_key.len;
    c.to_db = (uint16_t)to_db;
    return c;
}

static inline struct change change_swap(unsigned a, unsigned b)
{
    struct change c = change_on(CHANGE_SWAP, a, (struct bytes){0});

    c.other = (uint16_t)b;
    return c;
}

static inline struct change change_flush(unsigned db)
{
    struct change c = change_on(CHANGE_FLUSH, db, (struct bytes){0});

    c.keyspace = NULL;
    return c;
}

/* Takes `text`. */
static inline struct change change_text_put(enum text_kind kind, struct text *text)
{
    struct change c = change_on(CHANGE_TEXT_PUT, kind, text_name(text));

    c.text = text;
    return c;
}

static inline struct change change_text_remove(enum text_kind kind, struct bytes name)
{
    return change_on(CHANGE_TEXT_REMOVE, kind, name);
}

/* Whether a change is of a key or a database, and not of a text. */
static inline bool change_is_of_keys(const struct change *c)
{
    return c->kind != CHANGE_TEXT_PUT && c->kind != CHANGE_TEXT_REMOVE;
}

/* Returns whether the change that `inverse` undoes counts as one of its key for who
 * watches it. As in Redis, what a group of consumers does is none. */
bool change_modifies_key(const struct change *inverse);

/* Makes `c`, and takes what it owns. If `inverse` is not NULL, *inverse becomes
 * the change that undoes it; it views copies in `arena`, and may own a value. If
 * it is NULL, what was replaced is freed. */
void change_make(struct dataset *data, const struct change *c, struct change *inverse,
                 struct arena *arena);

/* Frees what a change owns that will not be made. */
void change_drop(struct change *c);

/* Returns about how many bytes of memory a change owns. */
size_t change_memory(const struct change *c);

/* Appends `c` in the form that the log keeps. */
void change_encode(const struct change *c, struct buf *out);

/* Reads one change off the front of *in. Its views are into *in; what it owns is
 * the caller's. Returns false, with *in unchanged, if the bytes are not one, or
 * name a database that is not there. */
bool change_decode(struct bytes *in, const struct dataset *data, struct change *c);

#endif
