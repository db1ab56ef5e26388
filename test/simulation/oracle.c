#include "test/simulation/oracle.h"

#include "test/simulation/mutant.h"
#include "test/simulation/server.h"

#include "base/number.h"
#include "store/journal.h"
#include "store/list.h"

#include <inttypes.h>
#include <stdlib.h>

/* What is known of an index of the log. */
struct record {
    bool is_known; /* Something was applied there. */
    uint64_t chain;
    struct entry_header header;
    int64_t behind_us; /* Log time, when it was written. */
    bool has_digest;
    struct digest digest; /* Of the data up to it. */
};

/* An entry that was written: how much log time was behind the world's. */
struct sealed {
    uint64_t writer, epoch, seq;
    int64_t behind_us;
};
enum { SEALED = 1024 };

static struct {
    struct dataset *data;
    struct record *record; /* By index. */
    size_t cap;
    uint64_t index; /* The last. */
    struct sealed sealed[SEALED];
    size_t seals;
} oracle;

void oracle_begin(void)
{
    oracle.data = dataset_new(2);
}

const struct dataset *oracle_data(void)
{
    return oracle.data;
}

uint64_t oracle_index(void)
{
    return oracle.index;
}

void __real_node_send(struct node *n, struct message *m);
void __wrap_node_send(struct node *n, struct message *m);
void __wrap_node_send(struct node *n, struct message *m)
{
    if (m->kind == MESSAGE_APPEND) {
        oracle.sealed[oracle.seals++ % SEALED] =
            (struct sealed){n->identity.id, m->epoch, m->seq, world.now_us - m->at.time_us};
    }
    __real_node_send(n, m);
}

static int64_t behind_when_sealed(const struct entry_header *h)
{
    for (size_t i = 1; i <= SEALED && i <= oracle.seals; i++) {
        const struct sealed *s = &oracle.sealed[(oracle.seals - i) % SEALED];
        if (s->writer == h->writer && s->epoch == h->epoch && s->seq == h->seq) {
            return s->behind_us;
        }
    }
    violation("turn %" PRIu64 " of tenure %" PRIu64 " was written by nobody", h->seq, h->epoch);
}

static struct record *record_of(uint64_t index)
{
    if (index >= oracle.cap) {
        size_t cap = 2 * index + 1024;
        oracle.record = realloc(oracle.record, cap * sizeof *oracle.record);
        if (oracle.record == NULL) {
            abort();
        }
        memset(oracle.record + oracle.cap, 0, (cap - oracle.cap) * sizeof *oracle.record);
        oracle.cap = cap;
    }
    return &oracle.record[index];
}

/* Returns the newest entry up to an index. */
static struct record *newest(uint64_t index)
{
    struct record *r;

    do {
        r = record_of(index);
    } while (!r->is_known && index-- > 0);
    return r;
}

/* Tenures write one after the other, each its turns in their order, and time goes on. */
static void check_order(const struct record *before, const struct entry_header *h, uint64_t index)
{
    const struct entry_header *last = &before->header;
    bool is_next_part = h->seq == last->seq && h->part == last->part + 1 && !last->is_last;
    bool is_next_turn = h->seq > last->seq && h->part == 0 && last->is_last;

    if (!before->is_known) {
        return;
    }
    if (h->epoch < last->epoch || (h->epoch == last->epoch && h->writer != last->writer)) {
        violation("entry %" PRIu64 " is of tenure %" PRIu64 ", behind one of another's", index,
                  h->epoch);
    }
    if (h->epoch == last->epoch && !is_next_part && !is_next_turn) {
        violation("entry %" PRIu64 " is turn %" PRIu64 " part %u of its tenure, behind %" PRIu64
                  " part %u",
                  index, h->seq, h->part, last->seq, last->part);
    }
    if (h->time_us < last->time_us) {
        violation("at entry %" PRIu64 " log time goes back by %" PRId64 " us", index,
                  last->time_us - h->time_us);
    }
}

static void take_entry(uint64_t index, const struct machine *m, const struct applied *a)
{
    struct record *r = record_of(index);

    check_order(newest(index - 1), &a->header, index);
    r->is_known = true;
    r->chain = m->at.chain;
    r->header = a->header;
    r->behind_us = behind_when_sealed(&a->header);
    oracle.index = index;
    world.totals.entries++;
    if (a->is_whole && !journal_replay(oracle.data, a->changes)) {
        violation("entry %" PRIu64 " cannot be read", index);
    }
    if (index % setting.digest_each == 0) {
        r->digest = dataset_digest(oracle.data);
        r->has_digest = true;
    }
}

static void see_entry(const struct server *s, const struct machine *m, const struct applied *a)
{
    uint64_t index = m->at.index;

    if (index > oracle.index) {
        take_entry(index, m, a);
    } else if (!record_of(index)->is_known || record_of(index)->chain != m->at.chain) {
        violation("server %u has another entry %" PRIu64 " than was committed", s->number, index);
    }
}

const char *__real_machine_apply(struct machine *m, uint64_t index, struct bytes entry,
                                 struct applied *applied);
const char *__wrap_machine_apply(struct machine *m, uint64_t index, struct bytes entry,
                                 struct applied *applied);
const char *__wrap_machine_apply(struct machine *m, uint64_t index, struct bytes entry,
                                 struct applied *applied)
{
    const struct server *s = server_of_machine(m);
    const char *problem = __real_machine_apply(m, index, entry, applied);

    if (problem == NULL && s->node->identity.group == servers_group()) {
        see_entry(s, m, applied);
    }
    return problem;
}

void __real_machine_restore(struct machine *m, const struct position *at);
void __wrap_machine_restore(struct machine *m, const struct position *at);
void __wrap_machine_restore(struct machine *m, const struct position *at)
{
    const struct server *s = server_of_machine(m);

    __real_machine_restore(m, at);
    if (s->node->identity.group == servers_group() && at->chain != newest(at->index)->chain) {
        violation("server %u restores a snapshot of another log", s->number);
    }
}

void oracle_compare(struct server *s, bool always)
{
    uint64_t index = s->engine->group.applied_index;
    struct record *r = newest(index);
    struct digest digest;

    if (index == s->checked_index && !always) {
        return;
    }
    s->checked_index = index;
    if (always && index == oracle.index && !r->has_digest) {
        r->digest = dataset_digest(oracle.data);
        r->has_digest = true;
    }
    if (!r->has_digest) {
        return;
    }
    world.totals.digests++;
    digest = dataset_digest(s->engine->data);
    if (!digest_equal(digest, r->digest)) {
        violation("server %u has other data at entry %" PRIu64 " than are in the log", s->number,
                  index);
    }
}

int64_t oracle_time_us(void)
{
    return world.now_us - newest(oracle.index)->behind_us;
}

/* Looking things up. */

static const struct value *find(const char *key)
{
    return keyspace_find_any(oracle.data->db[0], bytes_of(key));
}

size_t oracle_list_len(const char *key)
{
    const struct value *v = find(key);

    return v != NULL ? value_list_count(v) : 0;
}

bool oracle_list_has(const char *key, size_t at, struct bytes element)
{
    const struct value *v = find(key);
    char text[NUMBER_INT_MAX];
    struct bytes found;

    return v != NULL && value_list_at(v, at, text, &found) && bytes_equal(found, element);
}

struct bytes oracle_text(const char *key)
{
    const struct value *v = find(key);

    return v != NULL ? value_string(v) : (struct bytes){0};
}

int64_t oracle_number(const char *key)
{
    int64_t number = 0;

    number_parse_int(oracle_text(key), &number);
    return number;
}
