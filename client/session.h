/* A session: what its links, locks and calls share. All of it but the atomic fields belongs to who
 * has the mutex; see turn.h for how it goes on. */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "client/clock.h"
#include "client/link.h"
#include "client/servers.h"
#include "client/timer.h"
#include "moonlatch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/types.h>

enum {
    LABEL_MAX = 100,
    OWNER_MAX = 200,
    SESSION_ID = 32,
    MESSAGE_MAX = 512,
};

/* Something that a callback is to be told. */
struct event {
    TAILQ_ENTRY(event) entry;
    moonlatch_lock *lock;
    uint64_t token;
};
TAILQ_HEAD(events, event);

TAILQ_HEAD(links, link);
TAILQ_HEAD(locks, moonlatch_lock);
TAILQ_HEAD(batches, batch);

struct moonlatch {
    pid_t pid;
    pthread_mutex_t mutex;

    /* What it is told at the beginning. */
    struct servers servers;
    char *sentinel, *username, *password;
    char label[LABEL_MAX + 1];
    char id[SESSION_ID + 1];
    int64_t connect_us, request_us;

    /* What it waits for. */
    struct timers timers;
    int epoll;
    struct watch wake; /* By moonlatch_interrupt(). */
    atomic_bool is_interrupted;
    struct outlook *outlook; /* The caller's loop; NULL: there is none. */
    struct renewer *renewer; /* The thread; NULL: there is none. */

    struct link calls;       /* Of all that does not wait, and of renewals. */
    struct link commands;    /* Of what the caller asks by itself, which may take long. */
    struct link channel;     /* What servers tell that cannot have clients wait. */
    struct links waits;      /* One for each acquire that waits inside of the server. */
    struct timer vigil;      /* Looks whether the server is there that those wait for. */
    struct request question; /* What it asks. */
    bool knows_server, is_native;

    struct locks locks;
    uint64_t handles;
    size_t held;
    struct batches batches; /* Renewals that are under way. */
    struct events losses,
        ends; /* To be told: of tokens that are lost, of acquires that have ended. */

    char message[MESSAGE_MAX];
    char trouble[MESSAGE_MAX]; /* The last one with a connection. */
    bool is_short;             /* That was for lack of memory. */
};

/* Says why a call fails, and returns the status. */
moonlatch_status session_fail(moonlatch *session, moonlatch_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, for a request that has ended. */
moonlatch_status session_fail_by(moonlatch *session, const struct request *r);

/* The connection is in trouble. */
void session_note(moonlatch *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Until when a request may be tried. */
int64_t session_limit_us(const moonlatch *session);

/* Makes a request ready to be submitted that is to be answered soon. */
void session_prepare(const moonlatch *session, struct request *r);

/* Whether a text has no spaces or the like. */
bool text_is_word(const char *text);

/* The script of that name. */
const struct lock_script *script_find(const char *name);

#endif
