#include "engine/block.h"

#include "base/mem.h"
#include "data/tree.h"
#include "engine/call.h"
#include "engine/deadlock.h"
#include "engine/request.h"
#include "engine/wait.h"

#include <assert.h>
#include <math.h>

enum { LONG_AGO_MS = 1 }; /* Log time: has passed when the server starts. */

static const struct tree_type by_address = {.compare = NULL};

/* Keys. */

static void make_ready(struct waiting *w, struct waited_key *k)
{
    if (k->ready) {
        return;
    }
    k->ready = true;
    k->next_ready = NULL;
    if (w->ready_last != NULL) {
        w->ready_last->next_ready = k;
    } else {
        w->ready_first = k;
    }
    w->ready_last = k;
}

/* A key goes when nobody waits for it and it does not stand in the list of those to
 * be served. */
static void forget_if_unused(struct waiting *w, struct waited_key *k)
{
    if (k->any.count == 0 && k->ordered.count == 0 && !k->ready) {
        named_remove(&w->keys, k);
    }
}

static struct waiter_list *list_of(struct waited_key *k, const struct wait *wait)
{
    return wait->ordered ? &k->ordered : &k->any;
}

bool wait_is_first(const struct wait *wait)
{
    for (size_t i = 0; i < wait->key_count; i++) {
        if (wait->keys[i].key != NULL && wait->keys[i].previous != NULL) {
            return false;
        }
    }
    return true;
}

/* Joins and leaves. */

static void join_key(struct waiting *w, struct waiter *waiter, struct wait *wait, unsigned db,
                     struct bytes key)
{
    struct waited_key *k = named_find_or_add_key(&w->keys, sizeof *k, db, key);
    struct waiter_list *l = list_of(k, wait);

    if (l->last != NULL && l->last->wait == wait) { /* The same key was named before. */
        return;
    }
    *waiter = (struct waiter){.wait = wait, .key = k, .previous = l->last};
    if (l->last != NULL) {
        l->last->next = waiter;
    } else {
        l->first = waiter;
    }
    l->last = waiter;
    l->count++;
    k->several += wait->ordered && wait->key_count > 1;
}

/* Behind the oldest of those in order comes the next. */
static void leave_key(struct waiting *w, struct waiter *waiter)
{
    struct waited_key *k = waiter->key;
    struct waiter_list *l;

    if (k == NULL) {
        return;
    }
    l = list_of(k, waiter->wait);
    if (waiter->previous != NULL) {
        waiter->previous->next = waiter->next;
    } else {
        l->first = waiter->next;
    }
    if (waiter->next != NULL) {
        waiter->next->previous = waiter->previous;
    } else {
        l->last = waiter->previous;
    }
    l->count--;
    k->several -= waiter->wait->ordered && waiter->wait->key_count > 1;
    if (waiter->wait->ordered && waiter->previous == NULL && l->count > 0) {
        make_ready(w, k);
    }
    forget_if_unused(w, k);
}

static void join_list(struct wait_list *l, struct wait *wait)
{
    wait->next = NULL;
    wait->previous = l->last;
    if (l->last != NULL) {
        l->last->next = wait;
    } else {
        l->first = wait;
    }
    l->last = wait;
}

static void leave_list(struct wait_list *l, struct wait *wait)
{
    if (wait->previous != NULL) {
        wait->previous->next = wait->next;
    } else {
        l->first = wait->next;
    }
    if (wait->next != NULL) {
        wait->next->previous = wait->previous;
    } else {
        l->last = wait->previous;
    }
}

/* When something is to be done about a wait; 0: never. */
static int64_t due_ms(const struct wait *wait)
{
    if (wait->again_ms == 0 || (wait->deadline_ms != 0 && wait->deadline_ms < wait->again_ms)) {
        return wait->deadline_ms;
    }
    return wait->again_ms;
}

static void join_deadlines(struct waiting *w, struct wait *wait)
{
    int64_t due = due_ms(wait);

    if (due == 0) {
        return;
    }
    if (w->deadlines == NULL) {
        w->deadlines = tree_new(&by_address);
    }
    tree_add(w->deadlines, (uint64_t)due, wait);
}

static void leave_deadlines(struct waiting *w, struct wait *wait)
{
    int64_t due = due_ms(wait);

    if (due == 0) {
        return;
    }
    tree_remove(w->deadlines, (uint64_t)due, wait);
    if (tree_count(w->deadlines) == 0) {
        tree_free(w->deadlines, NULL);
        w->deadlines = NULL;
    }
}

