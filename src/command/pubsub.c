/* SUBSCRIBE, PUBLISH and their like. */
#include "command/families.h"
#include "engine/call.h"

/* How many subscriptions count as being of the same family: shard channels are apart
 * from the rest. */
static size_t count_alike(const struct session *s, enum topic_kind kind)
{
    if (kind == TOPIC_SHARD) {
        return pubsub_count(s, TOPIC_SHARD);
    }
    return pubsub_count(s, TOPIC_CHANNEL) + pubsub_count(s, TOPIC_PATTERN);
}

/* These commands have no reply of their own: they send a message for each topic, which
 * goes out even if replies are off. `name` is NULL if there was no topic to tell of. */
static void tell(struct session *s, enum topic_kind kind, const char *what,
                 const struct bytes *name)
{
    struct sink *out = session_push(s, 3);

    out->ops->bulk(out, bytes_of(what));
    if (name != NULL) {
        out->ops->bulk(out, *name);
    } else {
        out->ops->nil(out);
    }
    out->ops->integer(out, (int64_t)count_alike(s, kind));
}

/* Of Sentinels, whose names begin so. */
static bool is_sentinel_channel(struct bytes name)
{
    return name.len > 0 && (name.at[0] == '+' || name.at[0] == '-');
}

static void subscribe_to(struct call *c, enum topic_kind kind, const char *what)
{
    for (size_t i = 1; i < c->argc; i++) {
        c->session->is_sentinel_client |= is_sentinel_channel(c->argv[i]);
        pubsub_subscribe(c->session, kind, c->argv[i]);
        tell(c->session, kind, what, &c->argv[i]);
    }
}

static void subscribe(struct call *c)
{
    subscribe_to(c, TOPIC_CHANNEL, "subscribe");
}

static void psubscribe(struct call *c)
{
    subscribe_to(c, TOPIC_PATTERN, "psubscribe");
}

static void ssubscribe(struct call *c)
{
    subscribe_to(c, TOPIC_SHARD, "ssubscribe");
}

struct ending {
    struct session *session;
    enum topic_kind kind;
    const char *what;
};

static void tell_end(struct bytes name, void *context)
{
    struct ending *e = context;

    tell(e->session, e->kind, e->what, &name);
}

static void unsubscribe_from(struct call *c, enum topic_kind kind, const char *what)
{
    struct ending ending = {c->session, kind, what};

    if (c->argc == 1 && pubsub_count(c->session, kind) == 0) {
        tell(c->session, kind, what, NULL);
    } else if (c->argc == 1) {
        pubsub_unsubscribe_all(c->session, kind, tell_end, &ending);
    }
    for (size_t i = 1; i < c->argc; i++) {
        pubsub_unsubscribe(c->session, kind, c->argv[i]);
        tell(c->session, kind, what, &c->argv[i]);
    }
}

static void unsubscribe(struct call *c)
{
    unsubscribe_from(c, TOPIC_CHANNEL, "unsubscribe");
}

static void punsubscribe(struct call *c)
{
    unsubscribe_from(c, TOPIC_PATTERN, "punsubscribe");
}

static void sunsubscribe(struct call *c)
{
    unsubscribe_from(c, TOPIC_SHARD, "sunsubscribe");
}

static void publish(struct call *c)
{
    reply_int(c, (int64_t)call_publish(c, TOPIC_CHANNEL, c->argv[1], c->argv[2]));
}

static void spublish(struct call *c)
{
    reply_int(c, (int64_t)call_publish(c, TOPIC_SHARD, c->argv[1], c->argv[2]));
}

/* PUBSUB. */

struct names {
    struct call *call;
    size_t count;
};

static void reply_name(struct bytes name, void *context)
{
    struct names *n = context;

    reply_bytes(n->call, name);
    n->count++;
}

static void reply_topics(struct call *c, enum topic_kind kind)
{
    struct bytes pattern = c->argc == 3 ? c->argv[2] : BYTES("*");
    struct names names = {.call = c};
    size_t place;

    if (c->argc > 3) {
        call_fail_usage(c);
        return;
    }
    place = reply_late(c);
    pubsub_each(c->engine, kind, pattern, reply_name, &names);
    reply_late_end(c, place, RESP_ARRAY, names.count);
}

static void pubsub_channels(struct call *c)
{
    reply_topics(c, TOPIC_CHANNEL);
}

static void pubsub_shardchannels(struct call *c)
{
    reply_topics(c, TOPIC_SHARD);
}

static void pubsub_numpat(struct call *c)
{
    reply_int(c, (int64_t)pubsub_topics(c->engine, TOPIC_PATTERN));
}

static void reply_subscribers(struct call *c, enum topic_kind kind)
{
    reply_array(c, 2 * (c->argc - 2));
    for (size_t i = 2; i < c->argc; i++) {
        reply_bytes(c, c->argv[i]);
        reply_int(c, (int64_t)pubsub_subscribers(c->engine, kind, c->argv[i]));
    }
}

static void pubsub_numsub(struct call *c)
{
    reply_subscribers(c, TOPIC_CHANNEL);
}

