/* Being dialed: from a socket that somebody has connected to, to a caller that has proved
 * itself and said what it wants. */
#include "base/log.h"
#include "replica/frame.h"
#include "replica/memory.h"
#include "replica/peer_state.h"

#include <errno.h>
#include <stdio.h>

enum { BACKLOG = 128 };

struct incoming {
    struct task task;
    struct peer *peer;
    uv_tcp_t *stream;
    struct handshake handshake;
    char in[HANDSHAKE_HELLO_SIZE];
    struct frame request;
    char from[INET6_ADDRSTRLEN]; /* The caller's address, without the port. */
};

/* Strangers: at most so many at once, lest they use up the sockets. */

static void forget_stranger(struct incoming *i)
{
    struct peer *p = i->peer;

    for (size_t at = 0; at < p->stranger_count; at++) {
        if (p->strangers[at] == i) {
            p->stranger_count--;
            memmove(p->strangers + at, p->strangers + at + 1,
                    (p->stranger_count - at) * sizeof *p->strangers);
            return;
        }
    }
}

static void incoming_free(struct incoming *i)
{
    struct peer *p = i->peer;

    task_stop(&i->task);
    forget_stranger(i);
    frame_clear(&i->request);
    free(i);
    peer_let_go(p);
}

static void turn_away(struct incoming *i, const char *why)
{
    if (why != NULL && peer_may_complain(i->peer, i->from)) {
        log_write(LOG_WARNING, "A connection from %s to the port for peers was refused: %s",
                  i->from, why);
    }
    peer_hang_up((uv_stream_t *)i->stream);
    incoming_free(i);
}

static void on_end(struct task *task, const char *why)
{
    struct incoming *i = (struct incoming *)((char *)task - offsetof(struct incoming, task));

    turn_away(i, i->peer->closing ? NULL : why);
}

/* Who waits longest must go when one more comes: peers are quick. */
static void remember_stranger(struct incoming *i)
{
    struct peer *p = i->peer;

    if (p->stranger_count == PEER_STRANGERS_MAX) {
        turn_away(p->strangers[0], "too many strangers have connected");
    }
    p->strangers[p->stranger_count++] = i;
}

static void hand_over(struct incoming *i)
{
    struct peer *p = i->peer;
    uv_stream_t *stream = (uv_stream_t *)i->stream;
    struct peer_caller caller = {.kind = i->handshake.kind,
                                 .id = i->handshake.id,
                                 .group = i->handshake.group,
                                 .address = i->handshake.address,
                                 .request = frame_content(&i->request)};

    uv_read_stop(stream);
    stream->data = NULL;
    p->accepted(p->accepted_context, &caller, stream);
    incoming_free(i);
}

/* The request. */

static void request_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct incoming *i = handle->data;

    (void)suggested;
    frame_room(&i->request, room);
}

static void on_request(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct incoming *i = stream->data;
    int complete;

    (void)room;
    if (count < 0) {
        turn_away(i, uv_strerror((int)count));
        return;
    }
    complete = frame_take(&i->request, (size_t)count);
    if (complete < 0) {
        turn_away(i, "its request is too long");
    } else if (complete > 0) {
        hand_over(i);
    }
}

static void on_proved(struct incoming *i)
{
    uv_stream_t *stream = (uv_stream_t *)i->stream;

    forget_stranger(i);
    peer_set_options(i->stream, i->handshake.kind);
    if (i->handshake.kind == PEER_RAFT) {
        hand_over(i);
        return;
    }
    task_limit(&i->task, PEER_CALL_MS);
    uv_read_stop(stream);
    uv_read_start(stream, request_room, on_request);
}

/* The handshake. */

static void handshake_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct incoming *i = handle->data;

    (void)suggested;
    *room = uv_buf_init(i->in, (unsigned)handshake_wants(&i->handshake));
}

/* One that connects and leaves without a word is no news: port scanners and health checks
 * do that. */
static void on_lost(struct incoming *i, int err)
{
    bool spoke = i->handshake.step != HANDSHAKE_HELLO || i->handshake.in_len > 0;

    turn_away(i, spoke ? uv_strerror(err) : NULL);
}

