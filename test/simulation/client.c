#include "test/simulation/client.h"

#include "test/simulation/oracle.h"
#include "test/simulation/server.h"

#include "engine/request.h"
#include "store/list.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CLIENTS = 12,
    PIPELINE = 4,
    ACCOUNTS = 4,
    SLOTS = 3,            /* Keys of a kind that are in use at a time. */
    GENERATION = 500,     /* After so many writes others are. */
    KEYS = 4096,          /* At the most. */
    OPERATIONS = 1 << 18, /* Likewise. */
    PATIENCE_US = 6 * SECOND,
    LEASES = 16,
};

/* What has become of an operation. */
enum outcome {
    UNKNOWN, /* It is under way; or uncertain. */
    ACKNOWLEDGED,
    FAILED, /* With an error: then it has no effect. */
};

struct op {
    const struct kind *kind;
    uint32_t id;
    unsigned key;
    unsigned amount;
    int64_t sent_us;
    size_t floor; /* What a strict read has to see at least. */
    unsigned begun, answered;
    bool has_failed, is_uncertain;
};

/* A reply, taken apart. */
struct reply {
    char type; /* As in RESP; '_' is nil. */
    int64_t number;
    struct bytes text;
    size_t count;
    const struct reply *child;
};

/* What clients ask for. */
struct kind {
    const char *name;
    unsigned weight;
    bool is_write;
    const char *const *requests;
    size_t (*floor)(const struct op *op);
    void (*check)(struct op *op, const struct reply *r, bool is_strict);
};

struct client {
    unsigned number;
    struct server *server;
    struct server *wanted; /* To be asked next. */
    struct session *session;
    enum consistency consistency;
    struct op op[PIPELINE];
    unsigned count, current;
    uint64_t batch; /* How many there have been. */
    struct buf in;
    bool is_idle;
};

/* A lock that was got: between these times, for so long. */
struct lease {
    int64_t from_us, to_us, ttl_us;
};

/* What was told of the keys with a number. */
struct told {
    size_t list_len, text_len;
    int64_t count;
    size_t counts_acknowledged, counts_uncertain;
    unsigned char *counted; /* Which counts have been told. */
    size_t counted_cap;
    struct lease lease[LEASES];
    size_t leases;
};

static struct {
    struct client client[CLIENTS];
    unsigned count;
    bool are_ending;
    uint32_t operations;
    unsigned char outcome[OPERATIONS];
    size_t acknowledged;
    struct told told[KEYS];
} all;

size_t clients_acknowledged(void)
{
    return all.acknowledged;
}

static bool is_relaxed(void)
{
    return setting.durability == DURABILITY_RELAXED;
}

/* Checks. */

static void name_key(char out[64], const char *kind, unsigned number)
{
    snprintf(out, 64, "%s:%u", kind, number);
}

static struct bytes element(uint32_t id, char text[16])
{
    return (struct bytes){text, (size_t)snprintf(text, 16, "%08x", id)};
}

static void expect(bool holds, const struct op *op, const char *what)
{
    if (!holds) {
        violation("%s %08x of key %u: %s", op->kind->name, op->id, op->key, what);
    }
}

static void check_push(struct op *op, const struct reply *r, bool is_strict)
{
    char key[64], text[16];

    name_key(key, "list", op->key);
    (void)is_strict;
    expect(r->type == ':' && r->number > 0 &&
               oracle_list_has(key, (size_t)r->number - 1, element(op->id, text)),
           op, "it was acknowledged, and is not committed");
    if (all.told[op->key].list_len < (size_t)r->number) {
        all.told[op->key].list_len = (size_t)r->number;
    }
}

static void check_append(struct op *op, const struct reply *r, bool is_strict)
{
    char key[64], text[16];
    struct bytes e = element(op->id, text);
    struct bytes whole;

    name_key(key, "text", op->key);
    whole = oracle_text(key);
    (void)is_strict;
    expect(r->type == ':' && (size_t)r->number >= e.len && (size_t)r->number <= whole.len &&
               memcmp(whole.at + r->number - e.len, e.at, e.len) == 0,
           op, "it was acknowledged, and is not committed");
    if (all.told[op->key].text_len < (size_t)r->number) {
        all.told[op->key].text_len = (size_t)r->number;
    }
}