static void set_deadlines(struct waiting *w, struct wait *wait, int64_t deadline_ms,
                          int64_t again_ms)
{
    if (deadline_ms == wait->deadline_ms && again_ms == wait->again_ms) {
        return;
    }
    leave_deadlines(w, wait);
    wait->deadline_ms = deadline_ms;
    wait->again_ms = again_ms;
    join_deadlines(w, wait);
}

static void leave(struct waiting *w, struct wait *wait)
{
    if (wait->postponed) {
        leave_list(&w->postponed, wait);
        return;
    }
    if (wait->progress) {
        leave_list(&w->progress, wait);
    }
    leave_deadlines(w, wait);
    deadlock_leave(w, wait);
    for (size_t i = 0; i < wait->key_count; i++) {
        leave_key(w, &wait->keys[i]);
    }
    w->blocked--;
}

/* Waits. */

static struct wait *wait_new(struct session *s, size_t keys, size_t argc, const struct bytes *argv)
{
    struct wait *wait = mem_zalloc(sizeof *wait + keys * sizeof *wait->keys);
    size_t size;

    assert(s->wait == NULL);
    wait->session = s;
    wait->arrival = ++s->engine->waiting.arrivals;
    wait->argc = argc;
    wait->argv = session_copy_arguments(argc, argv, &size);
    wait->key_count = keys;
    s->wait = wait;
    return wait;
}

static void wait_free(struct wait *wait)
{
    mem_free(wait->argv);
    mem_free(wait->owner);
    mem_free(wait);
}

void block_drop(struct session *s)
{
    struct wait *wait = TAKE(s->wait);

    s->operation = 0;
    if (wait != NULL) {
        leave(&s->engine->waiting, wait);
        wait_free(wait);
    }
}

bool block_is_blocked(const struct session *s)
{
    return s->wait != NULL && !s->wait->postponed;
}

bool block_goes_on(const struct session *s)
{
    return s->wait != NULL && s->wait->again;
}

bool call_timeout(struct call *c, size_t arg, int64_t *timeout_ms)
{
    long double seconds, ms;

    if (!number_parse_long_double(c->argv[arg], &seconds)) {
        call_fail(c, "ERR timeout is not a float or out of range");
        return false;
    }
    ms = ceill(seconds * 1000);
    if (ms < 0 || ms > (long double)INT64_MAX) { /* Redis calls both of them negative. */
        call_fail(c, "ERR timeout is negative");
        return false;
    }
    *timeout_ms = ms < (long double)(INT64_MAX - c->now_ms) ? (int64_t)ms : INT64_MAX - c->now_ms;
    return true;
}

bool call_may_block(const struct call *c)
{
    const struct session *s = c->session;

    return !s->in_script && !s->in_multi && (s->wait == NULL || !s->wait->timed_out);
}

/* Saturates: who waits for longer than time goes on waits for ever. */
static int64_t in_ms(const struct call *c, int64_t ms)
{
    return ms == 0 ? 0 : ms < INT64_MAX - c->now_ms ? c->now_ms + ms : INT64_MAX;
}

/* What a request waits for by time, and whom, may be other than the last time. */
static void update(struct call *c, struct wait *wait, const struct block *b)
{
    struct waiting *w = &c->engine->waiting;
    size_t size;

    wait->again = true;
    set_deadlines(w, wait, wait->deadline_ms,
                  wait->ordered && !wait_is_first(wait) ? 0 : in_ms(c, b->again_ms));
    deadlock_leave(w, wait);
    mem_free(wait->owner);
    wait->owners = b->owners;
    wait->owner = b->owners > 0 ? session_copy_arguments(b->owners, b->owner, &size) : NULL;
    deadlock_join(w, wait);
}

static void join(struct call *c, struct wait *wait, const struct block *b)
{
    struct waiting *w = &c->engine->waiting;

    wait->type = b->type;
    wait->any_change = b->any_change;
    wait->progress = b->progress;
    wait->ordered = b->ordered;
    wait->since_ms = c->now_ms;
    if (wait->progress) {
        join_list(&w->progress, wait);
    }
    for (size_t i = 0; i < b->count; i++) {
        join_key(w, &wait->keys[i], wait, c->db, wait->argv[b->first + i]);
    }
    set_deadlines(w, wait, in_ms(c, b->timeout_ms), 0);
    w->blocked++;
}

