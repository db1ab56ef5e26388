/* Sorted sets: packed in order, then a table and a tree. */
#include "store/zset.h"

#include "store/body.h"
#include "store/reclaim.h"

#include <endian.h>
#include <math.h>

struct scored {
    double score;
    uint32_t len;
    char at[];
};

/* What a big one is held in. Both have all items; they are freed with the table. */
struct ranking {
    struct table *table;
    struct tree *tree;
};

static struct bytes scored_key(const void *item)
{
    const struct scored *s = item;

    return (struct bytes){s->at, s->len};
}

static int scored_compare(const void *a, const void *b)
{
    return bytes_compare(scored_key(a), scored_key(b));
}

static const struct table_type scored_type = {.key = scored_key};
static const struct tree_type order_type = {.compare = scored_compare};

static struct scored *scored_new(struct bytes member, double score)
{
    struct scored *s = mem_alloc(sizeof *s + member.len);

    s->score = score;
    s->len = (uint32_t)member.len;
    if (member.len > 0) {
        memcpy(s->at, member.at, member.len);
    }
    return s;
}

/* Makes 0 of -0: their sum is 0. No other number becomes another. */
static double without_signed_zero(double score)
{
    return score + 0.0;
}

/* An integer that sorts as the score does. All are less than UINT64_MAX. */
static uint64_t order_of(double score)
{
    static const uint64_t sign = UINT64_C(1) << 63;
    double plain = without_signed_zero(score);
    uint64_t bits;

    memcpy(&bits, &plain, sizeof bits);
    return bits & sign ? ~bits : bits | sign;
}

/* Rankings. */

static struct ranking *ranking_new(void)
{
    struct ranking *r = mem_alloc(sizeof *r);

    r->table = table_new(&scored_type);
    r->tree = tree_new(&order_type);
    return r;
}

void ranking_free(void *at)
{
    struct ranking *r = at;

    tree_free(r->tree, NULL);
    reclaim_table(r->table, mem_free, false);
    mem_free(r);
}

static void ranking_add(struct ranking *r, struct bytes member, double score)
{
    struct scored *s = scored_new(member, score);
    void *old = table_put(r->table, s);

    assert(old == NULL);
    tree_add(r->tree, order_of(score), s);
}

static void ranking_set(struct ranking *r, struct bytes member, double score)
{
    struct scored *s = table_find(r->table, member);
    uint64_t from, to;

    if (s == NULL) {
        ranking_add(r, member, score);
        return;
    }
    from = order_of(s->score);
    to = order_of(score);
    s->score = score;
    if (from != to) {
        tree_remove(r->tree, from, s);
        tree_add(r->tree, to, s);
    }
}

static void ranking_remove(struct ranking *r, struct bytes member)
{
    struct scored *s = table_remove(r->table, member);

    assert(s != NULL);
    tree_remove(r->tree, order_of(s->score), s);
    mem_free(s);
}

static size_t ranking_rank_of_lex(const struct ranking *r, struct bytes member, bool or_equal)
{
    struct scored *probe = scored_new(member, 0);
    uint64_t order = tree_order(tree_first(r->tree));
    size_t rank = tree_rank(r->tree, order, probe);
    struct tree_at at;

    if (or_equal) {
        at = tree_seek(r->tree, order, probe);
        rank += !tree_at_end(at) && scored_compare(tree_item(at), probe) == 0;
    }
    mem_free(probe);
    return rank;
}

static void ranking_check(const struct ranking *r)
{
    struct tree_at at;

    table_check(r->table);
    tree_check(r->tree);
    assert(table_count(r->table) == tree_count(r->tree));
    for (at = tree_first(r->tree); !tree_at_end(at); at = tree_next(at)) {
        const struct scored *s = tree_item(at);
        assert(tree_order(at) == order_of(s->score));
        assert(table_find(r->table, scored_key(s)) == s);
    }
}

/* Packed ones. A position is that of a member; its score is right behind it: most scores
 * are small integers, so those take one, two or four bytes, and others the eight of a
 * double. */

static struct bytes pack_score(double score, char bits[sizeof(double)])
{
    int32_t integer = score >= INT32_MIN && score <= INT32_MAX ? (int32_t)score : 0;
    uint32_t lowest_first;

    if (score != (double)integer) {
        memcpy(bits, &score, sizeof score);
        return (struct bytes){bits, sizeof score};
    }
    lowest_first = htole32((uint32_t)integer);
    memcpy(bits, &lowest_first, sizeof lowest_first);
    return (struct bytes){bits, integer == (int8_t)integer    ? 1
                                : integer == (int16_t)integer ? 2
                                                              : sizeof integer};
}