static void note_count(struct told *t, const struct op *op, size_t count)
{
    if (count >= t->counted_cap) {
        t->counted = realloc(t->counted, 2 * count + 64);
        memset(t->counted + t->counted_cap, 0, 2 * count + 64 - t->counted_cap);
        t->counted_cap = 2 * count + 64;
    }
    expect(!t->counted[count], op, "two were told the same count");
    t->counted[count] = true;
}

static void check_count(struct op *op, const struct reply *r, bool is_strict)
{
    struct told *t = &all.told[op->key];
    char key[64];

    name_key(key, "count", op->key);
    (void)is_strict;
    expect(r->type == ':' && r->number > 0 && r->number <= oracle_number(key), op,
           "it was acknowledged, and is not committed");
    note_count(t, op, (size_t)r->number);
    if (t->count < r->number) {
        t->count = r->number;
    }
}

static void check_move(struct op *op, const struct reply *r, bool is_strict)
{
    char text[16];

    (void)is_strict;
    expect(r->type == '*' && r->count == 3 &&
               oracle_list_has("moves", (size_t)r->child[2].number - 1, element(op->id, text)),
           op, "it was acknowledged, and is not committed");
}

/* Whether one may have been got when the other was over; log time is slewed a little. */
static bool is_behind(const struct lease *one, const struct lease *other)
{
    return one->to_us - other->from_us >= other->ttl_us - other->ttl_us / 500;
}

/* Whoever has a lock has it for as long as it was to be. */
static void check_lock(struct op *op, const struct reply *r, bool is_strict)
{
    struct told *t = &all.told[op->key];
    struct lease mine = {op->sent_us, world.now_us, op->amount * INT64_C(1000)};

    (void)is_strict;
    if (r->type == '_') {
        return;
    }
    for (size_t i = 0; i < LEASES && i < t->leases; i++) {
        const struct lease *other = &t->lease[i];
        expect(is_behind(&mine, other) || is_behind(other, &mine), op, "two have the same lock");
    }
    t->lease[t->leases++ % LEASES] = mine;
}

void clients_forget_leases(void)
{
    for (size_t i = 0; i < KEYS; i++) {
        all.told[i].leases = 0;
    }
}

static size_t floor_of_list(const struct op *op)
{
    return all.told[op->key].list_len;
}

static void check_list(struct op *op, const struct reply *r, bool is_strict)
{
    char key[64];

    name_key(key, "list", op->key);
    expect(r->type == '*', op, "it is no list");
    expect(!is_strict || r->count >= op->floor, op, "a strict read has not seen all there was");
    for (size_t i = 0; i < r->count; i++) {
        expect(oracle_list_has(key, i, r->child[i].text), op, "what was read is not committed");
    }
}

static size_t floor_of_text(const struct op *op)
{
    return all.told[op->key].text_len;
}

static void check_text(struct op *op, const struct reply *r, bool is_strict)
{
    struct bytes whole;
    char key[64];

    name_key(key, "text", op->key);
    whole = oracle_text(key);
    expect(!is_strict || r->text.len >= op->floor, op, "a strict read has not seen all there was");
    expect(r->text.len == 0 ||
               (r->text.len <= whole.len && memcmp(whole.at, r->text.at, r->text.len) == 0),
           op, "what was read is not committed");
}

static size_t floor_of_number(const struct op *op)
{
    return (size_t)all.told[op->key].count;
}

static void check_number(struct op *op, const struct reply *r, bool is_strict)
{
    char key[64];
    int64_t count = r->type == '_' ? 0 : strtoll(r->text.at, NULL, 10);

    name_key(key, "count", op->key);
    expect(!is_strict || (size_t)count >= op->floor, op,
           "a strict read has not seen all there was");
    expect(count <= oracle_number(key), op, "what was read is not committed");
}

static void check_sum(struct op *op, const struct reply *r, bool is_strict)
{
    int64_t sum = 0;

    (void)is_strict;
    expect(r->type == '*' && r->count == ACCOUNTS, op, "it is no sum");
    for (size_t i = 0; i < r->count; i++) {
        sum += r->child[i].type == '_' ? 0 : strtoll(r->child[i].text.at, NULL, 10);
    }
    expect(sum == 0, op, "half a transaction was seen");
}

