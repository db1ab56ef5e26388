/* Distributed locks and scripts on a Moonlatch server, or on Redis >= 6.2 or Valkey.
 *
 * A lock is held under a lease: the server gives it away when the lease is over, whatever
 * its holder does. So a holder asks moonlatch_is_held() before what must not overlap, and hands
 * the token to whatever it writes to, which refuses lower ones; see moonlatch(3) and
 * docs/locks.md.
 *
 * Times are in milliseconds. Texts are UTF-8 and end in NUL. Functions that can fail return
 * a moonlatch_status; MOONLATCH_OK is 0. Nothing here ends the program, writes to a stream, changes
 * signal handlers or starts a thread that was not asked for.
 *
 * A session, with its locks, is used by one thread at a time; sessions are independent of each
 * other. After fork() the child must not use a session of its parent's: each call on it
 * returns MOONLATCH_FORKED, but moonlatch_close(), which frees it without telling the server. */
#ifndef MOONLATCH_H
#define MOONLATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#define MOONLATCH_VERSION_MAJOR 0
#define MOONLATCH_VERSION_MINOR 1

typedef enum moonlatch_status {
    MOONLATCH_OK = 0,
    MOONLATCH_BUSY,        /* Held by another, and the time to wait has passed. */
    MOONLATCH_LOST,        /* The lease is over, or was never held. */
    MOONLATCH_STALE,       /* A late duplicate of a request that was answered before. */
    MOONLATCH_FULL,        /* As many wait as may. */
    MOONLATCH_DEADLOCK,    /* To wait would close a cycle; moonlatch_message() tells it. */
    MOONLATCH_LIMIT,       /* Held as many times as it may be. */
    MOONLATCH_REFUSED,     /* A guard has seen a higher token. */
    MOONLATCH_UNREACHABLE, /* No server, or none that leads, within the time of the session. */
    MOONLATCH_UNCERTAIN,   /* The connection broke behind a request that is not repeatable. */
    MOONLATCH_DENIED,      /* AUTH failed, or is missing. */
    MOONLATCH_ERROR,       /* The server answered an error; moonlatch_message() tells it. */
    MOONLATCH_ARGUMENT,    /* What was asked for makes no sense. */
    MOONLATCH_MEMORY,      /* There is none. */
    MOONLATCH_FORKED,      /* The session belongs to another process. */
    MOONLATCH_CANCELLED,   /* moonlatch_interrupt() was called. */
} moonlatch_status;

/* A constant text in English, for people. */
const char *moonlatch_status_text(moonlatch_status status);

/* Sessions. */

typedef struct moonlatch moonlatch;
typedef struct moonlatch_lock moonlatch_lock;

typedef struct moonlatch_options {
    /* "host:port,[::1]:7000,unix:/path"; NULL: $MOONLATCH_SERVERS, or 127.0.0.1:6379. */
    const char *servers;

    /* If set, `servers` are sentinels, which are asked for the leader of this name. */
    const char *sentinel;

    const char *username; /* NULL: default. */
    const char *password; /* NULL: $MOONLATCH_PASSWORD, or none. */
    const char *label;    /* Part of owners, for people who look at locks; NULL: "host:pid". */
    uint32_t connect_ms;  /* For one connection; 0: 1000. */
    uint32_t request_ms;  /* For a request with all repetitions; 0: 5000. */

    /* A thread renews and watches deadlines; else the caller's loop does: moonlatch_process(). */
    bool renewal_thread;
} moonlatch_options;

/* Makes a session; connects at the first request. `options` may be NULL.
 * Returns MOONLATCH_OK, _ARGUMENT or _MEMORY; *session is NULL but for MOONLATCH_OK. */
moonlatch_status moonlatch_open(moonlatch **session, const moonlatch_options *options);

/* Releases what is held (within request_ms), and frees the session and its locks. NULL is fine. */
void moonlatch_close(moonlatch *session);

/* What the last call on this session that failed had to say; "" if nothing. Valid until the next
 * call. */
const char *moonlatch_message(const moonlatch *session);

moonlatch_status moonlatch_ping(moonlatch *session);

