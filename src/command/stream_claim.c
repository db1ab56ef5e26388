/* XCLAIM and XAUTOCLAIM: entries that are pending go to another consumer. */
#include "command/families.h"
#include "command/flags.h"
#include "command/stream.h"

/* A claim, and what it is made with. */
struct claim {
    const struct value *v;
    const struct stream_group *group;
    const struct stream_consumer *consumer; /* NULL until there is something to claim. */
    int64_t min_idle_ms;
    int64_t delivered_ms; /* What is told of it from then on, */
    int64_t count;        /* and how often; -1: once more than before. */
    bool only_ids;        /* And then not even once more. */
    struct buf scratch;
};

static bool parse_min_idle(struct call *c, const char *name, int64_t *min_idle_ms)
{
    if (!number_parse_int(c->argv[4], min_idle_ms)) {
        call_fail(c, "ERR Invalid min-idle-time argument for %s", name);
        return false;
    }
    *min_idle_ms = *min_idle_ms < 0 ? 0 : *min_idle_ms;
    return true;
}

static bool is_idle(const struct call *c, const struct claim *claim, const struct stream_pending *p)
{
    return claim->min_idle_ms == 0 || call_age_ms(c, p->delivered_ms) >= claim->min_idle_ms;
}

/* Ends that an entry is pending, which has gone. */
static void forget(struct call *c, struct claim *claim, struct stream_id id)
{
    call_make(c, change_pending_remove(c->db, c->argv[1], c->argv[2], id, &claim->scratch));
}

/* Gives an entry to the consumer. `count` is of the deliveries so far. */
static void take(struct call *c, struct claim *claim, struct stream_id id, uint64_t count)
{
    struct delivery d = {c->argv[2], c->argv[3], id, claim->delivered_ms, count};

    if (claim->consumer == NULL) {
        claim->consumer = call_stream_consumer(c, c->argv[1], claim->group, c->argv[3]);
    }
    if (claim->count >= 0) {
        d.count = (uint64_t)claim->count;
    } else if (!claim->only_ids) {
        d.count++;
    }
    call_make(c, change_pending_set(c->db, c->argv[1], &d, &claim->scratch));
}

static void reply_taken(struct call *c, const struct claim *claim, struct stream_id id)
{
    struct stream_walk walk = stream_from(claim->v, id);
    struct stream_entry entry;

    if (claim->only_ids) {
        reply_stream_id(c, id);
        return;
    }
    stream_next(&walk, &entry);
    reply_stream_entry(c, &entry);
}

/* XCLAIM. */

struct claim_options {
    bool force;
    struct stream_id last;
};

static bool parse_claim_number(struct call *c, size_t arg, const char *name, int64_t *number)
{
    if (!number_parse_int(c->argv[arg], number)) {
        call_fail(c, "ERR Invalid %s option argument for XCLAIM", name);
        return false;
    }
    return true;
}

/* Reads one option; *arg becomes its last word. */
static bool parse_claim_option(struct call *c, size_t *arg, struct claim *claim,
                               struct claim_options *o)
{
    bool more = *arg + 1 < c->argc;
    size_t option = *arg;
    int64_t idle_ms;

    if (call_is(c, option, "FORCE")) {
        o->force = true;
        return true;
    }
    if (call_is(c, option, "JUSTID")) {
        claim->only_ids = true;
        return true;
    }
    (*arg)++;
    if (more && call_is(c, option, "IDLE")) {
        if (!parse_claim_number(c, *arg, "IDLE", &idle_ms)) {
            return false;
        }
        claim->delivered_ms = (int64_t)((uint64_t)c->now_ms - (uint64_t)idle_ms);
        return true;
    }
    if (more && call_is(c, option, "TIME")) {
        return parse_claim_number(c, *arg, "TIME", &claim->delivered_ms);
    }
    if (more && call_is(c, option, "RETRYCOUNT")) {
        return parse_claim_number(c, *arg, "RETRYCOUNT", &claim->count);
    }
    if (more && call_is(c, option, "LASTID")) {
        return call_stream_id(c, *arg, &o->last, NULL);
    }
    call_fail(c, "ERR Unrecognized XCLAIM option '%.*s'", (int)c->argv[option].len,
              c->argv[option].at);
    return false;
}

/* Reads what is behind the ids, the first of which is argument 5. *end becomes the
 * argument behind the last id. */
static bool parse_xclaim(struct call *c, struct claim *claim, struct claim_options *o, size_t *end)
{
    struct stream_id id;

    if (!parse_min_idle(c, "XCLAIM", &claim->min_idle_ms)) {
        return false;
    }
    for (*end = 5; *end < c->argc && stream_id_parse(c->argv[*end], 0, &id, NULL); (*end)++) {
    }
    for (size_t arg = *end; arg < c->argc; arg++) {
        if (!parse_claim_option(c, &arg, claim, o)) {
            return false;
        }
    }
    if (claim->delivered_ms < 0 || claim->delivered_ms > c->now_ms) {
        claim->delivered_ms = c->now_ms;
    }
    return true;
}

/* Claims one entry. Returns whether it is in the reply. */
static bool claim_id(struct call *c, struct claim *claim, struct stream_id id, bool force)
{
    const struct stream_pending *p = group_pending(claim->group, id);

    if (!stream_has(claim->v, id)) {
        if (p != NULL) {
            forget(c, claim, id);
        }
        return false;
    }
    if (p == NULL ? !force : !is_idle(c, claim, p)) {
        return false;
    }
    take(c, claim, id, p == NULL ? 1 : p->count);
    reply_taken(c, claim, id);
    return true;
}

