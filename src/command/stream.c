/* Commands on the entries of streams. */
#include "command/stream.h"

#include "command/families.h"
#include "command/flags.h"
#include "engine/event.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Ids. */

static size_t format_number(char *out, uint64_t n)
{
    return n <= INT64_MAX ? number_format_int(out, (int64_t)n)
                          : (size_t)snprintf(out, NUMBER_INT_MAX, "%llu", (unsigned long long)n);
}

size_t stream_id_format(char text[STREAM_ID_TEXT], struct stream_id id)
{
    size_t len = format_number(text, id.ms);

    text[len++] = '-';
    return len + format_number(text + len, id.seq);
}

/* As Redis does it: strictly, and else as strtoull() would. */
static bool parse_number(const char *text, uint64_t *n)
{
    int64_t number;
    char *end;

    if (number_parse_int(bytes_of(text), &number)) {
        *n = (uint64_t)number;
        return number >= 0;
    }
    errno = 0;
    *n = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

bool stream_id_parse(struct bytes text, uint64_t missing_seq, struct stream_id *id, bool *any_seq)
{
    enum { TEXT_MAX = 127 };
    char copy[TEXT_MAX + 1];
    struct stream_id parsed = {.seq = missing_seq};
    char *seq;

    if (text.len > TEXT_MAX) {
        return false;
    }
    bytes_to_string(text, copy, sizeof copy);
    seq = strchr(copy, '-');
    if (seq != NULL) {
        *seq++ = '\0';
    }
    if (any_seq != NULL) {
        *any_seq = seq != NULL && strcmp(seq, "*") == 0;
    }
    if (!parse_number(copy, &parsed.ms)) {
        return false;
    }
    if (any_seq != NULL && *any_seq) {
        parsed.seq = 0;
    } else if (seq != NULL && !parse_number(seq, &parsed.seq)) {
        return false;
    }
    *id = parsed;
    return true;
}

static void fail_id(struct call *c)
{
    call_fail(c, "ERR Invalid stream ID specified as stream command argument");
}

bool call_stream_id(struct call *c, size_t arg, struct stream_id *id, bool *any_seq)
{
    if (!stream_id_parse(c->argv[arg], 0, id, any_seq)) {
        fail_id(c);
        return false;
    }
    return true;
}

/* Reads a bound of a range. *exclusive says whether it is not to be in it. */
static bool parse_bound(struct bytes text, uint64_t missing_seq, struct stream_id *id,
                        bool *exclusive)
{
    *exclusive = text.len > 1 && text.at[0] == '(';
    if (*exclusive) {
        return stream_id_parse((struct bytes){text.at + 1, text.len - 1}, missing_seq, id, NULL);
    }
    if (bytes_equal(text, BYTES("-"))) {
        *id = STREAM_ID_MIN;
        return true;
    }
    if (bytes_equal(text, BYTES("+"))) {
        *id = STREAM_ID_MAX;
        return true;
    }
    return stream_id_parse(text, missing_seq, id, NULL);
}

bool call_stream_start(struct call *c, size_t arg, struct stream_id *id)
{
    bool exclusive;

    if (!parse_bound(c->argv[arg], 0, id, &exclusive)) {
        fail_id(c);
        return false;
    }
    if (exclusive && !stream_id_next(id)) {
        call_fail(c, "ERR invalid start ID for the interval");
        return false;
    }
    return true;
}

bool call_stream_end(struct call *c, size_t arg, struct stream_id *id)
{
    bool exclusive;

    if (!parse_bound(c->argv[arg], UINT64_MAX, id, &exclusive)) {
        fail_id(c);
        return false;
    }
    if (exclusive && !stream_id_previous(id)) {
        call_fail(c, "ERR invalid end ID for the interval");
        return false;
    }
    return true;
}

/* Replies. */

void reply_stream_id(struct call *c, struct stream_id id)
{
    char text[STREAM_ID_TEXT];

    reply_bytes(c, (struct bytes){text, stream_id_format(text, id)});
}

void reply_stream_entry(struct call *c, struct stream_entry *entry)
{
    struct bytes name, content;

    reply_array(c, 2);
    reply_stream_id(c, entry->id);
    reply_array(c, 2 * entry->count);
    while (entry->count > 0) {
        name = stream_field(entry, &content);
        reply_bytes(c, name);
        reply_bytes(c, content);
    }
}

static bool is_within(struct stream_id id, const struct stream_range *range, bool backwards)
{
    return backwards ? stream_id_compare(id, range->from) >= 0
                     : stream_id_compare(id, range->to) <= 0;
}

size_t reply_stream_entries(struct call *c, const struct value *v, struct stream_range range,
                            size_t most, bool backwards)
{
    struct stream_walk walk =
        backwards ? stream_back_from(v, range.to) : stream_from(v, range.from);
    size_t place = reply_late(c);
    struct stream_entry entry;
    size_t count = 0;

    while ((most == 0 || count < most) && stream_next(&walk, &entry) &&
           is_within(entry.id, &range, backwards)) {
        reply_stream_entry(c, &entry);
        count++;
    }
    reply_late_end(c, place, RESP_ARRAY, count);
    return count;
}

/* Reading. */

static void xlen(struct call *c)
{
    const struct value *v;

    if (call_find(c, 1, VALUE_STREAM, &v)) {
        reply_int(c, v == NULL ? 0 : (int64_t)stream_count(v));
    }
}

/* Reads [COUNT count] from argument 4 on. Negative is as 0; *count stays as it is
 * where there is none. */
static bool parse_count(struct call *c, int64_t *count)
{
    for (size_t i = 4; i < c->argc; i += 2) {
        if (!call_is(c, i, "COUNT") || i + 1 == c->argc) {
            call_fail_syntax(c);
            return false;
        }
        if (!call_int(c, i + 1, count)) {
            return false;
        }
        *count = *count < 0 ? 0 : *count;
    }
    return true;
}

static void range(struct call *c, bool backwards)
{
    struct stream_range ids;
    int64_t count = -1;
    const struct value *v;

    if (!call_stream_start(c, backwards ? 3 : 2, &ids.from) ||
        !call_stream_end(c, backwards ? 2 : 3, &ids.to) || !parse_count(c, &count) ||
        !call_find(c, 1, VALUE_STREAM, &v)) {
        return;
    }
    if (v == NULL) {
        reply_array(c, 0);
    } else if (count == 0) {
        reply_nil_array(c);
    } else {
        reply_stream_entries(c, v, ids, count < 0 ? 0 : (size_t)count, backwards);
    }
}

static void xrange(struct call *c)
{
    range(c, false);
}

static void xrevrange(struct call *c)
{
    range(c, true);
}

/* Adding and trimming. */

/* What XADD and XTRIM are told before the id. */
struct options {
    size_t id_arg; /* Where the id is. */
    bool must_exist;
    bool any_id;  /* The id is "*", */
    bool any_seq; /* or ends in "-*". */
    struct stream_id id;
    bool trims;
    bool limited; /* There is a LIMIT, */
    int64_t limit;
    struct stream_trim trim;
};

/* Reads MAXLEN or MINID, which argument *arg is. Leaves *arg at its last word. */
static bool parse_trim(struct call *c, size_t *arg, struct options *o)
{
    bool by_count = call_is(c, *arg, "MAXLEN");
    size_t more = c->argc - 1 - *arg;
    int64_t count;

    if (o->trims) {
        call_fail(c,
                  "ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
        return false;
    }
    o->trims = true;
    o->trim.by = by_count ? TRIM_TO_COUNT : TRIM_BELOW_ID;
    (*arg)++;
    if (more >= 2 && (call_is(c, *arg, "~") || call_is(c, *arg, "="))) {
        o->trim.whole_pages = call_is(c, *arg, "~");
        (*arg)++;
    }
    if (!by_count) {
        return call_stream_id(c, *arg, &o->trim.id, NULL);
    }
    if (!call_int(c, *arg, &count)) {
        return false;
    }
    if (count < 0) {
        call_fail(c, "ERR The MAXLEN argument must be >= 0.");
        return false;
    }
    o->trim.count = (size_t)count;
    return true;
}

static bool parse_limit(struct call *c, size_t arg, struct options *o)
{
    if (!call_int(c, arg, &o->limit)) {
        return false;
    }
    if (o->limit < 0) {
        call_fail(c, "ERR The LIMIT argument must be >= 0.");
        return false;
    }
    o->limited = true;
    return true;
}

/* How many entries a trim of whole pages removes at most if it is not told: those of
 * a hundred pages, as Redis counts. */
static size_t usual_limit(const struct call *c)
{
    enum { PAGES = 100, WITHOUT_PAGES = 10000, MOST = 1000000 };
    size_t entries = c->engine->data->limits.stream_max_entries;

    if (entries == 0) {
        return WITHOUT_PAGES;
    }
    return entries > MOST / PAGES ? MOST : PAGES * entries;
}

/* Checks which options may go together. */
static bool check_trim(struct call *c, bool adds, struct options *o)
{
    if (o->limit > 0 && !o->trims) {
        call_fail(c,
                  "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
        return false;
    }
    if (!adds && !o->trims) {
        call_fail(c, "ERR syntax error, XTRIM must be called with a trimming strategy");
        return false;
    }
    if (o->limited && !o->trim.whole_pages) {
        call_fail(c, "ERR syntax error, LIMIT cannot be used without the special ~ option");
        return false;
    }
    if (o->trim.whole_pages) {
        o->trim.limit = o->limited ? (size_t)o->limit : usual_limit(c);
    }
    return true;
}

static bool parse_options(struct call *c, bool adds, struct options *o)
{
    size_t arg;

    for (arg = 2; arg < c->argc; arg++) {
        bool more = arg + 1 < c->argc;
        if (adds && bytes_equal(c->argv[arg], BYTES("*"))) {
            o->any_id = true;
            break;
        }
        if (more && (call_is(c, arg, "MAXLEN") || call_is(c, arg, "MINID"))) {
            if (!parse_trim(c, &arg, o)) {
                return false;
            }
        } else if (more && call_is(c, arg, "LIMIT")) {
            if (!parse_limit(c, ++arg, o)) {
                return false;
            }
        } else if (adds && call_is(c, arg, "NOMKSTREAM")) {
            o->must_exist = true;
        } else if (adds) {
            if (!call_stream_id(c, arg, &o->id, &o->any_seq)) {
                return false;
            }
            break;
        } else {
            call_fail_syntax(c);
            return false;
        }
    }
    o->id_arg = arg;
    return check_trim(c, adds, o);
}

/* Removes what a trim removes. Returns how many entries that is. */
static size_t trim(struct call *c, const struct value *v, const struct stream_trim *how)
{
    struct stream_range ids;
    size_t count = stream_plan_trim(v, how, &ids);

    if (count > 0) {
        call_make(c, change_entry_remove(c->db, c->argv[1], ids));
        call_event(c, EVENT_STREAM, "xtrim", c->argv[1]);
    }
    return count;
}

static void xtrim(struct call *c)
{
    struct options o = {0};
    const struct value *v;

    if (parse_options(c, false, &o) && call_find(c, 1, VALUE_STREAM, &v)) {
        reply_int(c, v == NULL ? 0 : (int64_t)trim(c, v, &o.trim));
    }
}

/* Finds the id of a new entry behind `last`. Returns false, having failed the call, if
 * it cannot have one. */
static bool next_id(struct call *c, struct stream_id last, struct options *o)
{
    struct stream_id next = last;
    bool fits;

    if (!stream_id_next(&next)) {
        call_fail(c, "ERR The stream has exhausted the last possible ID, unable to add more items");
        return false;
    }
    if (o->any_id) {
        o->id = (uint64_t)c->now_ms > last.ms ? (struct stream_id){(uint64_t)c->now_ms, 0} : next;
        return true;
    }
    if (o->any_seq && o->id.ms == last.ms) {
        fits = next.ms == last.ms;
        o->id = next;
    } else {
        fits = stream_id_compare(o->id, last) > 0;
    }
    if (!fits) {
        call_fail(
            c, "ERR The ID specified in XADD is equal or smaller than the target stream top item");
    }
    return fits;
}

/* Redis's limit, which leaves room for what else there is in a page. */
static bool is_too_large(const struct bytes *fields, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += fields[i].len;
    }
    return sum > (size_t)1 << 30;
}

static void xadd(struct call *c)
{
    struct options o = {0};
    const struct value *v;
    const struct bytes *fields;
    size_t count;
    BUF_LOCAL(coded);

    if (!parse_options(c, true, &o)) {
        return;
    }
    if (c->argc < o.id_arg + 3 || (c->argc - o.id_arg) % 2 == 0) {
        call_fail_arity(c);
        return;
    }
    fields = c->argv + o.id_arg + 1;
    count = c->argc - o.id_arg - 1;
    if (!o.any_id && !o.any_seq && stream_id_compare(o.id, STREAM_ID_MIN) == 0) {
        call_fail(c, "ERR The ID specified in XADD must be greater than 0-0");
        return;
    }
    if (!call_find(c, 1, VALUE_STREAM, &v)) {
        return;
    }
    if (v == NULL && o.must_exist) {
        reply_nil(c);
        return;
    }
    if (!next_id(c, v == NULL ? STREAM_ID_MIN : stream_meta(v).last, &o)) {
        return;
    }
    if (is_too_large(fields, count)) {
        call_fail(c, "ERR Elements are too large to be stored");
        return;
    }
    if (v == NULL && !call_find_or_bind(c, 1, VALUE_STREAM, &v)) {
        return;
    }
    stream_put_fields(&coded, fields, count / 2);
    call_make(c, change_entry_add(c->db, c->argv[1], o.id, buf_bytes(&coded)));
    call_event(c, EVENT_STREAM, "xadd", c->argv[1]);
    reply_stream_id(c, o.id);
    if (o.trims) {
        trim(c, v, &o.trim);
    }
}

/* Removing, and what a stream remembers. */

static void remove_entry(struct call *c, struct stream_id id)
{
    call_make(c, change_entry_remove(c->db, c->argv[1], (struct stream_range){id, id}));
}

static void xdel(struct call *c)
{
    const struct value *v;
    struct stream_meta meta;
    struct stream_id id;
    int64_t removed = 0;
    BUF_LOCAL(scratch);

    if (!call_find(c, 1, VALUE_STREAM, &v)) {
        return;
    }
    for (size_t i = 2; v != NULL && i < c->argc; i++) {
        if (!call_stream_id(c, i, &id, NULL)) {
            return;
        }
    }
    for (size_t i = 2; v != NULL && i < c->argc; i++) {
        stream_id_parse(c->argv[i], 0, &id, NULL);
        if (stream_has(v, id)) {
            remove_entry(c, id);
            removed++;
            meta = stream_meta(v);
            if (stream_id_compare(id, meta.max_deleted) > 0) {
                meta.max_deleted = id;
                call_make(c, change_stream_meta(c->db, c->argv[1], &meta, &scratch));
            }
        }
    }
    if (removed > 0) {
        call_event(c, EVENT_STREAM, "xdel", c->argv[1]);
    }
    reply_int(c, removed);
}

/* Reads what XSETID is to set. *added stays as it is where there is no ENTRIESADDED. */
static bool parse_xsetid(struct call *c, struct stream_id *last, struct stream_id *max_deleted,
                         int64_t *added)
{
    if (!call_stream_id(c, 2, last, NULL)) {
        return false;
    }
    for (size_t i = 3; i < c->argc; i += 2) {
        bool more = i + 1 < c->argc;
        if (more && call_is(c, i, "ENTRIESADDED")) {
            if (!call_int(c, i + 1, added)) {
                return false;
            }
            if (*added < 0) {
                call_fail(c, "ERR entries_added must be positive");
                return false;
            }
        } else if (more && call_is(c, i, "MAXDELETEDID")) {
            if (!call_stream_id(c, i + 1, max_deleted, NULL)) {
                return false;
            }
            if (stream_id_compare(*last, *max_deleted) < 0) {
                call_fail(c, "ERR The ID specified in XSETID is smaller than the provided "
                             "max_deleted_entry_id");
                return false;
            }
        } else {
            call_fail_syntax(c);
            return false;
        }
    }
    return true;
}

static void xsetid(struct call *c)
{
    struct stream_id last;
    struct stream_id max_deleted = STREAM_ID_MIN;
    int64_t added = -1;
    struct stream_meta meta;
    const struct value *v;
    BUF_LOCAL(scratch);

    if (!parse_xsetid(c, &last, &max_deleted, &added) || !call_find(c, 1, VALUE_STREAM, &v)) {
        return;
    }
    if (v == NULL) {
        call_fail(c, "ERR no such key");
        return;
    }
    if (stream_count(v) > 0 && stream_id_compare(last, stream_last_id(v)) < 0) {
        call_fail(c, "ERR The ID specified in XSETID is smaller than the target stream top item");
        return;
    }
    if (stream_count(v) > 0 && added >= 0 && (uint64_t)added < stream_count(v)) {
        call_fail(
            c,
            "ERR The entries_added specified in XSETID is smaller than the target stream length");
        return;
    }
    meta = stream_meta(v);
    meta.last = last;
    meta.added = added >= 0 ? (uint64_t)added : meta.added;
    if (stream_id_compare(max_deleted, STREAM_ID_MIN) > 0) {
        meta.max_deleted = max_deleted;
    }
    call_make(c, change_stream_meta(c->db, c->argv[1], &meta, &scratch));
    call_event(c, EVENT_STREAM, "xsetid", c->argv[1]);
    reply_ok(c);
}

/* clang-format off */
enum {
    FREE = COMMAND_WRITE | COMMAND_DIRECT,
};

const struct command stream_commands[] = {
    {.name = "xadd",      .arity = -5, .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .run = xadd,      .group = "stream", .since = "5.0.0", .complexity = "O(log N); O(N) with N entries trimmed", .summary = "Adds an entry to a stream, and trims it", .syntax = "key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]"},
    {.name = "xdel",      .arity = -3, .flags = FREE_FAST,  .keys = {ONE_KEY(KEY_RW | KEY_DELETE)}, .run = xdel,      .group = "stream", .since = "5.0.0", .complexity = "O(log N) for each id", .summary = "Removes entries from a stream", .syntax = "key id [id ...]"},
    {.name = "xlen",      .arity = 2,  .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO)},              .run = xlen,      .group = "stream", .since = "5.0.0", .complexity = "O(1)", .summary = "Returns how many entries a stream has", .syntax = "key"},
    {.name = "xrange",    .arity = -4, .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = xrange,    .group = "stream", .since = "5.0.0", .complexity = "O(log N + M) with M entries returned", .summary = "Returns the entries between two ids", .syntax = "key start end [COUNT count]"},
    {.name = "xrevrange", .arity = -4, .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = xrevrange, .group = "stream", .since = "5.0.0", .complexity = "O(log N + M) with M entries returned", .summary = "Returns the entries between two ids, the last one first", .syntax = "key end start [COUNT count]"},
    {.name = "xsetid",    .arity = -3, .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .run = xsetid,    .group = "stream", .since = "5.0.0", .complexity = "O(log N)", .summary = "Sets the id behind which the next entry comes, and what else a stream remembers", .syntax = "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]"},
    {.name = "xtrim",     .arity = -4, .flags = FREE,       .keys = {ONE_KEY(KEY_RW | KEY_DELETE)}, .run = xtrim,     .group = "stream", .since = "5.0.0", .complexity = "O(N) with N entries removed", .summary = "Removes the oldest entries of a stream", .syntax = "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count]"},
    {0},
};
/* clang-format on */