static void pubsub_shardnumsub(struct call *c)
{
    reply_subscribers(c, TOPIC_SHARD);
}

/* clang-format off */
enum {
    ANY_TIME = COMMAND_LOADING | COMMAND_STALE,
    ASKS = ANY_TIME | COMMAND_PUBSUB,
    SUBSCRIBES = ASKS | COMMAND_NOSCRIPT | COMMAND_SUBSCRIBED,
    PUBLISHES = ASKS | COMMAND_FAST | COMMAND_MAY_REPLICATE | COMMAND_DIRECT,
};

static const struct command pubsub_subcommands[] = {
    {.name = "channels", .arity = -2, .flags = ASKS, .run = pubsub_channels, .group = "pubsub", .since = "2.8.0", .complexity = "O(N) with N channels", .summary = "Returns the channels that somebody listens to", .syntax = "[pattern]"},
    {.name = "help", .arity = 2, .flags = ANY_TIME, .run = reply_help, .group = "pubsub", .since = "6.2.0", .complexity = "O(1)", .summary = "Returns this text", .syntax = ""},
    {.name = "numpat", .arity = 2, .flags = ASKS, .run = pubsub_numpat, .group = "pubsub", .since = "2.8.0", .complexity = "O(1)", .summary = "Returns to how many different patterns somebody listens", .syntax = ""},
    {.name = "numsub", .arity = -2, .flags = ASKS, .run = pubsub_numsub, .group = "pubsub", .since = "2.8.0", .complexity = "O(N) with N channels asked for", .summary = "Returns how many listen to each of these channels, those to patterns not counted", .syntax = "[channel [channel ...]]"},
    {.name = "shardchannels", .arity = -2, .flags = ASKS, .run = pubsub_shardchannels, .group = "pubsub", .since = "7.0.0", .complexity = "O(N) with N shard channels", .summary = "Returns the shard channels that somebody listens to", .syntax = "[pattern]"},
    {.name = "shardnumsub", .arity = -2, .flags = ASKS, .run = pubsub_shardnumsub, .group = "pubsub", .since = "7.0.0", .complexity = "O(N) with N shard channels asked for", .summary = "Returns how many listen to each of these shard channels", .syntax = "[shardchannel [shardchannel ...]]"},
    {0},
};

const struct command pubsub_commands[] = {
    {.name = "psubscribe", .arity = -2, .flags = SUBSCRIBES, .run = psubscribe, .group = "pubsub", .since = "2.0.0", .complexity = "O(N) with N patterns", .summary = "Begins to listen to all channels whose names match", .syntax = "pattern [pattern ...]"},
    {.name = "publish", .arity = 3, .flags = PUBLISHES, .run = publish, .group = "pubsub", .since = "2.0.0", .complexity = "O(N+M) with N that listen to the channel and M patterns", .summary = "Sends a message to whoever listens to a channel", .syntax = "channel message"},
    {.name = "pubsub", .arity = -2, .subcommands = pubsub_subcommands, .group = "pubsub", .since = "2.8.0", .complexity = "That of the subcommand", .summary = "Questions about who listens", .syntax = ""},
    {.name = "punsubscribe", .arity = -1, .flags = SUBSCRIBES, .run = punsubscribe, .group = "pubsub", .since = "2.0.0", .complexity = "O(N) with N patterns", .summary = "Ends to listen to patterns, or to all of them", .syntax = "[pattern [pattern ...]]"},
    {.name = "spublish", .arity = 3, .flags = PUBLISHES, .keys = {ONE_KEY(KEY_NOT_KEY)}, .run = spublish, .group = "pubsub", .since = "7.0.0", .complexity = "O(N) with N that listen to the shard channel", .summary = "Sends a message to whoever listens to a shard channel", .syntax = "shardchannel message"},
    {.name = "ssubscribe", .arity = -2, .flags = SUBSCRIBES, .keys = {ALL_KEYS(KEY_NOT_KEY)}, .run = ssubscribe, .group = "pubsub", .since = "7.0.0", .complexity = "O(N) with N shard channels", .summary = "Begins to listen to shard channels", .syntax = "shardchannel [shardchannel ...]"},
    {.name = "subscribe", .arity = -2, .flags = SUBSCRIBES, .run = subscribe, .group = "pubsub", .since = "2.0.0", .complexity = "O(N) with N channels", .summary = "Begins to listen to channels", .syntax = "channel [channel ...]"},
    {.name = "sunsubscribe", .arity = -1, .flags = SUBSCRIBES, .keys = {ALL_KEYS(KEY_NOT_KEY)}, .run = sunsubscribe, .group = "pubsub", .since = "7.0.0", .complexity = "O(N) with N shard channels", .summary = "Ends to listen to shard channels, or to all of them", .syntax = "[shardchannel [shardchannel ...]]"},
    {.name = "unsubscribe", .arity = -1, .flags = SUBSCRIBES, .run = unsubscribe, .group = "pubsub", .since = "2.0.0", .complexity = "O(N) with N channels", .summary = "Ends to listen to channels, or to all of them", .syntax = "[channel [channel ...]]"},
    {0},
};