static void check_nothing(struct op *op, const struct reply *r, bool is_strict)
{
    (void)op;
    (void)r;
    (void)is_strict;
}

/* Asking. In a request, %k is the number of a key, %e the operation's own text, %n a
 * number, and %a and %b are two accounts. */

#define REQUESTS(...)                                                                              \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static const struct kind kinds[] = {
    {"push", 6, true, REQUESTS("RPUSH list:%k %e"), NULL, check_push},
    {"append", 4, true, REQUESTS("APPEND text:%k %e"), NULL, check_append},
    {"count", 4, true, REQUESTS("INCR count:%k"), NULL, check_count},
    {"move", 4, true,
     REQUESTS("MULTI", "DECRBY account:%a %n", "INCRBY account:%b %n", "RPUSH moves %e", "EXEC"),
     NULL, check_move},
    {"lock", 2, true, REQUESTS("SET lock:%k %e NX PX %n"), NULL, check_lock},
    {"forget", 3, true, REQUESTS("SET forgotten:%k %e PX %n"), NULL, check_nothing},
    {"list", 1, false, REQUESTS("LRANGE list:%k 0 -1"), floor_of_list, check_list},
    {"text", 2, false, REQUESTS("GET text:%k"), floor_of_text, check_text},
    {"number", 2, false, REQUESTS("GET count:%k"), floor_of_number, check_number},
    {"sum", 1, false,
     REQUESTS("MULTI", "GET account:0", "GET account:1", "GET account:2", "GET account:3", "EXEC"),
     NULL, check_sum},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const struct kind *draw_kind(void)
{
    unsigned sum = 0;
    size_t i = 0;
    uint64_t drawn;

    for (i = 0; i < KINDS; i++) {
        sum += kinds[i].weight;
    }
    drawn = chance(sum);
    for (i = 0; drawn >= kinds[i].weight; i++) {
        drawn -= kinds[i].weight;
    }
    return &kinds[i];
}

static struct op make_op(void)
{
    unsigned generation = all.operations / GENERATION;
    struct op op = {.kind = draw_kind(), .id = ++all.operations, .sent_us = world.now_us};

    if (all.operations == OPERATIONS || (generation + 1) * SLOTS > KEYS) {
        violation("there are more operations than there is room for");
    }
    op.key = generation * SLOTS + (unsigned)chance(SLOTS);
    op.amount = 1 + (unsigned)(one_in(2) ? chance(100) : chance(5000));
    op.floor = op.kind->floor != NULL ? op.kind->floor(&op) : 0;
    world.totals.operations++;
    return op;
}

static void spell_request(const struct op *op, const char *format, struct buf *out)
{
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            buf_add_byte(out, (uint8_t)*format);
            continue;
        }
        switch (*++format) {
        case 'k':
            buf_addf(out, "%u", op->key);
            break;
        case 'e':
            buf_addf(out, "%08x", op->id);
            break;
        case 'n':
            buf_addf(out, "%u", op->amount);
            break;
        case 'a':
            buf_addf(out, "%u", op->id % ACCOUNTS);
            break;
        case 'b':
            buf_addf(out, "%u", (op->id + 1) % ACCOUNTS);
            break;
        default:
            abort();
        }
    }
}

static void execute(struct session *s, struct bytes text)
{
    struct bytes argv[16];
    size_t argc = 0;

    while (text.len > 0) {
        const char *space = memchr(text.at, ' ', text.len);
        size_t len = space != NULL ? (size_t)(space - text.at) : text.len;
        argv[argc++] = (struct bytes){text.at, len};
        len += space != NULL;
        text = (struct bytes){text.at + len, text.len - len};
    }
    request_execute(s, argc, argv);
}

static void execute_op(struct session *s, struct op *op)
{
    for (const char *const *format = op->kind->requests; *format != NULL; format++) {
        BUF_LOCAL(text);

        if (s->closing) {
            return;
        }
        spell_request(op, *format, &text);
        op->begun++;
        execute(s, buf_bytes(&text));
    }
}

/* Outcomes. */