static void claim_ids(struct call *c, struct claim *claim, size_t end, bool force)
{
    size_t place = reply_late(c);
    struct stream_id id;
    size_t count = 0;

    for (size_t i = 5; i < end; i++) {
        stream_id_parse(c->argv[i], 0, &id, NULL);
        count += claim_id(c, claim, id, force);
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

static void xclaim(struct call *c)
{
    struct claim claim = {.delivered_ms = -1, .count = -1};
    struct claim_options o = {0};
    size_t end;

    if (!call_stream_group(c, 1, &claim.v, &claim.group) || !parse_xclaim(c, &claim, &o, &end)) {
        return;
    }
    if (stream_id_compare(o.last, claim.group->last) > 0) {
        call_make(c, change_group_set(c->db, c->argv[1], c->argv[2], o.last, claim.group->read,
                                      &claim.scratch));
    }
    claim_ids(c, &claim, end, o.force);
    buf_clear(&claim.scratch);
}

/* XAUTOCLAIM. */

struct scan {
    struct stream_id from;
    int64_t count;      /* How many entries may still be claimed or found to have gone, */
    int64_t attempts;   /* and how many may be looked at. */
    struct buf taken;   /* Ids of those that have been claimed, */
    struct buf missing; /* and of those that have gone. */
};

static bool parse_xautoclaim(struct call *c, struct claim *claim, struct scan *s)
{
    enum { MOST_OF_16_BYTES = 16, ATTEMPTS = 10 };

    s->count = 100;
    if (!parse_min_idle(c, "XAUTOCLAIM", &claim->min_idle_ms) ||
        !call_stream_start(c, 5, &s->from)) {
        return false;
    }
    for (size_t arg = 6; arg < c->argc; arg++) {
        if (call_is(c, arg, "JUSTID")) {
            claim->only_ids = true;
        } else if (call_is(c, arg, "COUNT") && arg + 1 < c->argc) {
            if (!number_parse_int(c->argv[++arg], &s->count) || s->count < 1 ||
                s->count > INT64_MAX / MOST_OF_16_BYTES) {
                call_fail(c, "ERR COUNT must be > 0");
                return false;
            }
        } else {
            call_fail_syntax(c);
            return false;
        }
    }
    s->attempts = s->count * ATTEMPTS;
    return true;
}

static void add_id(struct buf *ids, struct stream_id id)
{
    buf_add(ids, (struct bytes){(const char *)&id, sizeof id});
}

static void claim_next(struct call *c, struct claim *claim, struct scan *s,
                       const struct stream_pending *p)
{
    struct stream_id id = p->id;

    if (!stream_has(claim->v, id)) {
        add_id(&s->missing, id);
        forget(c, claim, id);
        s->count--;
    } else if (is_idle(c, claim, p)) {
        add_id(&s->taken, id);
        take(c, claim, id, p->count);
        s->count--;
    }
}

/* Returns the first pending entry from *id on, and sets *id behind it; NULL if there is
 * none. */
static const struct stream_pending *step(const struct claim *claim, struct stream_id *id)
{
    struct tree_at at = group_each_pending(claim->group, *id);
    const struct stream_pending *p = pending_next(&at);

    if (p != NULL) {
        *id = p->id;
        stream_id_next(id);
    }
    return p;
}

/* Claims what the scan finds. s->from becomes where the next one is to begin;
 * STREAM_ID_MIN if this one has come to the end. */
static void claim_all(struct call *c, struct claim *claim, struct scan *s)
{
    const struct stream_pending *p;

    for (; s->attempts > 0 && s->count > 0; s->attempts--) {
        p = step(claim, &s->from);
        if (p == NULL) {
            break;
        }
        claim_next(c, claim, s, p);
    }
    p = step(claim, &s->from);
    s->from = p == NULL ? STREAM_ID_MIN : p->id;
}

static void reply_ids(struct call *c, const struct claim *claim, const struct buf *ids, bool taken)
{
    struct stream_id id;

    reply_array(c, ids->len / sizeof id);
    for (size_t at = 0; at < ids->len; at += sizeof id) {
        memcpy(&id, ids->at + at, sizeof id);
        if (taken) {
            reply_taken(c, claim, id);
        } else {
            reply_stream_id(c, id);
        }
    }
}

static void xautoclaim(struct call *c)
{
    struct claim claim = {.delivered_ms = c->now_ms, .count = -1};
    struct scan s = {0};

    if (!parse_xautoclaim(c, &claim, &s) || !call_stream_group(c, 1, &claim.v, &claim.group)) {
        return;
    }
    claim_all(c, &claim, &s);
    reply_array(c, 3);
    reply_stream_id(c, s.from);
    reply_ids(c, &claim, &s.taken, true);
    reply_ids(c, &claim, &s.missing, false);
    buf_clear(&s.taken);
    buf_clear(&s.missing);
    buf_clear(&claim.scratch);
}

/* clang-format off */
const struct command stream_claim_commands[] = {
    {.name = "xautoclaim", .arity = -6, .flags = FREE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_DELETE)}, .run = xautoclaim, .group = "stream", .since = "6.2.0", .complexity = "O(log N) for each entry looked at", .summary = "Gives to a consumer what has been pending for others too long, by and by", .syntax = "key group consumer min-idle-time start [COUNT count] [JUSTID]"},
    {.name = "xclaim",     .arity = -6, .flags = FREE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .run = xclaim,     .group = "stream", .since = "5.0.0", .complexity = "O(log N) for each id", .summary = "Gives entries that are pending to another consumer", .syntax = "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]"},
    {0},
};
/* clang-format on */
