/* HyperLogLog: strings that estimate how many different elements were added. */
#include "data/hyperloglog.h"

#include "command/families.h"
#include "command/flags.h"
#include "engine/call.h"

#include <inttypes.h>
#include <math.h>

static size_t sparse_max(const struct call *c)
{
    return c->engine->settings.hll_sparse_max_bytes;
}

/* Finds argument `arg`, a HyperLogLog if it is there. Fails the call if it is another
 * string, or no string. */
static bool find(struct call *c, size_t arg, const struct value **v)
{
    if (!call_find(c, arg, VALUE_STRING, v)) {
        return false;
    }
    if (*v != NULL && !hll_is_valid(value_string(*v))) {
        call_fail(c, "WRONGTYPE Key is not a valid HyperLogLog string value.");
        return false;
    }
    return true;
}

/* The string of a key that holds one. It is looked up again after each change. */
static struct bytes content(const struct call *c, struct bytes key)
{
    return value_string(keyspace_find_any(c->keys, key));
}

static void fail_corrupt(struct call *c)
{
    call_fail(c, "INVALIDOBJ Corrupted HLL object detected");
}

static void bind_empty(struct call *c, struct bytes key)
{
    struct value *fresh;
    char *at;

    fresh = value_new_blank(key, HLL_EMPTY_LEN, &at);
    hll_write_empty(at);
    call_make(c, change_bind(c->db, fresh));
}

static void make_edit(struct call *c, struct bytes key, const struct hll_edit *e)
{
    call_make(c, change_splice(c->db, key, e->offset, e->removed, (struct bytes){e->at, e->len}));
}

static void make_stale(struct call *c, struct bytes key)
{
    struct hll_edit edit;

    if (hll_estimate_is_fresh(content(c, key))) {
        hll_edit_stale(content(c, key), &edit);
        make_edit(c, key, &edit);
    }
}

static bool make_dense(struct call *c, struct bytes key)
{
    struct bytes sparse = content(c, key);
    char dense[HLL_DENSE_LEN];

    if (!hll_write_dense(sparse, dense)) {
        fail_corrupt(c);
        return false;
    }
    call_make(c, change_splice(c->db, key, 0, sparse.len, (struct bytes){dense, sizeof dense}));
    return true;
}

/* Adding. */

static bool add(struct call *c, struct bytes key, struct bytes element, bool *edited)
{
    struct hll_edit edit;

    switch (hll_add(content(c, key), element, sparse_max(c), &edit)) {
    case HLL_EDITED:
        make_edit(c, key, &edit);
        *edited = true;
        return true;
    case HLL_FULL: /* Once dense it is not again. */
        return make_dense(c, key) && add(c, key, element, edited);
    case HLL_CORRUPT:
        fail_corrupt(c);
        return false;
    default:
        return true;
    }
}

static void pfadd(struct call *c)
{
    struct bytes key = c->argv[1];
    const struct value *v;
    bool edited;

    if (!find(c, 1, &v)) {
        return;
    }
    edited = v == NULL;
    if (v == NULL) {
        bind_empty(c, key);
    }
    for (size_t i = 2; i < c->argc; i++) {
        if (!add(c, key, c->argv[i], &edited)) {
            return;
        }
    }
    if (edited) {
        make_stale(c, key);
        call_event(c, EVENT_STRING, "pfadd", key);
    }
    reply_int(c, edited);
}

/* Counting and merging. */

/* Merges the registers of the keys from argument `first` on. Tells whether one of
 * them is dense. */
static bool merge_keys(struct call *c, size_t first, uint8_t registers[HLL_REGISTERS],
                       bool *any_dense)
{
    const struct value *v;

    memset(registers, 0, HLL_REGISTERS);
    *any_dense = false;
    for (size_t i = first; i < c->argc; i++) {
        if (!find(c, i, &v)) {
            return false;
        }
        if (v != NULL) {
            *any_dense |= hll_is_dense(value_string(v));
            if (!hll_merge(registers, value_string(v))) {
                fail_corrupt(c);
                return false;
            }
        }
    }
    return true;
}

static void count_merged(struct call *c)
{
    uint8_t registers[HLL_REGISTERS];
    bool any_dense;

    if (merge_keys(c, 1, registers, &any_dense)) {
        reply_int(c, (int64_t)hll_count_registers(registers));
    }
}

