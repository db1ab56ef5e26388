/* LCS: the longest common subsequence of two strings.
 *
 * It is found in two passes. The first one finds its length for all prefixes of both
 * strings, and notes which prefix to shorten where their last bytes differ; the second
 * one follows these notes back from the ends. One bit per pair of bytes is all the memory
 * that this takes. */
#include "base/mem.h"
#include "command/families.h"
#include "command/flags.h"
#include "engine/call.h"

#include <assert.h>

struct lcs {
    struct bytes a, b;
    uint8_t *shorten_a; /* Bits, by the places of two bytes that differ. */
    size_t len;
    size_t a_left, b_left; /* How much of the strings the second pass has to go. */
};

/* Bytes that follow each other in both strings. */
struct run {
    size_t a_start, b_start, len;
};

struct lcs_options {
    bool len;
    bool matches;
    bool match_lens;
    int64_t min_match_len;
};

static void lcs_solve(struct lcs *l)
{
    uint32_t *best = mem_zalloc((l->b.len + 1) * sizeof *best);

    /* best[j] is the length for the first i bytes of `a` and the first j of `b`. */
    for (size_t i = 0; i < l->a.len; i++) {
        uint32_t diagonal = 0;

        for (size_t j = 0; j < l->b.len; j++) {
            uint32_t above = best[j + 1];
            size_t place = i * l->b.len + j;

            if (l->a.at[i] == l->b.at[j]) {
                best[j + 1] = diagonal + 1;
            } else if (above > best[j]) {
                l->shorten_a[place / 8] |= (uint8_t)(1 << place % 8);
            } else {
                best[j + 1] = best[j];
            }
            diagonal = above;
        }
    }
    l->len = best[l->b.len];
    mem_free(best);
}

static bool lcs_at_match(const struct lcs *l)
{
    return l->a_left > 0 && l->b_left > 0 && l->a.at[l->a_left - 1] == l->b.at[l->b_left - 1];
}

/* Finds the next run, from the last to the first. Returns false after that. */
static bool lcs_next(struct lcs *l, struct run *run)
{
    run->len = 0;
    while (l->a_left > 0 && l->b_left > 0 && !lcs_at_match(l)) {
        size_t place = (l->a_left - 1) * l->b.len + l->b_left - 1;

        if (l->shorten_a[place / 8] >> place % 8 & 1) {
            l->a_left--;
        } else {
            l->b_left--;
        }
    }
    while (lcs_at_match(l)) {
        l->a_left--;
        l->b_left--;
        run->len++;
    }
    run->a_start = l->a_left;
    run->b_start = l->b_left;
    return run->len > 0;
}

static void lcs_reply_string(struct call *c, struct lcs *l)
{
    BUF_LOCAL(text);
    struct run run;
    size_t left = l->len;

    if (l->len == 0) {
        reply_bytes(c, BYTES(""));
        return;
    }
    buf_reserve(&text, l->len);
    text.len = l->len;
    while (lcs_next(l, &run)) {
        assert(run.len <= left);
        left -= run.len;
        memcpy(text.at + left, l->a.at + run.a_start, run.len);
    }
    reply_bytes(c, buf_bytes(&text));
}

static void reply_places(struct call *c, size_t start, size_t len)
{
    reply_array(c, 2);
    reply_int(c, (int64_t)start);
    reply_int(c, (int64_t)(start + len - 1));
}

static void lcs_reply_matches(struct call *c, struct lcs *l, const struct lcs_options *o)
{
    struct run run;
    size_t place, count = 0;

    reply_map(c, 2);
    reply_string(c, "matches");
    place = reply_late(c);
    while (lcs_next(l, &run)) {
        if ((int64_t)run.len < o->min_match_len) {
            continue;
        }
        reply_array(c, o->match_lens ? 3 : 2);
        reply_places(c, run.a_start, run.len);
        reply_places(c, run.b_start, run.len);
        if (o->match_lens) {
            reply_int(c, (int64_t)run.len);
        }
        count++;
    }
    reply_late_end(c, place, RESP_ARRAY, count);
    reply_string(c, "len");
    reply_int(c, (int64_t)l->len);
}

static bool lcs_read_options(struct call *c, struct lcs_options *o)
{
    for (size_t i = 3; i < c->argc; i++) {
        if (call_is(c, i, "idx")) {
            o->matches = true;
        } else if (call_is(c, i, "len")) {
            o->len = true;
        } else if (call_is(c, i, "withmatchlen")) {
            o->match_lens = true;
        } else if (call_is(c, i, "minmatchlen") && i + 1 < c->argc) {
            i++;
            if (!call_int(c, i, &o->min_match_len)) {
                return false;
            }
        } else {
            call_fail_syntax(c);
            return false;
        }
    }
    if (o->len && o->matches) {
        call_fail(c, "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

static bool lcs_find_string(struct call *c, size_t arg, struct bytes *content)
{
    const struct value *v = call_find_any(c, c->argv[arg]);

    if (v != NULL && value_type(v) != VALUE_STRING) {
        call_fail(c, "ERR The specified keys must contain string values");
        return false;
    }
    *content = v == NULL ? (struct bytes){0} : value_string(v);
    return true;
}

/* Redis takes four bytes per pair, and limits how many these may be. That is a
 * good limit for the time it takes as well, so we have it too. */
static bool lcs_allowed(struct call *c, const struct lcs *l)
{
    size_t pairs;

    if (__builtin_mul_overflow(l->a.len + 1, l->b.len + 1, &pairs) ||
        pairs > c->engine->settings.proto_max_bulk_len / sizeof(uint32_t)) {
        call_fail(c, "ERR Insufficient memory, transient memory for LCS exceeds "
                     "proto-max-bulk-len");
        return false;
    }
    return true;
}

static void lcs(struct call *c)
{
    struct lcs_options o = {0};
    struct lcs l = {0};

    if (!lcs_find_string(c, 1, &l.a) || !lcs_find_string(c, 2, &l.b) || !lcs_read_options(c, &o) ||
        !lcs_allowed(c, &l)) {
        return;
    }
    l.a_left = l.a.len;
    l.b_left = l.b.len;
    l.shorten_a = mem_zalloc(l.a.len * l.b.len / 8 + 1);
    lcs_solve(&l);
    if (o.matches) {
        lcs_reply_matches(c, &l, &o);
    } else if (o.len) {
        reply_int(c, (int64_t)l.len);
    } else {
        lcs_reply_string(c, &l);
    }
    mem_free(l.shorten_a);
}

/* clang-format off */
const struct command lcs_commands[] = {
    {.name = "lcs", .arity = -3, .flags = READ, .keys = {{.flags = KEY_RO | KEY_ACCESS, .index = 1, .last = 1, .step = 1}}, .run = lcs, .group = "string", .since = "7.0.0", .complexity = "O(N*M) in the lengths of the two strings", .summary = "Finds the longest common subsequence of two strings", .syntax = "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]"},
    {0},
};
/* clang-format on */