static double unpack_score(struct bytes bits)
{
    double score;
    uint32_t integer;
    uint16_t half;

    switch (bits.len) {
    case 1:
        return (signed char)bits.at[0];
    case sizeof half:
        memcpy(&half, bits.at, sizeof half);
        return (int16_t)le16toh(half);
    case sizeof integer:
        memcpy(&integer, bits.at, sizeof integer);
        return (int32_t)le32toh(integer);
    default:
        memcpy(&score, bits.at, sizeof score);
        return score;
    }
}

/* Returns the score of the member there, and sets *next to where the next one is. */
static double packed_pair(const struct packed *p, packed_at at, packed_at *next)
{
    packed_at behind = packed_next(p, at);

    *next = packed_next(p, behind);
    return unpack_score(packed_get(p, behind));
}

static double packed_score(const struct packed *p, packed_at at)
{
    packed_at next;

    return packed_pair(p, at, &next);
}

/* Returns the first position that does not come before (score, member). */
static packed_at packed_seek(const struct packed *p, double score, struct bytes member)
{
    packed_at at, next;

    for (at = packed_first(p); at != PACKED_NONE; at = next) {
        double here = packed_pair(p, at, &next);
        if (here > score || (here == score && bytes_compare(packed_get(p, at), member) >= 0)) {
            break;
        }
    }
    return at;
}

static size_t packed_rank_of_score(const struct packed *p, double score, bool or_equal)
{
    packed_at next;
    size_t rank = 0;

    for (packed_at at = packed_first(p); at != PACKED_NONE; at = next) {
        double here = packed_pair(p, at, &next);
        if (here > score || (here == score && !or_equal)) {
            break;
        }
        rank++;
    }
    return rank;
}

static size_t packed_rank_of_lex(const struct packed *p, struct bytes member, bool or_equal)
{
    packed_at next;
    size_t rank = 0;

    for (packed_at at = packed_first(p); at != PACKED_NONE; at = next) {
        packed_pair(p, at, &next);
        if (bytes_compare(packed_get(p, at), member) >= (or_equal ? 1 : 0)) {
            break;
        }
        rank++;
    }
    return rank;
}

/* Moves the member at a position, or adds one that is at PACKED_NONE. */
static void packed_set(struct packed **p, packed_at at, struct bytes member, double score)
{
    char bits[sizeof score];
    struct bytes pair[] = {member, pack_score(score, bits)};

    if (at != PACKED_NONE) {
        packed_remove(p, at, 2);
    }
    packed_insert(p, packed_seek(*p, score, member), pair, 2);
}

static void packed_pairs_check(const struct packed *p)
{
    char bits[sizeof(double)];
    packed_at at, next;

    packed_check(p);
    assert(packed_count(p) % 2 == 0);
    for (at = packed_first(p); at != PACKED_NONE; at = next) {
        assert(pack_score(packed_score(p, at), bits).len == packed_get(p, packed_next(p, at)).len);
        packed_pair(p, at, &next);
        if (next != PACKED_NONE) {
            assert(packed_score(p, at) <= packed_score(p, next));
            assert(packed_score(p, at) < packed_score(p, next) ||
                   bytes_compare(packed_get(p, at), packed_get(p, next)) < 0);
        }
    }
}

/* Both. */

static const struct ranking *ranking_of(const struct value *v)
{
    assert(v->encoding == RANKING);
    return body(v);
}

size_t value_zset_count(const struct value *v)
{
    assert(v->type == VALUE_ZSET);
    return v->encoding == PACKED ? packed_count(body(v)) / 2 : table_count(ranking_of(v)->table);
}

bool value_zset_score(const struct value *v, struct bytes member, double *score)
{
    const struct scored *s;
    packed_at at;

    assert(v->type == VALUE_ZSET);
    if (v->encoding == PACKED) {
        at = packed_find(body(v), member, 2);
        if (at != PACKED_NONE) {
            *score = packed_score(body(v), at);
        }
        return at != PACKED_NONE;
    }
    s = table_find(ranking_of(v)->table, member);
    if (s != NULL) {
        *score = s->score;
    }
    return s != NULL;
}