/* Whether the server is one that blocks waits itself. Asks it if that is not known yet. */
moonlatch_status moonlatch_is_native(moonlatch *session, bool *native);

/* From any thread, or a signal handler: has the acquire, or ping, that waits in this session return
 * MOONLATCH_CANCELLED, having left the queue; or the next one that would wait, if none does. */
void moonlatch_interrupt(moonlatch *session);

/* Locks. */

typedef enum moonlatch_kind {
    MOONLATCH_MUTEX,
    MOONLATCH_FAIR,
    MOONLATCH_READ,
    MOONLATCH_WRITE,
    MOONLATCH_SEMAPHORE,
    MOONLATCH_MULTI,
    MOONLATCH_ELECTION,
} moonlatch_kind;

/* Called once for each token that was lost before it was released: from moonlatch_process(), where
 * it may do as it likes with the lock; or in the renewal thread, where it may only ask what is
 * answered without a request (moonlatch_token() and the like). */
typedef void moonlatch_on_loss(moonlatch_lock *lock, uint64_t token, void *context);

typedef struct moonlatch_lock_options {
    moonlatch_kind kind;
    uint32_t ttl_ms;        /* Of the lease; 0: 30,000. */
    uint32_t lock_delay_ms; /* After an expiry nobody gets it for so long. */
    uint32_t max_count;     /* How often this handle may hold it, which it counts itself; 0: 1. */
    uint32_t permits;       /* Of a semaphore; 0: 1. */
    uint32_t capacity;      /* Of a semaphore; 0: as it is. */
    uint32_t max_waiters;   /* 0: any number. */
    const char *value;      /* Of a candidate; NULL: "". */
    const char *party;      /* Who waits, for the detection of deadlocks; NULL: the session. */
    bool no_renewal;        /* The lease is not renewed by itself. */
    moonlatch_on_loss *on_loss;
    void *context;
} moonlatch_lock_options;

/* Makes a handle: nothing is asked of the server. `names`: one, or 2 to 64 for MOONLATCH_MULTI,
 * which share a tag ("{app}a", "{app}b"). `options` may be NULL: a mutex. */
moonlatch_status moonlatch_lock_new(moonlatch *session, const char *const *names, size_t count,
                                    const moonlatch_lock_options *options, moonlatch_lock **lock);

/* Releases it if it is held, and frees it. NULL is fine. */
void moonlatch_lock_free(moonlatch_lock *lock);

/* Gets the lock. `wait_ms`: 0 only tries, MOONLATCH_FOREVER waits for ever. If the outcome of a
 * request stays unknown, it is cancelled with the server before this returns MOONLATCH_UNREACHABLE;
 * if the server cannot be told within a quarter of request_ms more, it is told as soon as it can
 * be, before this handle asks for anything else. */
#define MOONLATCH_FOREVER (-1)
moonlatch_status moonlatch_acquire(moonlatch_lock *lock, int64_t wait_ms);

/* Returns MOONLATCH_LOST if the lease had been over, and _UNCERTAIN if that cannot be known: the
 * connection broke behind the release, and when it was sent again, it was too late to tell. */
moonlatch_status moonlatch_release(moonlatch_lock *lock);

/* Renews now. */
moonlatch_status moonlatch_renew(moonlatch_lock *lock);

/* Whether it is held for certain: a comparison with the clock, no request. */
bool moonlatch_is_held(const moonlatch_lock *lock);

/* How long for certain; 0 if it is not held. */
int64_t moonlatch_remaining_ms(const moonlatch_lock *lock);

/* The fencing token of the present or the last hold; 0 if there was none. */
uint64_t moonlatch_token(const moonlatch_lock *lock);

/* As it is seen by those who look at the lock: "label/session/handle". */
const char *moonlatch_owner(const moonlatch_lock *lock);

/* Who held it when an acquire last returned MOONLATCH_BUSY, and for how long at the most; "" and 0
 * if not known. */
const char *moonlatch_holder(const moonlatch_lock *lock);
int64_t moonlatch_holder_remaining_ms(const moonlatch_lock *lock);

