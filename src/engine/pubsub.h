/* Publish and subscribe: messages to whoever listens at that moment.
 *
 * A session subscribes to channels, to patterns of their names, and to shard channels,
 * which have names of their own. A message that a request publishes is a note in the
 * journal: it goes out when its batch is final, in order with all else that the batch
 * tells of, and never if it is rolled back. */
#ifndef ENGINE_PUBSUB_H
#define ENGINE_PUBSUB_H

#include "base/bytes.h"

struct call;
struct engine;
struct note;
struct session;

enum topic_kind {
    TOPIC_CHANNEL,
    TOPIC_PATTERN,
    TOPIC_SHARD,
    TOPIC_KINDS,
};

/* All topics that somebody has subscribed to. */
struct pubsub {
    struct table *topics[TOPIC_KINDS]; /* NULL while there are none. */
};

/* What one session has subscribed to. */
struct subscriptions {
    struct table *of[TOPIC_KINDS]; /* NULL while there are none. */
    size_t count;
};

/* Subscribes. Does nothing if the session has done so before. */
void pubsub_subscribe(struct session *s, enum topic_kind kind, struct bytes name);

/* Ends a subscription, if there is one. */
void pubsub_unsubscribe(struct session *s, enum topic_kind kind, struct bytes name);

/* Ends all of a kind; calls `tell` behind each, unless it is NULL. */
void pubsub_unsubscribe_all(struct session *s, enum topic_kind kind,
                            void (*tell)(struct bytes name, void *context), void *context);

/* Ends all, without a word. */
void pubsub_drop(struct session *s);

/* How many subscriptions of a kind a session has. */
size_t pubsub_count(const struct session *s, enum topic_kind kind);

/* How many topics of a kind there are, and how many sessions have subscribed to one. */
size_t pubsub_topics(const struct engine *e, enum topic_kind kind);
size_t pubsub_subscribers(const struct engine *e, enum topic_kind kind, struct bytes name);

/* Calls `see` for each topic of a kind whose name matches, in no order. */
void pubsub_each(const struct engine *e, enum topic_kind kind, struct bytes pattern,
                 void (*see)(struct bytes name, void *context), void *context);

/* Publishes a message on a channel or a shard channel, when what the call does is
 * final. Returns how many would receive it now; if there are none, it is dropped. */
size_t call_publish(struct call *c, enum topic_kind kind, struct bytes channel,
                    struct bytes message);

/* Sends a message at once. */
void pubsub_send(struct engine *e, enum topic_kind kind, struct bytes channel,
                 struct bytes message);

/* Is told that a message is final. */
void pubsub_see_note(struct engine *e, const struct note *n);

/* Whether there is a channel of that name, or a pattern. */
static inline bool pubsub_any(const struct pubsub *p)
{
    return p->topics[TOPIC_CHANNEL] != NULL || p->topics[TOPIC_PATTERN] != NULL;
}

#endif