bool value_zset_rank(const struct value *v, struct bytes member, size_t *rank, double *score)
{
    const struct packed *packed;
    const struct scored *s;
    packed_at found, next;

    assert(v->type == VALUE_ZSET);
    if (v->encoding == RANKING) {
        s = table_find(ranking_of(v)->table, member);
        if (s != NULL) {
            *rank = tree_rank(ranking_of(v)->tree, order_of(s->score), s);
            *score = s->score;
        }
        return s != NULL;
    }
    packed = body(v);
    found = packed_find(packed, member, 2);
    if (found == PACKED_NONE) {
        return false;
    }
    *rank = 0;
    for (packed_at at = packed_first(packed); at != found; at = next) {
        packed_pair(packed, at, &next);
        (*rank)++;
    }
    *score = packed_score(packed, found);
    return true;
}

size_t value_zset_rank_of_score(const struct value *v, double score, bool or_equal)
{
    assert(!isnan(score));
    if (v->encoding == PACKED) {
        return packed_rank_of_score(body(v), score, or_equal);
    }
    return tree_rank(ranking_of(v)->tree, order_of(score) + or_equal, NULL);
}

size_t value_zset_rank_of_lex(const struct value *v, struct bytes member, bool or_equal)
{
    if (value_zset_count(v) == 0) {
        return 0;
    }
    return v->encoding == PACKED ? packed_rank_of_lex(body(v), member, or_equal)
                                 : ranking_rank_of_lex(ranking_of(v), member, or_equal);
}

struct zset_walk zset_walk_from(const struct value *v, size_t rank, bool backward)
{
    struct zset_walk walk = {.zset = v, .backward = backward};

    assert(v->type == VALUE_ZSET);
    if (v->encoding == PACKED) {
        walk.packed = packed_select(body(v), 2 * rank);
    } else {
        walk.tree = tree_select(ranking_of(v)->tree, rank);
    }
    return walk;
}

static bool packed_walk_next(struct zset_walk *walk, struct bytes *member, double *score)
{
    const struct packed *p = body(walk->zset);
    packed_at at = walk->packed;

    if (at == PACKED_NONE) {
        return false;
    }
    *member = packed_get(p, at);
    *score = packed_pair(p, at, &walk->packed);
    if (walk->backward) {
        at = packed_previous(p, at);
        walk->packed = at != PACKED_NONE ? packed_previous(p, at) : PACKED_NONE;
    }
    return true;
}

bool zset_walk_next(struct zset_walk *walk, struct bytes *member, double *score)
{
    const struct scored *s;

    if (walk->zset->encoding == PACKED) {
        return packed_walk_next(walk, member, score);
    }
    if (tree_at_end(walk->tree)) {
        return false;
    }
    s = tree_item(walk->tree);
    *member = scored_key(s);
    *score = s->score;
    walk->tree = walk->backward ? tree_previous(walk->tree) : tree_next(walk->tree);
    return true;
}

void value_zset_random(const struct value *v, struct random *r, struct bytes *member, double *score)
{
    struct zset_walk walk;
    const struct scored *s;

    assert(value_zset_count(v) > 0);
    if (v->encoding == PACKED) {
        walk = zset_walk_from(v, random_below(r, value_zset_count(v)), false);
        zset_walk_next(&walk, member, score);
        return;
    }
    s = table_random(ranking_of(v)->table, r);
    *member = scored_key(s);
    *score = s->score;
}

static void zset_to_ranking(struct value *v, struct body **outgrown)
{
    struct ranking *ranking = ranking_new();
    struct zset_walk walk = zset_walk_from(v, 0, false);
    struct bytes member;
    double score;

    while (zset_walk_next(&walk, &member, &score)) {
        ranking_add(ranking, member, score);
    }
    take_body(v, RANKING, ranking, outgrown);
}

static bool packed_takes(const struct value *v, struct bytes member,
                         const struct value_limits *limits)
{
    return member.len <= limits->zset_max_packed_value &&
           value_zset_count(v) < limits->zset_max_packed_entries &&
           packed_size(body(v)) + member.len <= PACKED_BYTES;
}

void edit_zset_set(struct value *v, struct bytes member, double score,
                   const struct value_limits *limits, struct body **outgrown)
{
    struct packed *packed;
    packed_at at = PACKED_NONE;

    assert(v->type == VALUE_ZSET);
    assert(!isnan(score));
    score = without_signed_zero(score);
    if (v->encoding == PACKED) {
        at = packed_find(body(v), member, 2);
        if (at == PACKED_NONE && !packed_takes(v, member, limits)) {
            zset_to_ranking(v, outgrown);
        }
    }
    if (v->encoding == RANKING) {
        ranking_set(body(v), member, score);
        return;
    }
    packed = body(v);
    packed_set(&packed, at, member, score);
    set_body(v, packed);
}