/* The token that this hold took over since its holder had let the lease pass; 0: none. */
uint64_t moonlatch_taken_over(const moonlatch_lock *lock);

/* Read-write only. Upgrade returns MOONLATCH_DEADLOCK at once unless this is the only reader. If
 * its outcome stays unknown, the lock is lost. */
moonlatch_status moonlatch_upgrade(moonlatch_lock *lock);
moonlatch_status moonlatch_downgrade(moonlatch_lock *lock);

/* Elections: the leader's value. *value is the lock's, until the next call on it. If nobody leads,
 * *token is 0, and *value "". */
moonlatch_status moonlatch_proclaim(moonlatch_lock *lock, const char *value);
moonlatch_status moonlatch_observe(moonlatch_lock *lock, uint64_t *token, const char **value);

/* Guards: what lower tokens are refused by. A write is not repeated when the connection breaks, but
 * returns MOONLATCH_UNCERTAIN: a copy of it that came late would undo later ones. On a cluster, the
 * key has the guard's tag. */
moonlatch_status moonlatch_guard_touch(moonlatch *session, const char *name, uint64_t token);
moonlatch_status moonlatch_guard_write(moonlatch *session, const char *name, uint64_t token,
                                       const char *key, const void *value, size_t len);

/* The caller's event loop. */

/* A descriptor that is readable when moonlatch_process() has something to do; the same for the
 * life of the session. */
int moonlatch_fd(moonlatch *session);

/* How long at most until moonlatch_process() has to be called; -1: nothing is pending. */
int64_t moonlatch_timeout_ms(const moonlatch *session);

/* Renews, finishes asynchronous acquires, calls callbacks. Never waits, but for the C library to
 * look up a server that is given by name. */
moonlatch_status moonlatch_process(moonlatch *session);

/* Called from moonlatch_process() with what moonlatch_acquire() would have returned. */
typedef void moonlatch_on_acquire(moonlatch_lock *lock, moonlatch_status status, void *context);
moonlatch_status moonlatch_acquire_async(moonlatch_lock *lock, int64_t wait_ms,
                                         moonlatch_on_acquire *done, void *context);

/* Gives an asynchronous acquire up; `done` is called with MOONLATCH_CANCELLED. */
void moonlatch_acquire_cancel(moonlatch_lock *lock);

/* Scripts. */

typedef struct moonlatch_reply moonlatch_reply; /* A redisReply of hiredis. */

/* EVALSHA, and EVAL once if the server does not know the script. *reply is to be freed; it is the
 * error for MOONLATCH_ERROR, and NULL if there is none. Nothing is done twice: if the connection
 * breaks behind it, this returns MOONLATCH_UNCERTAIN. */
moonlatch_status moonlatch_eval(moonlatch *session, const char *script, size_t key_count,
                                const char *const *keys, size_t arg_count, const char *const *args,
                                const size_t *arg_lens, moonlatch_reply **reply);

/* Any command that is answered once, within request_ms; as moonlatch_eval(). */
moonlatch_status moonlatch_command(moonlatch *session, size_t argc, const char *const *argv,
                                   const size_t *lens, moonlatch_reply **reply);

typedef enum moonlatch_type {
    MOONLATCH_NIL,
    MOONLATCH_TEXT,
    MOONLATCH_STATUS_TEXT,
    MOONLATCH_INTEGER,
    MOONLATCH_ARRAY,
    MOONLATCH_MAP,
    MOONLATCH_DOUBLE,
    MOONLATCH_BOOLEAN,
    MOONLATCH_FAILURE
} moonlatch_type;
moonlatch_type moonlatch_reply_type(const moonlatch_reply *reply); /* NULL is MOONLATCH_NIL. */

/* "" and 0 if it has no text. `len` may be NULL. */
const char *moonlatch_reply_text(const moonlatch_reply *reply, size_t *len);

int64_t moonlatch_reply_integer(const moonlatch_reply *reply);
size_t moonlatch_reply_count(const moonlatch_reply *reply);

/* NULL if there is none. */
const moonlatch_reply *moonlatch_reply_item(const moonlatch_reply *reply, size_t i);

void moonlatch_reply_free(moonlatch_reply *reply);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