static void set_outcome(const struct op *op, enum outcome outcome)
{
    struct told *t = &all.told[op->key];

    all.outcome[op->id] = (unsigned char)outcome;
    if (outcome == ACKNOWLEDGED) {
        world.totals.acknowledged += op->kind->is_write;
        world.totals.reads += !op->kind->is_write;
        all.acknowledged += op->kind->is_write;
    } else if (outcome == FAILED) {
        world.totals.failed++;
    } else {
        world.totals.uncertain++;
    }
    if (strcmp(op->kind->name, "count") == 0) {
        t->counts_acknowledged += outcome == ACKNOWLEDGED;
        t->counts_uncertain += outcome == UNKNOWN;
    }
}

/* Of what has been told nothing. */
static void give_up(struct client *c)
{
    for (unsigned i = c->current; i < c->count; i++) {
        set_outcome(&c->op[i], c->op[i].begun == 0 ? FAILED : UNKNOWN);
    }
    c->count = 0;
    c->current = 0;
    c->in.len = 0;
    c->session = NULL;
}

static void conclude(struct client *c, struct op *op, const struct reply *r)
{
    bool is_strict = c->consistency == CONSISTENCY_STRICT;

    if (op->is_uncertain) {
        set_outcome(op, UNKNOWN);
    } else if (op->has_failed) {
        set_outcome(op, FAILED);
    } else {
        set_outcome(op, ACKNOWLEDGED);
        if (!is_relaxed() || (is_strict && !op->kind->is_write)) {
            op->kind->check(op, r, is_strict && !is_relaxed());
        }
    }
}

/* The leader is where an error says that it is. */
static void follow_leader(struct client *c, struct bytes error)
{
    char text[256], *at;
    struct server *leader;

    bytes_to_string(error, text, sizeof text);
    at = strstr(text, "The leader is ");
    leader = at != NULL ? server_of_address(at + strlen("The leader is ")) : NULL;
    if (c->consistency != CONSISTENCY_ANY || one_in(4)) {
        c->wanted = leader != NULL && !one_in(8) ? leader : &servers[chance(server_count)];
    }
}

static void take_reply(struct client *c, const struct reply *r)
{
    struct op *op = &c->op[c->current];

    if (c->current == c->count || op->answered == op->begun) {
        violation("client %u got a reply to nothing", c->number);
    }
    op->answered++;
    if (r->type == '-' && r->text.len >= 9 && memcmp(r->text.at, "UNCERTAIN", 9) == 0) {
        op->is_uncertain = true;
    } else if (r->type == '-') {
        op->has_failed = true;
        follow_leader(c, r->text);
    }
    if (op->kind->requests[op->answered] == NULL) {
        c->current++;
        conclude(c, op, r);
    }
}

/* Reading replies. */

enum { REPLIES = 4096 };

static bool take_line(struct bytes *in, struct bytes *line)
{
    const char *end = memchr(in->at, '\n', in->len);

    if (end == NULL) {
        return false;
    }
    *line = (struct bytes){in->at, (size_t)(end - in->at) - 1};
    *in = (struct bytes){end + 1, in->len - line->len - 2};
    return true;
}

/* Returns false if it is not all there. */
static bool parse(struct bytes *in, struct reply *r, struct reply *pool, size_t *used)
{
    struct bytes line;

    if (!take_line(in, &line)) {
        return false;
    }
    *r = (struct reply){.type = line.at[0], .text = {line.at + 1, line.len - 1}};
    r->number = strtoll(line.at + 1, NULL, 10);
    if ((r->type == '$' || r->type == '*') && r->number < 0) {
        r->type = '_';
        r->text.len = 0;
    } else if (r->type == '$') {
        if (in->len < (size_t)r->number + 2) {
            return false;
        }
        r->text = (struct bytes){in->at, (size_t)r->number};
        *in = (struct bytes){in->at + r->number + 2, in->len - (size_t)r->number - 2};
    } else if (r->type == '*') {
        struct reply *child = pool + *used;
        r->count = (size_t)r->number;
        r->child = child;
        *used += r->count;
        for (size_t i = 0; i < r->count; i++) {
            if (*used > REPLIES || !parse(in, &child[i], pool, used)) {
                return false;
            }
        }
    }
    return true;
}

static void act(void *context);

