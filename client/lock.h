/* A handle of a lock: what it is, how it is asked for, and what is held of it. */
#ifndef CLIENT_LOCK_H
#define CLIENT_LOCK_H

#include "client/session.h"

enum { DIGITS = 24, EXTRA_WORDS = 12 };

/* What an acquire is about: see acquire.c. */
enum phase {
    PHASE_IDLE,
    PHASE_CLEARING,   /* An earlier request of this handle is not settled yet. */
    PHASE_TRYING,     /* Has asked, and is answered soon. */
    PHASE_WAITING,    /* Waits inside of the server. */
    PHASE_RESTING,    /* Asks again later. */
    PHASE_CONFIRMING, /* Has it, if it is not too late by now. */
    PHASE_UNDOING,    /* Gives it up, and tells the server. */
};

struct acquire {
    enum phase phase;
    int64_t until_us; /* How long it waits; NEVER_US: for ever. */
    int64_t limit_us; /* How long it tries to reach a server. */
    struct timer timer;
    struct link *link;    /* PHASE_WAITING. */
    bool is_given_up;     /* Whatever comes is undone. */
    bool is_queued;       /* The server may remember that it waits. */
    bool was_stale;       /* A grant of this acquire was over before it was heard of. */
    bool asks_to_wait;    /* So the server has been told. */
    bool listens;         /* To what is said about its key. */
    moonlatch_status end; /* What it returns when it is undone. */
    size_t key;           /* Which one is waited for. */

    moonlatch_on_acquire *done; /* NULL: the caller waits. */
    void *context;
};

struct moonlatch_lock {
    TAILQ_ENTRY(moonlatch_lock) entry;
    moonlatch *session;
    bool is_freed; /* By the caller. It goes when the server has been told what there is to tell. */

    /* What it is. */
    moonlatch_kind kind;
    const struct lock_script *script;
    char **keys;
    size_t key_count, name_count;
    char owner[OWNER_MAX + 1];
    uint32_t ttl_ms, delay_ms, max_count, permits, capacity, max_waiters;
    char *value;
    bool no_renewal;
    moonlatch_on_loss *on_loss;
    void *context;

    /* How it is asked for. Both have a place for their words. */
    struct request ask, errand;
    const char **ask_words, **errand_words;
    char numbers[EXTRA_WORDS][DIGITS], errand_number[DIGITS];
    bool is_answered; /* What a call waits for. */
    uint64_t rid;
    struct acquire acquire;
    moonlatch_status result;
    struct event end;

    /* What is held. The atomic fields are read by whoever asks. */
    _Atomic int64_t deadline_us; /* 0: nothing. */
    _Atomic uint64_t token;
    bool is_held;
    bool is_unsettled; /* The server may think so, though this does not. */
    bool renews_alone; /* Not with the others of the session. */
    unsigned renewals; /* That are under way, and read this. */
    uint32_t count;
    int64_t confirmed_us; /* When that was sent which was confirmed last. */
    struct timer expiry, renewal;
    struct event *loss; /* To tell of it if it is lost. */
    uint64_t taken_over;
    char holder[OWNER_MAX + 1];
    int64_t holder_until_us;
    char *observed; /* Of a leader. */
};

/* Has a script do something with the lock, soon. `words` are what follows the keys; they and the
 * lock's own texts are not changed until it is answered. */
void lock_submit(moonlatch_lock *lock, struct link *l, size_t count, const char *const *words);

/* The same, and waits for the answer. The reply stays in the lock until it is forgotten. */
moonlatch_status lock_ask(moonlatch_lock *lock, size_t count, const char *const *words);
void lock_forget_reply(moonlatch_lock *lock);

/* What an answer's first word stands for. */
moonlatch_status lock_verdict(const redisReply *reply);

/* A number as text, in one of the lock's places. */
const char *lock_number(moonlatch_lock *lock, size_t place, uint64_t number);

/* Has "release" or "cancel" with a number done, however long that takes, while it may matter. */
void lock_send_errand(moonlatch_lock *lock, const char *operation, uint64_t number);

/* It is held from now on, by what was sent at a time; or held for longer. */
void lock_hold(moonlatch_lock *lock, uint64_t token, int64_t sent_us);
void lock_extend(moonlatch_lock *lock, int64_t sent_us);

/* It is not held any more: it is given back. */
void lock_let_go(moonlatch_lock *lock);

/* It is not held any more, and whoever wants to know is told. */
void lock_lose(moonlatch_lock *lock, bool server_knows);

/* Sets the parts up that call back. */
void lock_init(moonlatch_lock *lock);

/* The caller has done with it: gives it back, and has it freed when that is settled. */
void lock_retire(moonlatch_lock *lock);

/* Whether the deadline has passed. */
bool lock_is_over(const moonlatch_lock *lock);

/* Frees it if it is to go and nothing of it is under way. To be called last. */
void lock_settle(moonlatch_lock *lock);

/* Of a session that is closed. */
void locks_release(moonlatch *s);
void locks_free(moonlatch *s);

/* What is to be told to a caller. */
struct notice {
    moonlatch_lock *lock;
    moonlatch_on_loss *on_loss;
    moonlatch_on_acquire *on_end;
    void *context;
    uint64_t token;
    moonlatch_status status;
};
bool lock_take_loss(moonlatch *s, struct notice *notice);
bool lock_take_end(moonlatch *s, struct notice *notice);
void lock_tell(const struct notice *notice);

#endif