bool call_block(struct call *c, const struct block *b)
{
    struct session *s = c->session;
    bool own = b->argv == NULL;

    if (!call_may_block(c)) {
        return false;
    }
    if (!block_is_blocked(s)) {
        block_drop(s);
        join(c, wait_new(s, b->count, own ? c->argc : b->argc, own ? c->argv : b->argv), b);
    }
    update(c, s->wait, b);
    return true;
}

size_t call_count_ahead(const struct call *c, size_t first, size_t count)
{
    const struct waiting *w = &c->engine->waiting;
    const struct wait *wait = c->session->wait;
    size_t most = 0;

    if (wait != NULL && wait->ordered && wait_is_first(wait)) {
        return 0;
    }
    for (size_t i = 0; i < count && w->keys != NULL; i++) {
        const struct waited_key *k = named_find_key(w->keys, c->db, c->argv[first + i]);

        if (k != NULL && k->ordered.count > most) {
            most = k->ordered.count;
        }
    }
    return most;
}

void block_each_in_order(const struct engine *e, unsigned db, struct bytes key,
                         void (*visit)(const struct session *s, struct bytes owner,
                                       int64_t since_ms, void *context),
                         void *context)
{
    const struct waited_key *k = named_find_key(e->waiting.keys, db, key);

    for (const struct waiter *i = k != NULL ? k->ordered.first : NULL; i != NULL; i = i->next) {
        const struct wait *wait = i->wait;

        visit(wait->session, wait->owners > 0 ? wait->owner[0] : BYTES(""), wait->since_ms,
              context);
    }
}

bool call_has_waited(const struct call *c)
{
    return block_is_blocked(c->session);
}

void block_postpone(struct session *s, size_t argc, const struct bytes *argv)
{
    struct wait *wait = s->wait;

    if (wait == NULL) {
        wait = wait_new(s, 0, argc, argv);
        wait->postponed = true;
        join_list(&s->engine->waiting.postponed, wait);
    }
    wait->again = true;
}

/* Running again. */

/* The wait of a request that was postponed may give way to one for keys while the
 * request runs; its arguments are in use until then. */
static void run_request_of(struct wait *wait)
{
    struct session *s = wait->session;
    struct bytes *argv = TAKE(wait->argv);
    uint64_t arrival = wait->arrival;
    bool is_same;

    wait->again = false;
    request_run_again(s, wait->argc, argv);
    is_same = s->wait != NULL && s->wait->arrival == arrival;
    if (is_same && wait->again) {
        wait->argv = argv;
        return;
    }
    if (is_same) {
        block_drop(s);
        s->hold.requests++;
    }
    mem_free(argv);
    session_wrote(s);
}

/* Nobody is served meanwhile: the one that is run is still among those who wait. */
static void run_again(struct wait *wait)
{
    struct engine *e = wait->session->engine;
    bool serving = e->waiting.serving;

    e->waiting.serving = true;
    run_request_of(wait);
    e->waiting.serving = serving;
    block_serve(e);
}

void block_resume(struct engine *e)
{
    struct waiting *w = &e->waiting;
    uint64_t last = w->arrivals;
    struct wait *wait = w->postponed.first;

    while (wait != NULL && wait->arrival <= last) {
        leave_list(&w->postponed, wait);
        join_list(&w->postponed, wait);
        wait->arrival = ++w->arrivals;
        run_again(wait);
        wait = w->postponed.first;
    }
}

void block_run_again(struct session *s)
{
    assert(block_is_blocked(s));
    run_again(s->wait);
}

/* A request that is run again waits on, or leaves the list alone. */
void block_progress(struct engine *e)
{
    struct wait *next;

    for (struct wait *wait = e->waiting.progress.first; wait != NULL; wait = next) {
        next = wait->next;
        run_again(wait);
    }
}

/* Who waits in order and whose turn it is not is run again when it is. */
static void time_has_come(struct waiting *w, struct wait *wait, int64_t now_ms)
{
    wait->timed_out = wait->deadline_ms != 0 && wait->deadline_ms <= now_ms;
    set_deadlines(w, wait, wait->deadline_ms, 0);
    if (wait->timed_out || !wait->ordered || wait_is_first(wait)) {
        run_again(wait);
    }
}

