#include "engine/tracking.h"

#include "base/mem.h"
#include "engine/call.h"
#include "engine/named.h"
#include "engine/observe.h"

#include <assert.h>

/* A key that somebody has read. */
struct tracked {
    struct named named;
    struct tracker **by; /* In the order of their addresses. */
    uint32_t count, cap;
};

/* A prefix that somebody broadcasts. */
struct prefix {
    struct named named;
    struct broadcast *first;
};

/* That one tracker broadcasts one prefix. */
struct broadcast {
    struct tracker *tracker;
    struct prefix *prefix;
    struct broadcast *next_of_tracker;
    struct broadcast *next_of_prefix;
};

/* A key that the batch has changed. */
struct changed {
    struct named named;
};

/* Trackers. */

static struct tracker *use(struct tracker *t)
{
    t->users++;
    return t;
}

static void unuse(struct tracker *t)
{
    if (t != NULL && --t->users == 0) {
        assert(t->session == NULL);
        assert(t->redirect == NULL);
        mem_free(t);
    }
}

static struct tracker *tracker_of(struct session *s)
{
    if (s->tracker == NULL) {
        s->tracker = mem_zalloc(sizeof *s->tracker);
        s->tracker->session = s;
        use(s->tracker);
    }
    return s->tracker;
}

/* Messages. */

static void push_header(struct session *to, bool redirected)
{
    struct sink *out;

    if (to->sink.sink.version == RESP3) {
        out = session_push(to, 2);
        out->ops->bulk(out, BYTES("invalidate"));
        return;
    }
    assert(redirected);
    out = session_push(to, 3);
    out->ops->bulk(out, BYTES("message"));
    out->ops->bulk(out, BYTES("__redis__:invalidate"));
}

static void tell_broken(struct tracker *t)
{
    struct sink *out;

    t->broken = true;
    if (t->session->sink.sink.version == RESP3) {
        out = session_push(t->session, 2);
        out->ops->bulk(out, BYTES("tracking-redir-broken"));
        out->ops->integer(out, (int64_t)t->redirect_id);
    }
}

/* Begins a message for a tracker, which takes one value more. Returns where that goes;
 * NULL if nobody can be told. RESP2 knows no messages but those of pub/sub. */
static struct sink *begin_message(struct tracker *t)
{
    struct session *to = t->session;

    if (t->session->closing) {
        return NULL;
    }
    if (t->redirect != NULL) {
        to = t->redirect->session;
        if (to == NULL) {
            tell_broken(t);
            return NULL;
        }
    }
    if (to->closing ||
        (to->sink.sink.version == RESP2 && (t->redirect == NULL || to->subscriptions.count == 0))) {
        return NULL;
    }
    push_header(to, t->redirect != NULL);
    return &to->sink.sink;
}

static void tell_key(struct tracker *t, struct bytes key)
{
    struct sink *out = begin_message(t);

    if (out != NULL) {
        out->ops->open(out, RESP_ARRAY, 1);
        out->ops->bulk(out, key);
    }
}

/* Tells that all keys may have changed. */
static void tell_all(struct tracker *t)
{
    struct sink *out = begin_message(t);

    if (out != NULL) {
        out->ops->nil(out);
    }
}

static bool is_own_doing(const struct engine *e, const struct tracker *t)
{
    return t->mode.no_loop && e->client != NULL && t->session == e->client;
}

/* Keys that were read. */

