#include "client/channel.h"

#include "client/acquire.h"
#include "client/reply.h"

#include <string.h>

static const char *key_of(const moonlatch_lock *lock)
{
    return lock->keys[lock->acquire.key];
}

/* Whether another one before `end` in the list listens to the same; NULL: in all of it. */
static bool is_heard(const moonlatch *s, const char *key, const moonlatch_lock *end)
{
    const moonlatch_lock *lock;

    TAILQ_FOREACH(lock, &s->locks, entry)
    {
        if (lock == end) {
            return false;
        }
        if (lock->acquire.listens && strcmp(key_of(lock), key) == 0) {
            return true;
        }
    }
    return false;
}

static void on_up(struct link *l)
{
    const moonlatch_lock *lock;

    TAILQ_FOREACH(lock, &l->session->locks, entry)
    {
        if (lock->acquire.listens && !is_heard(l->session, key_of(lock), lock)) {
            link_say(l, "SUBSCRIBE", key_of(lock));
        }
    }
}

static bool begins_with(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

/* What was said before a subscription has begun is not heard, so one looks when it has. */
static void on_push(struct link *l, const redisReply *reply)
{
    const char *kind = reply_word(reply, 0), *key = reply_word(reply, 1);
    const char *text = reply_word(reply, 2);

    if (strcmp(kind, "subscribe") == 0) {
        acquire_on_hint(l->session, key, NULL);
    } else if (strcmp(kind, "message") != 0) {
        return;
    } else if (begins_with(text, "turn ")) {
        acquire_on_hint(l->session, key, text + strlen("turn "));
    } else if (begins_with(text, "released ") || begins_with(text, "expired ") ||
               begins_with(text, "downgraded ")) {
        acquire_on_hint(l->session, key, NULL);
    }
}

void channel_init(moonlatch *s)
{
    s->channel.on_up = on_up;
    s->channel.on_push = on_push;
}

void channel_join(moonlatch_lock *lock)
{
    moonlatch *s = lock->session;

    if (lock->acquire.listens) {
        return;
    }
    if (!is_heard(s, key_of(lock), NULL)) {
        link_say(&s->channel, "SUBSCRIBE", key_of(lock));
    }
    lock->acquire.listens = true;
    s->channel.is_kept = true;
    link_wake(&s->channel);
}

void channel_leave(moonlatch_lock *lock)
{
    moonlatch *s = lock->session;

    if (!lock->acquire.listens) {
        return;
    }
    lock->acquire.listens = false;
    if (!is_heard(s, key_of(lock), NULL)) {
        link_say(&s->channel, "UNSUBSCRIBE", key_of(lock));
    }
    s->channel.is_kept = false;
    TAILQ_FOREACH(lock, &s->locks, entry)
    {
        s->channel.is_kept = s->channel.is_kept || lock->acquire.listens;
    }
}