static void on_handshake(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct incoming *i = stream->data;
    struct handshake *h = &i->handshake;
    bool fine;
    int err;

    if (count < 0) {
        on_lost(i, (int)count);
        return;
    }
    fine = handshake_take(h, (struct bytes){room->base, (size_t)count});
    err = peer_send_handshake(h, stream);
    if (!fine) {
        turn_away(i, handshake_text(h->refusal));
    } else if (err != 0) {
        turn_away(i, uv_strerror(err));
    } else if (h->step == HANDSHAKE_DONE) {
        on_proved(i);
    }
}

static void name_caller(struct incoming *i)
{
    struct sockaddr_storage from = {0};
    int len = sizeof from;

    strcpy(i->from, "?");
    if (uv_tcp_getpeername(i->stream, (struct sockaddr *)&from, &len) != 0) {
        return;
    }
    if (from.ss_family == AF_INET6) {
        uv_ip6_name((struct sockaddr_in6 *)&from, i->from, sizeof i->from);
    } else {
        uv_ip4_name((struct sockaddr_in *)&from, i->from, sizeof i->from);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct peer *p = listener->data;
    struct incoming *i;

    if (status != 0) {
        if (peer_may_complain(p, "accept")) {
            log_write(LOG_WARNING, "Cannot accept a peer: %s", uv_strerror(status));
        }
        return;
    }
    i = memory_new(sizeof *i);
    i->peer = p;
    i->stream = peer_stream_new(p);
    i->stream->data = i;
    peer_use(p);
    task_start(&p->tasks, &i->task, PEER_HANDSHAKE_MS, on_end);
    status = uv_accept(listener, (uv_stream_t *)i->stream);
    name_caller(i);
    if (status != 0) {
        turn_away(i, uv_strerror(status));
        return;
    }
    remember_stranger(i);
    peer_set_options(i->stream, PEER_RAFT);
    handshake_accept(&i->handshake, &p->self);
    uv_read_start((uv_stream_t *)i->stream, handshake_room, on_handshake);
}

/* Listening. */

/* A handle that could not listen is closed with the others. */
static int listen_at(struct peer *p, const struct sockaddr *address)
{
    unsigned flags = address->sa_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0;
    uv_tcp_t *listener;
    int err;

    if (p->listener_count == PEER_LISTENERS_MAX) {
        return -E2BIG;
    }
    listener = &p->listeners[p->listener_count++];
    uv_tcp_init(p->loop, listener);
    listener->data = p;
    err = uv_tcp_bind(listener, address, flags);
    if (err != 0) {
        return err;
    }
    return uv_listen((uv_stream_t *)listener, BACKLOG, on_connection);
}

/* Listens at all addresses of a name. At the start, it may take its time. */
static int listen_at_name(struct peer *p, const char *name)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    uv_getaddrinfo_t resolve = {0};
    char port[8];
    int err;

    snprintf(port, sizeof port, "%u", p->port);
    if (strcmp(name, "*") == 0) {
        name = "0.0.0.0";
    } else if (strcmp(name, "::*") == 0) {
        name = "::";
    }
    err = uv_getaddrinfo(p->loop, &resolve, NULL, name, port, &hints);
    for (struct addrinfo *at = resolve.addrinfo; err == 0 && at != NULL; at = at->ai_next) {
        err = listen_at(p, at->ai_addr);
    }
    uv_freeaddrinfo(resolve.addrinfo);
    return err;
}

/* An address that is not there is no fault if a '-' says so. */
static int listen_at_word(struct peer *p, const char *word)
{
    bool optional = word[0] == '-';
    int err = listen_at_name(p, word + optional);

    if (optional && (err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT)) {
        return 0;
    }
    if (err != 0) {
        log_write(LOG_WARNING, "Cannot listen for peers at %s, port %u: %s", word + optional,
                  p->port, uv_strerror(err));
    }
    return err;
}

/* Who cannot prove anything can at least be kept to this host. */
static char *choose_addresses(const struct peer *p)
{
    const char *chosen = p->bind[0] != '\0' ? p->bind : "* -::*";
    char *copy = strdup(p->self.secret.len > 0 ? chosen : "127.0.0.1 -::1");

    if (copy == NULL) {
        abort();
    }
    return copy;
}

int peer_listen(struct peer *p, peer_accepted accepted, void *context)
{
    char *words = choose_addresses(p);
    char *rest = NULL;
    int err = 0;

    p->accepted = accepted;
    p->accepted_context = context;
    for (char *word = strtok_r(words, " ", &rest); word != NULL && err == 0;
         word = strtok_r(NULL, " ", &rest)) {
        err = listen_at_word(p, word);
    }
    free(words);
    return err;
}