void edit_zset_remove(struct value *v, struct bytes member)
{
    struct packed *packed;
    packed_at at;

    assert(v->type == VALUE_ZSET);
    if (v->encoding == RANKING) {
        ranking_remove(body(v), member);
        return;
    }
    packed = body(v);
    at = packed_find(packed, member, 2);
    assert(at != PACKED_NONE);
    packed_remove(&packed, at, 2);
    set_body(v, packed);
}

bool value_fill_scored(struct value *v, struct bytes member, double score,
                       const struct value_limits *limits)
{
    double old;
    bool fresh = !value_zset_score(v, member, &old);

    edit_zset_set(v, member, score, limits, NULL);
    return fresh;
}

struct scan {
    value_visit *visit;
    void *context;
};

static void scan_scored(void *item, void *context)
{
    const struct scan *scan = context;
    const struct scored *s = item;
    char text[NUMBER_DOUBLE_MAX];

    scan->visit(scored_key(s), (struct bytes){text, number_format_double(text, s->score)},
                scan->context);
}

/* In Redis a small set holds whole numbers as integers, and writes all their digits
 * when it is scanned. */
static size_t format_packed(char text[NUMBER_DOUBLE_MAX], double score)
{
    static const double most = (double)(INT64_C(1) << 62);

    if (fabs(score) <= most && score == trunc(score)) {
        return number_format_int(text, (int64_t)score);
    }
    return number_format_double(text, score);
}

static uint64_t scan(const struct value *v, uint64_t cursor, int64_t now_ms, value_visit *visit,
                     void *context)
{
    struct scan visited = {visit, context};
    char text[NUMBER_DOUBLE_MAX];
    struct zset_walk walk;
    struct bytes member;
    double score;

    (void)now_ms;
    if (v->encoding == RANKING) {
        return table_scan(ranking_of(v)->table, cursor, scan_scored, &visited);
    }
    walk = zset_walk_from(v, 0, false);
    while (zset_walk_next(&walk, &member, &score)) {
        visit(member, (struct bytes){text, format_packed(text, score)}, context);
    }
    return 0;
}

/* The class. */

static const char *encoding_name(const struct value *v)
{
    return v->encoding == PACKED ? "listpack" : "skiplist";
}

static void *copy(const struct value *v)
{
    struct ranking *ranking;
    struct zset_walk walk;
    struct bytes member;
    double score;

    if (v->encoding == PACKED) {
        return packed_copy(body(v));
    }
    ranking = ranking_new();
    walk = zset_walk_from(v, 0, false);
    while (zset_walk_next(&walk, &member, &score)) {
        ranking_add(ranking, member, score);
    }
    return ranking;
}

static size_t memory(const struct value *v, size_t samples)
{
    const struct ranking *r;

    if (v->encoding == PACKED) {
        return packed_memory(body(v));
    }
    r = ranking_of(v);
    return mem_size(r) + table_memory(r->table) + tree_memory(r->tree) +
           items_memory(r->table, samples);
}

static void check(const struct value *v)
{
    if (v->encoding == PACKED) {
        packed_pairs_check(body(v));
    } else {
        ranking_check(ranking_of(v));
    }
}

static struct digest digest_score(double score)
{
    uint64_t bits;

    memcpy(&bits, &score, sizeof bits);
    return digest_number(bits);
}

static struct digest digest(const struct value *v)
{
    struct digest sum = {{0}};
    struct zset_walk walk = zset_walk_from(v, 0, false);
    struct bytes member;
    double score;

    while (zset_walk_next(&walk, &member, &score)) {
        digest_add(&sum, digest_mix(digest_bytes(member), digest_score(score)), 0);
    }
    return sum;
}

static void encode(const struct value *v, struct buf *out)
{
    struct zset_walk walk = zset_walk_from(v, 0, false);
    struct bytes member;
    double score;

    put_number(out, value_zset_count(v));
    while (zset_walk_next(&walk, &member, &score)) {
        put_bytes(out, member);
        put_real(out, score);
    }
}

static bool decode(struct bytes *in, struct value *v, const struct value_limits *limits)
{
    struct bytes member;
    uint64_t count;
    double score;

    if (!take_number(in, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!take_bytes(in, &member) || !take_real(in, &score) || isnan(score) ||
            !value_fill_scored(v, member, score, limits)) {
            return false;
        }
    }
    return true;
}

const struct value_class zset_class = {
    .name = "zset",
    .first = PACKED,
    .count = value_zset_count,
    .encoding_name = encoding_name,
    .copy = copy,
    .memory = memory,
    .scan = scan,
    .check = check,
    .digest = digest,
    .encode = encode,
    .decode = decode,
};
