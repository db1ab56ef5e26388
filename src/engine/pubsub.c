#include "engine/pubsub.h"

#include "base/glob.h"
#include "base/mem.h"
#include "engine/call.h"
#include "engine/named.h"
#include "engine/observe.h"

#include <assert.h>

/* What can be subscribed to, as long as somebody has. */
struct topic {
    struct named named;
    struct subscription *first, *last; /* In the order in which they came. */
    size_t subscribers;
};

/* That one session has subscribed to one topic. */
struct subscription {
    struct named named; /* By its topic's name. */
    struct session *session;
    struct topic *topic;
    struct subscription *next, *previous; /* Of the topic. */
};

static struct bytes name_of(const struct topic *t)
{
    return t->named.name;
}

/* Subscribing. */

void pubsub_subscribe(struct session *s, enum topic_kind kind, struct bytes name)
{
    struct subscription *new;
    struct topic *t;

    if (named_find(s->subscriptions.of[kind], name) != NULL) {
        return;
    }
    t = named_find_or_add(&s->engine->pubsub.topics[kind], sizeof *t, name);
    new = mem_alloc(sizeof *new);
    *new = (struct subscription){.named = t->named, .session = s, .topic = t, .previous = t->last};
    if (t->last != NULL) {
        t->last->next = new;
    } else {
        t->first = new;
    }
    t->last = new;
    t->subscribers++;
    named_put(&s->subscriptions.of[kind], new);
    s->subscriptions.count++;
}

static void leave_topic(struct subscription *s)
{
    struct topic *t = s->topic;

    if (s->previous != NULL) {
        s->previous->next = s->next;
    } else {
        t->first = s->next;
    }
    if (s->next != NULL) {
        s->next->previous = s->previous;
    } else {
        t->last = s->previous;
    }
    t->subscribers--;
}

void pubsub_unsubscribe(struct session *s, enum topic_kind kind, struct bytes name)
{
    struct subscription *old = named_find(s->subscriptions.of[kind], name);
    struct topic *topic;

    if (old == NULL) {
        return;
    }
    topic = old->topic;
    leave_topic(old);
    named_remove(&s->subscriptions.of[kind], old);
    s->subscriptions.count--;
    if (topic->subscribers == 0) {
        named_remove(&s->engine->pubsub.topics[kind], topic);
    }
}

/* Returns all that is in a table of subscriptions, in an array that is the caller's. */
static struct subscription **list_of(const struct table *t)
{
    struct subscription **list = mem_alloc(table_count(t) * sizeof(struct subscription *));
    struct table_walk walk = {0};
    struct subscription *one;
    size_t count = 0;

    while ((one = table_next(t, &walk)) != NULL) {
        list[count++] = one;
    }
    return list;
}

void pubsub_unsubscribe_all(struct session *s, enum topic_kind kind,
                            void (*tell)(struct bytes name, void *context), void *context)
{
    size_t count = pubsub_count(s, kind);
    struct subscription **list;
    BUF_LOCAL(name); /* Its topic may go first. */

    if (count == 0) {
        return;
    }
    list = list_of(s->subscriptions.of[kind]);
    for (size_t i = 0; i < count; i++) {
        name.len = 0;
        buf_add(&name, name_of(list[i]->topic));
        pubsub_unsubscribe(s, kind, buf_bytes(&name));
        if (tell != NULL) {
            tell(buf_bytes(&name), context);
        }
    }
    mem_free(list);
}

void pubsub_drop(struct session *s)
{
    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++) {
        pubsub_unsubscribe_all(s, kind, NULL, NULL);
    }
    assert(s->subscriptions.count == 0);
}

/* Asking. */

size_t pubsub_count(const struct session *s, enum topic_kind kind)
{
    return named_count(s->subscriptions.of[kind]);
}

size_t pubsub_topics(const struct engine *e, enum topic_kind kind)
{
    return named_count(e->pubsub.topics[kind]);
}

size_t pubsub_subscribers(const struct engine *e, enum topic_kind kind, struct bytes name)
{
    const struct topic *t = named_find(e->pubsub.topics[kind], name);

    return t != NULL ? t->subscribers : 0;
}

void pubsub_each(const struct engine *e, enum topic_kind kind, struct bytes pattern,
                 void (*see)(struct bytes name, void *context), void *context)
{
    const struct table *topics = e->pubsub.topics[kind];
    struct table_walk walk = {0};
    const struct topic *t;

    while ((t = named_next(topics, &walk)) != NULL) {
        if (glob_match(pattern, name_of(t))) {
            see(name_of(t), context);
        }
    }
}

/* Messages. */

/* Calls `see` for each topic that a message on a channel goes to. */
static void each_addressed(const struct engine *e, enum topic_kind kind, struct bytes channel,
                           void (*see)(const struct topic *t, enum topic_kind kind, void *context),
                           void *context)
{
    const struct table *patterns = e->pubsub.topics[TOPIC_PATTERN];
    const struct topic *t = named_find(e->pubsub.topics[kind], channel);
    struct table_walk walk = {0};

    if (t != NULL) {
        see(t, kind, context);
    }
    if (kind == TOPIC_SHARD || patterns == NULL) {
        return;
    }
    while ((t = table_next(patterns, &walk)) != NULL) {
        if (glob_match(name_of(t), channel)) {
            see(t, TOPIC_PATTERN, context);
        }
    }
}

static void count_receivers(const struct topic *t, enum topic_kind kind, void *context)
{
    size_t *count = context;

    (void)kind;
    *count += t->subscribers;
}

size_t call_publish(struct call *c, enum topic_kind kind, struct bytes channel,
                    struct bytes message)
{
    size_t receivers = 0;

    struct note note = {.kind = kind == TOPIC_SHARD ? NOTE_SHARD_MESSAGE : NOTE_MESSAGE,
                        .name = channel,
                        .content = message};

    each_addressed(c->engine, kind, channel, count_receivers, &receivers);
    if (receivers > 0) {
        journal_note(&c->engine->journal, &note);
    }
    return receivers;
}

struct message {
    struct bytes channel;
    struct bytes content;
};

static void send_to(struct session *s, const struct topic *t, enum topic_kind kind,
                    const struct message *m)
{
    static const char *const names[] = {"message", "pmessage", "smessage"};
    struct sink *out = session_push(s, kind == TOPIC_PATTERN ? 4 : 3);

    out->ops->bulk(out, bytes_of(names[kind]));
    if (kind == TOPIC_PATTERN) {
        out->ops->bulk(out, name_of(t));
    }
    out->ops->bulk(out, m->channel);
    out->ops->bulk(out, m->content);
}

static void send_to_all(const struct topic *t, enum topic_kind kind, void *context)
{
    for (struct subscription *s = t->first; s != NULL; s = s->next) {
        if (!s->session->closing) {
            send_to(s->session, t, kind, context);
        }
    }
}

void pubsub_send(struct engine *e, enum topic_kind kind, struct bytes channel, struct bytes message)
{
    struct message m = {channel, message};

    each_addressed(e, kind, channel, send_to_all, &m);
}

void pubsub_see_note(struct engine *e, const struct note *n)
{
    enum topic_kind kind = n->kind == NOTE_SHARD_MESSAGE ? TOPIC_SHARD : TOPIC_CHANNEL;

    pubsub_send(e, kind, n->name, n->content);
}