bool block_end(struct session *s, const char *error)
{
    if (!block_is_blocked(s) || s->wait->deadline_ms == LONG_AGO_MS) {
        return false;
    }
    if (error == NULL) {
        set_deadlines(&s->engine->waiting, s->wait, LONG_AGO_MS, 0);
        return true;
    }
    block_drop(s);
    resp_sink_begin(&s->sink);
    session_sink(s)->ops->error(session_sink(s), bytes_of(error));
    measure_unblocked(s, bytes_of(error));
    s->hold.requests++;
    session_wrote(s);
    return true;
}

static int64_t first_deadline_ms(const struct engine *e)
{
    const struct tree *deadlines = e->waiting.deadlines;

    return deadlines == NULL ? INT64_MAX : (int64_t)tree_order(tree_first(deadlines));
}

int64_t block_deadline_ms(const struct engine *e)
{
    int64_t first_ms = e->waiting.ready_first != NULL ? LONG_AGO_MS : first_deadline_ms(e);
    int64_t pause_ms = pause_deadline_ms(e);

    return first_ms < pause_ms ? first_ms : pause_ms;
}

size_t block_timed_count(const struct engine *e)
{
    return e->waiting.deadlines == NULL ? 0 : tree_count(e->waiting.deadlines);
}

void block_time_out(struct engine *e)
{
    if (pause_deadline_ms(e) <= logtime_ms(&e->time)) {
        pause_finish(e);
    }
    while (first_deadline_ms(e) <= logtime_ms(&e->time)) {
        time_has_come(&e->waiting, tree_item(tree_first(e->waiting.deadlines)),
                      logtime_ms(&e->time));
    }
    block_serve(e);
}

/* Seeing changes. */

static void make_all_ready(struct waiting *w, unsigned db)
{
    struct table_walk walk = {0};
    struct waited_key *k;

    while ((k = named_next(w->keys, &walk)) != NULL) {
        if (named_db(k) == db) {
            make_ready(w, k);
        }
    }
}

void block_see(struct engine *e, const struct change *inverse)
{
    struct waiting *w = &e->waiting;
    struct waited_key *k;

    switch (inverse->kind) {
    case CHANGE_FLUSH:
        make_all_ready(w, inverse->db);
        break;
    case CHANGE_SWAP:
        make_all_ready(w, inverse->db);
        make_all_ready(w, inverse->other);
        break;
    default:
        k = named_find_key(w->keys, inverse->db, inverse->key);
        if (k != NULL) {
            make_ready(w, k);
        }
    }
}

static bool is_good(const struct engine *e, const struct waited_key *k, const struct wait *wait)
{
    const struct value *v =
        keyspace_find(e->data->db[named_db(k)], named_key(k), logtime_ms(&e->time));

    return wait->any_change || (v != NULL && value_type(v) == wait->type);
}

/* A request that is run again may take its own waiters away, but no others, and adds
 * none to this key. */
static void serve_any(struct engine *e, struct waited_key *k)
{
    struct waiter *next;

    for (struct waiter *waiter = k->any.first; waiter != NULL; waiter = next) {
        next = waiter->next;
        if (is_good(e, k, waiter->wait)) {
            run_again(waiter->wait);
        }
    }
}

/* When the oldest goes, the key is ready for the next: see leave_key(). */
static void serve_oldest(struct engine *e, struct waited_key *k)
{
    struct wait *wait = k->ordered.first->wait;

    if (is_good(e, k, wait) && wait_is_first(wait)) {
        run_again(wait);
    }
}

/* The key may go with the last who waits for it. */
static void serve_key(struct engine *e, struct waited_key *k)
{
    bool has_order = k->ordered.count > 0;

    if (k->any.count > 0) {
        serve_any(e, k);
    } else {
        forget_if_unused(&e->waiting, k);
    }
    if (has_order) {
        serve_oldest(e, k);
    }
}

/* What a request does that is run again may serve others in turn. */
void block_serve(struct engine *e)
{
    struct waiting *w = &e->waiting;
    struct waited_key *k;

    if (w->serving) {
        return;
    }
    w->serving = true;
    while ((k = w->ready_first) != NULL) {
        w->ready_first = k->next_ready;
        if (w->ready_first == NULL) {
            w->ready_last = NULL;
        }
        /* From now on it can become ready anew, and is still not forgotten. */
        k->ready = false;
        serve_key(e, k);
    }
    w->serving = false;
}