/* The estimate of a single key is kept in its string. */
static void count_one(struct call *c)
{
    const struct value *v;
    struct hll_edit edit;
    uint64_t estimate = 0;

    if (!find(c, 1, &v)) {
        return;
    }
    if (v != NULL && hll_estimate_is_fresh(value_string(v))) {
        estimate = hll_estimate(value_string(v));
    } else if (v != NULL) {
        if (!hll_count(value_string(v), &estimate)) {
            fail_corrupt(c);
            return;
        }
        hll_edit_estimate(estimate, &edit);
        make_edit(c, c->argv[1], &edit);
    }
    reply_int(c, (int64_t)estimate);
}

static void pfcount(struct call *c)
{
    if (c->argc == 2) {
        count_one(c);
    } else {
        count_merged(c);
    }
}

/* Makes an edit of a string that is not bound. */
static void edit_copy(struct buf *copy, const struct hll_edit *e)
{
    size_t tail = copy->len - e->offset - e->removed;

    buf_reserve(copy, e->len);
    memmove(copy->at + e->offset + e->len, copy->at + e->offset + e->removed, tail);
    memcpy(copy->at + e->offset, e->at, e->len);
    copy->len = copy->len - e->removed + e->len;
}

static bool copy_to_dense(struct buf *copy)
{
    char dense[HLL_DENSE_LEN];

    if (!hll_write_dense(buf_bytes(copy), dense)) {
        return false;
    }
    copy->len = 0;
    buf_add(copy, (struct bytes){dense, sizeof dense});
    return true;
}

/* Gives all registers of a copy at least the values of `registers`, one after the
 * other: how long a sparse string gets hangs on the order. */
static bool raise_registers(const struct call *c, struct buf *copy,
                            const uint8_t registers[HLL_REGISTERS])
{
    struct hll_edit edit;

    for (unsigned i = 0; i < HLL_REGISTERS; i++) {
        enum hll_outcome outcome =
            registers[i] == 0 ? HLL_SAME
                              : hll_set(buf_bytes(copy), i, registers[i], sparse_max(c), &edit);

        if (outcome == HLL_FULL) {
            if (!copy_to_dense(copy)) {
                return false;
            }
            outcome = hll_set(buf_bytes(copy), i, registers[i], sparse_max(c), &edit);
        }
        if (outcome == HLL_CORRUPT) {
            return false;
        }
        if (outcome == HLL_EDITED) {
            edit_copy(copy, &edit);
        }
    }
    hll_edit_stale(buf_bytes(copy), &edit);
    edit_copy(copy, &edit);
    return true;
}

static void pfmerge(struct call *c)
{
    uint8_t registers[HLL_REGISTERS];
    const struct value *v;
    BUF_LOCAL(copy);
    bool dense;

    if (!merge_keys(c, 1, registers, &dense)) {
        return;
    }
    v = keyspace_find(c->keys, c->argv[1], c->now_ms);
    if (v == NULL) {
        bind_empty(c, c->argv[1]);
    }
    buf_add(&copy, content(c, c->argv[1]));
    if ((dense && !hll_is_dense(buf_bytes(&copy)) && !copy_to_dense(&copy)) ||
        !raise_registers(c, &copy, registers)) {
        fail_corrupt(c);
        return;
    }
    call_make(c, change_splice(c->db, c->argv[1], 0, content(c, c->argv[1]).len, buf_bytes(&copy)));
    call_event(c, EVENT_STRING, "pfadd", c->argv[1]);
    reply_ok(c);
}

/* Debugging. */

static void debug_registers(struct call *c, struct bytes hll)
{
    uint8_t registers[HLL_REGISTERS] = {0};

    if (!hll_is_dense(hll) && !make_dense(c, c->argv[2])) {
        return;
    }
    hll_merge(registers, content(c, c->argv[2]));
    reply_array(c, HLL_REGISTERS);
    for (size_t i = 0; i < HLL_REGISTERS; i++) {
        reply_int(c, registers[i]);
    }
}

static void debug_runs(struct call *c, struct bytes hll)
{
    size_t at = HLL_HEADER;
    struct hll_run run;
    BUF_LOCAL(text);

    if (hll_is_dense(hll)) {
        call_fail(c, "ERR HLL encoding is not sparse");
        return;
    }
    while (hll_next_run(hll, &at, &run)) {
        buf_addf(&text, "%s", text.len > 0 ? " " : "");
        if (run.value > 0) {
            buf_addf(&text, "v:%u,%u", run.value, run.len);
        } else {
            buf_addf(&text, "%c:%u", run.is_long ? 'Z' : 'z', run.len);
        }
    }
    reply_bytes(c, buf_bytes(&text));
}

static void debug_encoding(struct call *c, struct bytes hll)
{
    reply_status(c, hll_is_dense(hll) ? "dense" : "sparse");
}