/* Thinks, and then asks again. */
static void think(struct client *c, int64_t mean_us)
{
    c->is_idle = true;
    world_post(1 + around(mean_us), NULL, EXECUTOR, act, NULL, c);
}

static void read_replies(struct client *c)
{
    static struct reply pool[REPLIES];
    struct bytes in = buf_bytes(&c->in);
    struct bytes rest = in;
    struct reply reply;
    size_t used = 0;

    while (rest.len > 0 && parse(&rest, &reply, pool, &used)) {
        take_reply(c, &reply);
        in = rest;
        used = 0;
    }
    buf_drop_front(&c->in, c->in.len - in.len);
    if (c->count > 0 && c->current == c->count) {
        c->count = 0;
        c->current = 0;
        think(c, 30 * MS);
    }
}

static void end_session(struct session *s)
{
    struct client *c = s->connection;

    session_free(s);
    if (c != NULL) {
        bool was_waiting = c->count > 0;
        give_up(c);
        if (was_waiting) {
            think(c, 30 * MS);
        }
    }
}

void client_take(struct session *s)
{
    struct client *c = s->connection;
    size_t len = commit_released(s);

    if (c != NULL) {
        buf_add(&c->in, (struct bytes){s->out.at, len});
    }
    buf_drop_front(&s->out, len);
    commit_dropped(s, len);
    if (c != NULL) {
        read_replies(c);
    }
    if (s->closing && s->out.len == 0) {
        end_session(s);
    }
}

/* A server has something to do for a client. */

struct errand {
    struct client *client;
    struct server *server;
    struct session *session;
    uint64_t batch;
    unsigned first, end;
};

static void nothing_closes(struct session *s)
{
    s->closing = true;
    session_wrote(s);
}

static void open_session(struct client *c)
{
    struct session *s = session_new(c->server->engine);

    s->consistency = c->consistency;
    s->connection = c;
    s->close = nothing_closes;
    c->session = s;
}

static void on_errand(void *context)
{
    struct errand *e = context;
    struct client *c = e->client;

    engine_tick(e->server->engine);
    if (c->batch == e->batch && c->count > 0) {
        if (c->session == NULL && e->first == 0) {
            open_session(c);
        }
        for (unsigned i = e->first; c->session != NULL && i < e->end; i++) {
            execute_op(c->session, &c->op[i]);
        }
        if (c->session != NULL) {
            session_wrote(c->session);
        }
    }
    free(e);
}

/* The connection has gone, as the server sees it by now. */
static void on_gone(void *context)
{
    struct errand *e = context;

    for (struct session *s = e->server->engine->sessions; s != NULL; s = s->next) {
        if (s == e->session && s->connection == NULL) {
            session_free(s);
            break;
        }
    }
    free(e);
}

static void post_errand(int64_t delay_us, struct client *c, void (*run)(void *context),
                        unsigned first, unsigned end)
{
    struct errand *e = malloc(sizeof *e);

    *e = (struct errand){c, c->server, c->session, c->batch, first, end};
    world_post(delay_us, c->server, EXECUTOR, run, free, e);
}

static void hang_up(struct client *c)
{
    if (c->session != NULL) {
        c->session->connection = NULL;
        post_errand(around(MS), c, on_gone, 0, 0);
    }
    give_up(c);
}

/* No reply has come in a long time. */
static void on_patience_ends(void *context)
{
    struct errand *e = context;
    struct client *c = e->client;

    if (c->batch == e->batch && c->count > 0) {
        hang_up(c);
        c->wanted = &servers[chance(server_count)];
        think(c, MS);
    }
    free(e);
}

static void ask(struct client *c)
{
    int64_t delay_us = around(200);
    unsigned first = 0;

    c->count = one_in(3) ? 1 + (unsigned)chance(PIPELINE) : 1;
    c->current = 0;
    c->batch++;
    for (unsigned i = 0; i < c->count; i++) {
        c->op[i] = make_op();
    }
    for (unsigned i = 0; i < c->count; i++) {
        if (i + 1 == c->count || one_in(3)) {
            post_errand(delay_us, c, on_errand, first, i + 1);
            first = i + 1;
            delay_us += around(MS);
        }
    }
}

