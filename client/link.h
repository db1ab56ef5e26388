/* A link: a connection to whichever server leads, and the requests that it brings there.
 *
 * It connects when there is something to bring, finds the leader, and starts anew elsewhere when a
 * server is silent, gone, or says that another one leads. What was under way is sent again if it
 * may be; the order stays. A request ends when it is answered, or when its time is over. */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include "client/outgoing.h"
#include "client/request.h"
#include "client/servers.h"
#include "client/timer.h"
#include "client/watch.h"

#include <stdint.h>

enum link_state {
    LINK_DOWN,
    LINK_RESTING, /* Until it tries again. */
    LINK_CONNECTING,
    LINK_GREETING,
    LINK_UP,
};

/* What a server's clock said when it was asked, and when that was. */
struct calibration {
    int64_t asked_us;
    int64_t server_us;
};

/* A command that tells what time it is, if the server has the lock scripts built in and leads. */
enum { LINK_PROBE = 5 };
extern const char *const link_probe[LINK_PROBE];

struct link {
    TAILQ_ENTRY(link) entry; /* Among those of its kind. */
    struct moonlatch *session;
    enum link_state state;
    struct address address;
    struct watch watch;
    struct timer timer; /* Of the connection; or of the rest. */
    redisReader *reader;
    struct outgoing out;
    struct requests waiting, sent;
    unsigned failures;  /* In a row. */
    bool asks_sentinel; /* What it is connected to is one. */
    bool awaits_auth;   /* The next reply of the greeting is AUTH's. */
    bool is_native;
    bool is_kept;       /* It is to be up, even if there is nothing to bring. */
    bool is_broken;     /* The next turn will find out. */
    bool is_hanging_up; /* Our side is closed. */
    uint64_t life;      /* Rises with each connection. */
    struct calibration clock;
    struct request time; /* Asks for it anew. */
    bool is_taken;       /* From the pool. */

    void (*on_up)(struct link *l);
    void (*on_push)(struct link *l, const redisReply *reply); /* Replies are no answers here. */
};

void link_init(struct link *l, struct moonlatch *session);

/* Closes it. Its requests are forgotten. */
void link_clear(struct link *l);

/* Takes a request. Its done() is never called from here. */
void link_submit(struct link *l, struct request *r);

/* Takes a request back that has not been sent, or whose connection is down. */
void link_withdraw(struct request *r);

/* Gives a request less time. */
void link_hurry(struct request *r, int64_t give_up_us);

/* Once it is sent, a request that has been submitted is answered when the server can, up to a time.
 * While it is not sent, it has its usual time from when that began. */
void link_expect_late(struct request *r, int64_t late_us);

/* Connects if it is down. */
void link_wake(struct link *l);

/* Ends the connection. What was under way is sent again elsewhere if it may be. */
void link_lose(struct link *l, const char *why);

/* Tells the server that nobody waits here any more: it answers or closes. */
void link_hang_up(struct link *l);

/* Says something that needs no answer, on a link of which replies are pushed. */
void link_say(struct link *l, const char *verb, const char *word);

/* Ends a request without its connection being at fault. */
void request_end(struct request *r, moonlatch_status status);

#endif