static void debug_to_dense(struct call *c, struct bytes hll)
{
    bool was_sparse = !hll_is_dense(hll);

    if (!was_sparse || make_dense(c, c->argv[2])) {
        reply_int(c, was_sparse);
    }
}

static void pfdebug(struct call *c)
{
    static const struct {
        const char *word;
        void (*run)(struct call *c, struct bytes hll);
    } debuggers[] = {
        {"getreg", debug_registers},
        {"decode", debug_runs},
        {"encoding", debug_encoding},
        {"todense", debug_to_dense},
    };
    const struct value *v;

    if (!find(c, 2, &v)) {
        return;
    }
    if (v == NULL) {
        call_fail(c, "ERR The specified key does not exist");
        return;
    }
    for (size_t i = 0; i < sizeof debuggers / sizeof debuggers[0]; i++) {
        if (call_is(c, 1, debuggers[i].word)) {
            debuggers[i].run(c, value_string(v));
            return;
        }
    }
    call_fail(c, "ERR Unknown PFDEBUG subcommand '%.*s'",
              c->argv[1].len < 128 ? (int)c->argv[1].len : 128, c->argv[1].at);
}

/* Adds the numbers from 1 on, and wants the estimate to be within four standard errors
 * at each power of ten, where only one in 16,000 would not be. */
static void pfselftest(struct call *c)
{
    const double error = 1.04 / sqrt(HLL_REGISTERS);
    char dense[HLL_DENSE_LEN];
    char empty[HLL_EMPTY_LEN];
    struct bytes hll = {dense, sizeof dense};
    uint64_t check = 1;

    hll_write_empty(empty);
    hll_write_dense((struct bytes){empty, sizeof empty}, dense);
    for (uint64_t i = 1; i <= 100 * 1000; i++) {
        struct hll_edit edit;
        uint64_t estimate;

        if (hll_add(hll, (struct bytes){(char *)&i, sizeof i}, 0, &edit) == HLL_EDITED) {
            memcpy(dense + edit.offset, edit.at, edit.len);
        }
        if (i != check) {
            continue;
        }
        check *= 10;
        hll_count(hll, &estimate);
        if (fabs((double)estimate - (double)i) > ceil(4 * error * (double)i)) {
            call_fail(c, "ERR TESTFAILED the estimate of %" PRIu64 " elements is %" PRIu64, i,
                      estimate);
            return;
        }
    }
    reply_ok(c);
}

/* clang-format off */
const struct command hyperloglog_commands[] = {
    {.name = "pfadd",      .arity = -2, .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,                .keys = {ONE_KEY(KEY_RW | KEY_INSERT)},                                                   .run = pfadd,      .group = "hyperloglog", .since = "2.8.9", .complexity = "O(1) for each element",                 .summary = "Adds elements, to estimate how many different ones there are",      .syntax = "key [element [element ...]]"},
    {.name = "pfcount",    .arity = -2, .flags = COMMAND_READONLY | COMMAND_MAY_REPLICATE | COMMAND_DIRECT,  .keys = {ALL_KEYS(KEY_RW | KEY_ACCESS)},                                                  .run = pfcount,    .group = "hyperloglog", .since = "2.8.9", .complexity = "O(1), O(N) in the number of keys",      .summary = "Estimates how many different elements were added to one or more keys", .syntax = "key [key ...]"},
    {.name = "pfdebug",    .arity = 3,  .flags = WRITE | COMMAND_ADMIN,                                      .keys = {KEY_AT(2, KEY_RW | KEY_ACCESS)},                                                 .run = pfdebug,    .group = "hyperloglog", .since = "2.8.9", .complexity = "O(1)",                                  .summary = "Shows how elements are counted, for tests",                         .syntax = "subcommand key"},
    {.name = "pfmerge",    .arity = -2, .flags = COMMAND_WRITE | COMMAND_DENYOOM,                               .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_INSERT), KEYS_FROM(2, KEY_RO | KEY_ACCESS)}, .run = pfmerge,    .group = "hyperloglog", .since = "2.8.9", .complexity = "O(N) in the number of keys",            .summary = "Adds to one key what was added to others",                          .syntax = "destkey [sourcekey [sourcekey ...]]"},
    {.name = "pfselftest", .arity = 1,  .flags = COMMAND_ADMIN,                                                                                                                                        .run = pfselftest, .group = "hyperloglog", .since = "2.8.9", .complexity = "O(1)",                                  .summary = "Checks that the estimates are as good as they should be",           .syntax = ""},
    {0},
};
/* clang-format on */
