/* A session: what the server remembers of one client between its requests. It
 * knows nothing of sockets; the connection that has one reads `out`, and is told
 * by `close` when the session is to end. */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "base/buf.h"
#include "engine/commit.h"
#include "engine/pubsub.h"
#include "engine/sink.h"

struct command;
struct declared;
struct engine;
struct tracker;
struct wait;
struct watch;

enum reply_mode {
    REPLY_ON,
    REPLY_OFF,
    REPLY_SKIP, /* Not this request: CLIENT REPLY SKIP itself. */
    REPLY_SKIP_NEXT,
};

/* Which past a read may show; the first three in the order of the names that
 * read-consistency has. */
enum consistency {
    CONSISTENCY_STRICT,  /* None: the leader answers, once it knows that it still leads. */
    CONSISTENCY_LEADER,  /* That of a leader which does not know yet that it leads no more. */
    CONSISTENCY_ANY,     /* That of any server. */
    CONSISTENCY_DEFAULT, /* As the option says. */
};
extern const char *const consistency_names[]; /* Of those but the last one; ends in NULL. */

/* A request that waits for EXEC. */
struct queued {
    const struct command *command;
    size_t argc;
    struct bytes *argv; /* Views of memory behind the array. */
};

struct session {
    struct engine *engine;
    struct session *next; /* In engine->sessions. */
    struct session *previous;
    uint64_t id; /* Never used again. */

    unsigned db;
    bool authenticated;
    bool closing; /* No more requests; ends when `out` has been sent. */
    bool no_evict;
    bool no_touch;
    bool in_script;            /* The session that a script's calls run in: no client. */
    bool read_only;            /* Of such: writing commands are refused, */
    bool allow_oom;            /* and those that take memory are not when it is short. */
    bool dry_run;              /* All will be undone; what cannot be is refused. */
    struct declared *declared; /* The keys that they may name; NULL: any. */

    /* Replies. */
    struct resp_sink sink;
    struct buf out;
    struct output_hold hold;
    enum reply_mode reply_mode;
    bool unsent; /* In engine->unsent. */
    struct session *next_unsent;

    /* MULTI. */
    bool in_multi;
    bool multi_failed; /* A request could not be queued: EXEC will refuse. */
    bool watch_failed; /* A watched key has changed: EXEC will not run. */
    struct queued *queue;
    size_t queue_len;
    size_t queue_bytes;
    struct watch *watches;

    struct subscriptions subscriptions;
    bool monitors; /* In engine->monitors. */
    struct session *next_monitor;
    struct tracker *tracker; /* NULL: it has never tracked. */

    enum consistency consistency;
    bool is_sentinel_client; /* Has asked where the leader is, or for news of that. */
    uint64_t last_write_seq; /* Of the entry with its last write; 0: it has made none. */
    uint64_t operation;      /* Whose end it waits for: see engine/operation.h; 0: none. */

    struct wait *wait; /* It waits, and takes no requests: see engine/block.h. NULL: it does not. */

    /* What CLIENT LIST tells. */
    struct buf name, lib_name, lib_version;
    char address[64], local_address[64];
    int fd;
    int64_t created_ms;
    int64_t active_ms;
    const struct command *last_command;
    const char *last_subcommand;    /* NULL if it had none. */
    size_t input_bytes, input_free; /* Of the connection's input buffer. */

    void *connection;                 /* The owner's. */
    void (*close)(struct session *s); /* Ends the connection; the session may go at once. */
};

/* Makes a session and enters it with the engine. */
struct session *session_new(struct engine *e);

/* Leaves the engine and frees the session. */
void session_free(struct session *s);

/* Ends a session's connection, at once or, if it is the caller's own, after its reply. */
void session_kill(struct session *victim, const struct session *self);

/* Initialize and clear a session that is no client's and is not entered. */
void session_init(struct session *s, struct engine *e);
void session_clear(struct session *s);

/* Returns where this session's replies go now: its own sink, or nowhere. */
struct sink *session_sink(struct session *s);

/* Begins a message of `len` elements that is no reply, and goes out even if replies do
 * not. Returns where the elements go. */
struct sink *session_push(struct session *s, size_t len);

/* Tells the engine that there is something to send. */
void session_wrote(struct session *s);

/* Puts everything but the connection back to how it was at first. */
void session_reset(struct session *s);

/* Sets the protocol version. */
void session_set_resp(struct session *s, enum resp_version version);

/* Returns the bytes of memory that the session and its connection's buffers take up. */
size_t session_memory(const struct session *s);

/* Returns how the session reads; whether only of what is sure to be the present. */
enum consistency session_consistency(const struct session *s);
bool session_reads_strictly(const struct session *s);

/* Appends the line of CLIENT LIST, without a line feed. */
void session_describe(const struct session *s, struct buf *out);

/* Copies the arguments of a request into one block, the caller's. *size becomes how
 * long that is. */
struct bytes *session_copy_arguments(size_t argc, const struct bytes *argv, size_t *size);

/* MULTI: queues a request, a copy of which is kept; forgets all. */
void session_queue(struct session *s, const struct command *command, size_t argc,
                   const struct bytes *argv);
void session_drop_queue(struct session *s);

#endif
