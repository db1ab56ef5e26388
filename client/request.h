/* A request: what is asked, how often it may be, and until when; see link.h for who brings it.
 *
 * It lies in what it is for, as timers do, and so do its words, which are read when it is sent. */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include "client/timer.h"
#include "lua/texts.h"
#include "moonlatch.h"

#include <hiredis/hiredis.h>

#include <stddef.h>
#include <sys/queue.h>

struct link;

struct request {
    TAILQ_ENTRY(request) entry;
    struct link *link; /* Who has it; NULL: nobody. */
    struct timer timer;

    /* What is asked: a command, or a script and its keys and arguments. A script with a name is one
     * that a server may have built in. */
    const struct lock_script *script;
    size_t key_count;
    size_t count;
    const char *const *words;
    const size_t *lens; /* NULL: the words end in NUL. */
    bool reads_only;

    bool is_repeatable; /* To do it twice is as good as once. */
    bool is_brief;      /* Goes down with the connection. */
    int64_t give_up_us;
    int64_t patience_us; /* How long a server may be silent; */
    bool is_late;        /* or it answers when it can, */
    int64_t late_us;     /* until then. */

    bool is_sent;              /* On the present connection. */
    bool is_in_doubt;          /* It was sent on one that broke: it may have been done. */
    bool has_text;             /* The server does not know the script. */
    int64_t first_us, sent_us; /* When it was sent first, and last; 0: never. */

    /* Called once, when it has left the link, and never from within link_submit(). OK, with the
     * reply; ERROR or DENIED, with an error as the reply; UNREACHABLE, UNCERTAIN or MEMORY. */
    void (*done)(struct request *r);
    void *owner;
    moonlatch_status status;
    redisReply *reply; /* Freed behind done()... */
    bool keeps_reply;  /* ...unless it is the owner's. */
};

TAILQ_HEAD(requests, request);

struct outgoing;

/* Adds the bytes of a request. `is_native`: the server has the lock scripts built in. Returns false
 * if memory is short; then nothing has been added. */
bool request_encode(const struct request *r, bool is_native, struct outgoing *out);

#endif