/* Chooses a server to connect to. Returns false if that does not take anybody. */
static bool choose(struct client *c)
{
    c->server = one_in(10) ? &servers[chance(server_count)] : c->wanted;
    c->wanted = c->server;
    c->consistency = (enum consistency)chance(CONSISTENCY_DEFAULT + 1);
    if (server_is_member(c->server) && !c->server->is_leaving) {
        return true;
    }
    c->wanted = &servers[chance(server_count)];
    return false;
}

static void act(void *context)
{
    struct client *c = context;
    struct errand *patience;

    if (all.are_ending) {
        return; /* It stays idle. */
    }
    if (c->session != NULL && (c->session->closing || c->wanted != c->server || one_in(100))) {
        hang_up(c);
    }
    if (c->session == NULL && !choose(c)) {
        think(c, 30 * MS);
        return;
    }
    c->is_idle = false;
    ask(c);
    patience = malloc(sizeof *patience);
    *patience = (struct errand){.client = c, .batch = c->batch};
    world_post(PATIENCE_US, NULL, EXECUTOR, on_patience_ends, NULL, patience);
}

void client_lose_server(struct server *server)
{
    for (unsigned i = 0; i < all.count; i++) {
        struct client *c = &all.client[i];
        if (c->server == server && (c->session != NULL || c->count > 0)) {
            bool was_waiting = c->count > 0;
            give_up(c);
            if (was_waiting) {
                think(c, 50 * MS);
            }
        }
    }
}

void clients_begin(unsigned count)
{
    all.count = count;
    for (unsigned i = 0; i < count; i++) {
        struct client *c = &all.client[i];
        c->number = i + 1;
        c->wanted = &servers[i % setting.founders];
        c->server = c->wanted;
        think(c, 100 * MS);
    }
}

void clients_end(void)
{
    all.are_ending = true;
}

bool clients_have_ended(void)
{
    for (unsigned i = 0; i < all.count; i++) {
        if (!all.client[i].is_idle) {
            return false;
        }
    }
    return true;
}

/* In the end. */

static void see_element(unsigned char *seen, struct bytes e, const char *key)
{
    char text[16];
    unsigned long id;

    bytes_to_string(e, text, sizeof text);
    id = strtoul(text, NULL, 16);
    if (id == 0 || id > all.operations || seen[id]++) {
        violation("%s has %s twice, or nobody has asked for it", key, text);
    }
    if (all.outcome[id] == FAILED) {
        violation("%s has %s, which ended with an error", key, text);
    }
}

static void see_list(unsigned char *seen, const char *key)
{
    const struct value *v = keyspace_find_any(oracle_data()->db[0], bytes_of(key));
    struct list_walk walk;
    struct bytes e;

    if (v != NULL) {
        value_list_walk(v, 0, false, &walk);
        while (value_list_next(&walk, &e)) {
            see_element(seen, e, key);
        }
    }
}

static void see_key(unsigned char *seen, unsigned number)
{
    const struct told *t = &all.told[number];
    struct bytes text;
    int64_t count;
    char key[64];

    name_key(key, "list", number);
    see_list(seen, key);
    name_key(key, "text", number);
    for (text = oracle_text(key); text.len > 0; text.at += 8, text.len -= 8) {
        see_element(seen, (struct bytes){text.at, 8}, key);
    }
    name_key(key, "count", number);
    count = oracle_number(key);
    if (!is_relaxed() && ((size_t)count < t->counts_acknowledged ||
                          (size_t)count > t->counts_acknowledged + t->counts_uncertain)) {
        violation("%s is %" PRId64 ", with %zu that were acknowledged, and %zu that may be in it",
                  key, count, t->counts_acknowledged, t->counts_uncertain);
    }
}

void clients_check(void)
{
    unsigned char *seen = calloc(all.operations + 1, 1);
    int64_t sum = 0;
    char key[64];

    for (unsigned i = 0; i < (all.operations / GENERATION + 1) * SLOTS; i++) {
        see_key(seen, i);
    }
    see_list(seen, "moves");
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        name_key(key, "account", i);
        sum += oracle_number(key);
    }
    if (sum != 0) {
        violation("the accounts sum up to %" PRId64, sum);
    }
    free(seen);
}