/* Returns the place of a tracker among those that have read a key, or where it goes. */
static uint32_t place_of(const struct tracked *k, const struct tracker *t)
{
    uint32_t low = 0;
    uint32_t high = k->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((uintptr_t)k->by[middle] < (uintptr_t)t) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Returns false if it has been there before. */
static bool add_tracker(struct tracked *k, struct tracker *t)
{
    uint32_t at = place_of(k, t);

    if (at < k->count && k->by[at] == t) {
        return false;
    }
    if (k->count == k->cap) {
        k->cap = k->cap == 0 ? 1 : 2 * k->cap;
        k->by = mem_realloc(k->by, k->cap * sizeof *k->by);
    }
    memmove(k->by + at + 1, k->by + at, (k->count - at) * sizeof *k->by);
    k->by[at] = use(t);
    k->count++;
    return true;
}

static void remember(struct engine *e, struct tracker *t, struct bytes key)
{
    struct tracked *k = named_find_or_add(&e->tracking.keys, sizeof *k, key);

    e->tracking.items += add_tracker(k, t);
}

static void release_trackers(struct tracked *k)
{
    for (uint32_t i = 0; i < k->count; i++) {
        unuse(k->by[i]);
    }
    mem_free(k->by);
}

static void free_tracked(void *item)
{
    release_trackers(item);
    mem_free(item);
}

static void forget_keys(struct engine *e)
{
    table_free(e->tracking.keys, free_tracked);
    e->tracking.keys = NULL;
    e->tracking.items = 0;
}

/* Tells all who have read a key, and forgets it. */
static void invalidate(struct engine *e, struct tracked *k)
{
    for (uint32_t i = 0; i < k->count; i++) {
        struct tracker *t = k->by[i];
        if (t->session != NULL && t->on && !t->mode.broadcasts && !is_own_doing(e, t)) {
            tell_key(t, k->named.name);
        }
    }
    e->tracking.items -= k->count;
    release_trackers(k);
    named_remove(&e->tracking.keys, k);
}

void tracking_limit(struct engine *e)
{
    enum { AT_ONCE = 1000 };
    size_t most = e->settings.tracking_max_keys;

    for (int i = 0; i < AT_ONCE && most > 0 && tracking_keys(e) > most; i++) {
        invalidate(e, table_random(e->tracking.keys, &e->random));
    }
}

/* Commands. */

struct reading {
    const struct call *call;
    struct tracker *tracker;
};

/* What is read behind a change of its batch is remembered behind it, too. */
static void remember_argument(size_t place, unsigned flags, void *context)
{
    struct reading *r = context;
    struct engine *e = r->call->engine;
    struct bytes key = r->call->argv[place];

    if (flags & KEY_NOT_KEY) {
        return;
    }
    if (batch_has_records(e)) {
        journal_note(&e->journal, &(struct note){.kind = NOTE_READ, .content = key});
    } else {
        remember(e, r->tracker, key);
    }
}

static void remember_keys(const struct call *c)
{
    struct tracker *t = c->session->tracker;
    struct reading reading = {c, t};

    if (tracking_is_on(t) && !t->mode.broadcasts && !(t->mode.opt_in && !t->caching) &&
        !(t->mode.opt_out && t->caching)) {
        command_keys(c->command, c->argc, c->argv, remember_argument, &reading);
    }
}

/* When a script reads anything, its caller has read the keys that the script was given:
 * it is for them that the result is kept. */
static void see_script_read(struct engine *e)
{
    struct tracking *t = &e->tracking;

    if (t->script != NULL && t->script_changes != e->journal.changes) {
        t->script_changes = e->journal.changes;
        remember_keys(t->script);
    }
}

void tracking_see_script(const struct call *c)
{
    c->engine->tracking.script = c;
    c->engine->tracking.script_changes = UINT64_MAX;
}

void tracking_see_call(const struct call *c)
{
    bool is_script = (c->command->flags & COMMAND_SCRIPT) != 0;
    bool reads = (c->command->flags & COMMAND_READONLY) && !is_script;

    if (is_script) {
        c->engine->tracking.script = NULL;
    } else if (reads && c->session->in_script) {
        see_script_read(c->engine);
    } else if (reads) {
        remember_keys(c);
    }
}

void tracking_see_read(struct engine *e, const struct note *n)
{
    if (e->client != NULL && tracking_is_on(e->client->tracker)) {
        remember(e, e->client->tracker, n->content);
    }
}

void tracking_end_request(struct session *s)
{
    bool is_client = s->last_command != NULL && strcmp(s->last_command->name, "client") == 0;

    if (!s->in_multi && !is_client) {
        s->tracker->caching = false;
    }
}

/* Beginning and ending. */

static void leave_prefix(struct engine *e, struct broadcast *b)
{
    struct broadcast **link = &b->prefix->first;

    while (*link != b) {
        link = &(*link)->next_of_prefix;
    }
    *link = b->next_of_prefix;
    if (b->prefix->first == NULL) {
        named_remove(&e->tracking.prefixes, b->prefix);
    }
}

static void leave_prefixes(struct engine *e, struct tracker *t)
{
    while (t->broadcasts != NULL) {
        struct broadcast *b = t->broadcasts;
        t->broadcasts = b->next_of_tracker;
        leave_prefix(e, b);
        mem_free(b);
    }
}

void tracking_start(struct session *s, const struct tracking_mode *mode, struct session *redirect)
{
    struct tracker *t = tracker_of(s);

    s->engine->tracking.sessions += !t->on;
    t->on = true;
    t->mode = *mode;
    t->broken = false;
    unuse(t->redirect);
    t->redirect = redirect != NULL ? use(tracker_of(redirect)) : NULL;
    t->redirect_id = redirect != NULL ? redirect->id : 0;
}

void tracking_add_prefix(struct session *s, struct bytes name)
{
    struct prefix *p = named_find_or_add(&s->engine->tracking.prefixes, sizeof *p, name);
    struct broadcast **link = &s->tracker->broadcasts;
    struct broadcast *new;

    while (*link != NULL && bytes_compare((*link)->prefix->named.name, name) < 0) {
        link = &(*link)->next_of_tracker;
    }
    if (*link != NULL && (*link)->prefix == p) {
        return;
    }
    new = mem_alloc(sizeof *new);
    *new = (struct broadcast){s->tracker, p, *link, p->first};
    *link = new;
    p->first = new;
}

void tracking_each_prefix(const struct session *s, void (*see)(struct bytes prefix, void *context),
                          void *context)
{
    const struct broadcast *b = s->tracker != NULL ? s->tracker->broadcasts : NULL;

    for (; b != NULL; b = b->next_of_tracker) {
        see(b->prefix->named.name, context);
    }
}

void tracking_stop(struct session *s)
{
    struct tracker *t = s->tracker;

    if (!tracking_is_on(t)) {
        return;
    }
    leave_prefixes(s->engine, t);
    unuse(t->redirect);
    t->redirect = NULL;
    t->redirect_id = 0;
    t->on = false;
    t->caching = false;
    t->broken = false;
    t->mode = (struct tracking_mode){0};
    s->engine->tracking.sessions--;
    if (s->engine->tracking.sessions == 0) {
        forget_keys(s->engine);
        s->engine->tracking.script = NULL;
    }
}

void tracking_drop(struct session *s)
{
    if (s->tracker != NULL) {
        tracking_stop(s);
        s->tracker->session = NULL;
        unuse(TAKE(s->tracker));
    }
}

/* Changes. */

static void see_flush(struct engine *e)
{
    if (e->tracking.flushed) {
        return;
    }
    e->tracking.flushed = true;
    for (struct session *s = e->sessions; s != NULL; s = s->next) {
        if (tracking_is_on(s->tracker)) {
            tell_all(s->tracker);
        }
    }
    forget_keys(e);
}

void call_flush_nothing(struct call *c)
{
    if (c->engine->tracking.sessions > 0) {
        journal_note(&c->engine->journal, &(struct note){.kind = NOTE_FLUSH});
    }
}

void tracking_see_flush(struct engine *e, const struct note *n)
{
    (void)n;
    see_flush(e);
}

void tracking_see(struct engine *e, const struct change *inverse)
{
    struct tracked *k;

    if (inverse->kind == CHANGE_FLUSH || inverse->kind == CHANGE_SWAP) {
        see_flush(e);
        return;
    }
    if (e->tracking.prefixes != NULL) {
        named_find_or_add(&e->tracking.changed, sizeof(struct changed), inverse->key);
    }
    k = named_find(e->tracking.keys, inverse->key);
    if (k != NULL) {
        invalidate(e, k);
    }
}

static bool has_prefix(struct bytes name, struct bytes prefix)
{
    return name.len >= prefix.len &&
           (prefix.len == 0 || memcmp(name.at, prefix.at, prefix.len) == 0);
}

/* Lists the changed keys that begin so, and returns how many those are. */
static size_t list_changed(const struct engine *e, struct bytes prefix, struct bytes *list)
{
    struct table_walk walk = {0};
    const struct changed *c;
    size_t count = 0;

    while ((c = table_next(e->tracking.changed, &walk)) != NULL) {
        if (has_prefix(c->named.name, prefix)) {
            list[count++] = c->named.name;
        }
    }
    return count;
}

static void broadcast_keys(struct tracker *t, const struct bytes *keys, size_t count)
{
    struct sink *out = begin_message(t);

    if (out == NULL) {
        return;
    }
    out->ops->open(out, RESP_ARRAY, count);
    for (size_t i = 0; i < count; i++) {
        out->ops->bulk(out, keys[i]);
    }
}

static void broadcast_prefix(struct engine *e, const struct prefix *p, struct bytes *keys)
{
    size_t count = list_changed(e, p->named.name, keys);

    for (struct broadcast *b = p->first; count > 0 && b != NULL; b = b->next_of_prefix) {
        if (!is_own_doing(e, b->tracker)) {
            broadcast_keys(b->tracker, keys, count);
        }
    }
}

void tracking_see_end(struct engine *e)
{
    struct tracking *t = &e->tracking;
    struct table_walk walk = {0};
    const struct prefix *p;
    struct bytes *keys;

    t->flushed = false;
    if (t->changed == NULL) {
        return;
    }
    keys = mem_alloc(table_count(t->changed) * sizeof *keys);
    while ((p = named_next(t->prefixes, &walk)) != NULL) {
        broadcast_prefix(e, p, keys);
    }
    mem_free(keys);
    table_free(t->changed, mem_free);
    t->changed = NULL;
}

size_t tracking_keys(const struct engine *e)
{
    return named_count(e->tracking.keys);
}

size_t tracking_prefixes(const struct engine *e)
{
    return named_count(e->tracking.prefixes);
}
