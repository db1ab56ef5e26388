#include "replica/peer.h"

#include "base/log.h"
#include "replica/frame.h"
#include "test/lib/check.h"
#include "test/lib/loopback.h"

#include <dlfcn.h>
#include <netinet/tcp.h>

enum { STRANGERS = 64 }; /* As many as a server puts up with. */

/* A server, and what has come to it. */
struct server {
    struct peer *peer;
    char address[ADDRESS_TEXT_MAX + 1];
    uint16_t port;
    int accepted;
    struct peer_caller caller; /* The last one, */
    char caller_address[ADDRESS_TEXT_MAX + 1];
    size_t request_len;
    uv_stream_t *stream;
    bool keeps; /* Its connection is kept, instead of sending the request back. */
    bool has_accepted;
    bool closed;
};

/* What a dial or a call ended with. */
struct outcome {
    uv_stream_t *stream;
    char error[128];
    size_t reply_len;
    bool done;
};

static uv_loop_t loop;

typedef int (*resolver)(const char *name, const char *service, const struct addrinfo *hints,
                        struct addrinfo **found);

/* Stands before the C library's, and knows a name of two addresses: two.test. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    resolver real = (resolver)dlsym(RTLD_NEXT, "getaddrinfo");
    int err;

    if (name == NULL || strcmp(name, "two.test") != 0) {
        return real(name, service, hints, found);
    }
    err = real("::1", service, hints, found);
    return err != 0 ? err : real("127.0.0.1", service, hints, &(*found)->ai_next);
}

static struct server new_server(uint64_t id, uint64_t group, const char *secret, const char *bind)
{
    struct server s = {.port = loopback_port()};
    struct peer_settings settings = {
        .id = id, .group = group, .bind = bytes_of(bind), .secret = bytes_of(secret)};

    snprintf(s.address, sizeof s.address, "127.0.0.1:1@%d", s.port);
    settings.address = bytes_of(s.address);
    s.peer = peer_new(&loop, &settings);
    return s;
}

static void on_accepted(void *context, const struct peer_caller *caller, uv_stream_t *stream)
{
    struct server *s = context;

    s->accepted++;
    s->has_accepted = true;
    s->caller = *caller;
    strcpy(s->caller_address, caller->address);
    s->request_len = caller->request.len;
    if (caller->kind == PEER_RAFT || s->keeps) {
        s->stream = stream;
    } else {
        peer_reply(s->peer, stream, caller->request);
    }
}

static void server_listen(struct server *s)
{
    CHECK(peer_listen(s->peer, on_accepted, s) == 0);
}

static void on_closed(void *context)
{
    struct server *s = context;

    s->closed = true;
}

static void server_close(struct server *s)
{
    if (s->stream != NULL) {
        peer_hang_up(s->stream);
    }
    peer_close(s->peer, on_closed, s);
    CHECK(loopback_run(&loop, &s->closed, 30000));
    peer_free(s->peer);
}

static void on_dialed(void *context, uv_stream_t *stream, const char *error)
{
    struct outcome *o = context;

    CHECK(!o->done);
    CHECK((stream == NULL) == (error != NULL));
    o->done = true;
    o->stream = stream;
    snprintf(o->error, sizeof o->error, "%s", error != NULL ? error : "");
}

static struct outcome dial(struct server *from, const char *address, enum peer_kind kind,
                           uint64_t to)
{
    struct outcome o = {0};

    CHECK(peer_dial(from->peer, bytes_of(address), kind, to, on_dialed, &o) != NULL);
    CHECK(!o.done);
    CHECK(loopback_run(&loop, &o.done, 10000));
    return o;
}

static bool dial_fails(struct server *from, const char *address, uint64_t to, const char *why)
{
    struct outcome o = dial(from, address, PEER_RAFT, to);

    if (o.stream != NULL) {
        peer_hang_up(o.stream);
    }
    return o.stream == NULL && strstr(o.error, why) != NULL;
}

static bool dial_works(struct server *from, const char *address)
{
    struct outcome o = dial(from, address, PEER_RAFT, 0);

    if (o.stream != NULL) {
        peer_hang_up(o.stream);
    }
    return o.stream != NULL;
}

/* Runs a test with two servers of one group, of which `b` listens. */
static void begin(struct server *a, struct server *b)
{
    uv_loop_init(&loop);
    *a = new_server(1, 7, "secret", "");
    *b = new_server(2, 7, "secret", "");
    server_listen(b);
}

static void end(struct server *a, struct server *b)
{
    server_close(a);
    server_close(b);
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0);
}

static int option(uv_stream_t *stream, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    uv_os_fd_t fd;

    CHECK(uv_fileno((uv_handle_t *)stream, &fd) == 0);
    CHECK(getsockopt(fd, level, name, &value, &len) == 0);
    return value;
}

static bool is_set_up(uv_stream_t *stream)
{
    return option(stream, IPPROTO_TCP, TCP_NODELAY) == 1 &&
           option(stream, SOL_SOCKET, SO_KEEPALIVE) == 1 &&
           option(stream, IPPROTO_TCP, TCP_USER_TIMEOUT) == 3000;
}

TEST(a_peer_is_reached)
{
    struct server a, b;
    struct outcome o;

    begin(&a, &b);
    o = dial(&a, b.address, PEER_RAFT, 2);
    CHECK(o.stream != NULL);
    CHECK(loopback_run(&loop, &b.has_accepted, 1000));
    CHECK(b.caller.kind == PEER_RAFT);
    CHECK(b.caller.id == 1);
    CHECK(strcmp(b.caller_address, a.address) == 0);
    CHECK(is_set_up(o.stream));
    CHECK(is_set_up(b.stream));
    peer_hang_up(o.stream);
    end(&a, &b);
}

TEST(who_is_no_peer_is_refused_and_told_why)
{
    struct server a, b, other_secret, other_group;

    begin(&a, &b);
    other_secret = new_server(3, 7, "guess", "");
    other_group = new_server(3, 8, "secret", "");
    CHECK(dial_fails(&a, b.address, 3, "another server was expected"));
    CHECK(dial_fails(&other_secret, b.address, 2, "secrets differ"));
    CHECK(dial_fails(&other_group, b.address, 2, "groups differ"));
    CHECK(b.accepted == 0);
    server_listen(&other_secret);
    CHECK(dial_fails(&a, other_secret.address, 3, "secrets differ"));
    server_close(&other_group);
    server_close(&other_secret);
    end(&a, &b);
}

TEST(a_server_does_not_reach_itself)
{
    struct server a, b;

    begin(&a, &b);
    CHECK(dial_fails(&b, b.address, 0, "this server itself"));
    end(&a, &b);
}

TEST(dials_fail_for_other_reasons_too)
{
    struct server a, b;

    begin(&a, &b);
    CHECK(dial_fails(&b, a.address, 0, "connection refused"));
    CHECK(dial_fails(&a, "", 0, "no address"));
    CHECK(dial_fails(&a, "127.0.0.1:0", 0, "no address"));
    CHECK(dial_fails(&a, "no_such_host.invalid:1", 0, ""));
    end(&a, &b);
}

/* Nobody listens at the first. */
TEST(each_address_of_a_name_is_tried)
{
    struct server a, b, c;
    char address[64];

    begin(&a, &b);
    c = new_server(3, 7, "secret", "127.0.0.1");
    server_listen(&c);
    snprintf(address, sizeof address, "two.test:1@%d", c.port);
    CHECK(dial_works(&a, address));
    server_close(&c);
    end(&a, &b);
}

TEST(ipv6_works_where_it_is_there)
{
    struct server a, b, c;
    char address[64];

    begin(&a, &b);
    c = new_server(3, 7, "secret", "-::1");
    server_listen(&c);
    snprintf(address, sizeof address, "[::1]:1@%d", c.port);
    CHECK(dial_works(&a, address) || dial_fails(&a, address, 0, "address"));
    server_close(&c);
    end(&a, &b);
}

TEST(without_a_secret_only_this_host_is_listened_to)
{
    struct server a, b, c, d;
    char address[64];

    begin(&a, &b);
    c = new_server(3, 7, "", "*");
    d = new_server(4, 7, "", "");
    server_listen(&c);
    CHECK(dial_works(&d, c.address));
    snprintf(address, sizeof address, "127.0.0.2:1@%d", c.port);
    CHECK(dial_fails(&d, address, 0, "refused"));
    snprintf(address, sizeof address, "127.0.0.2:1@%d", b.port);
    CHECK(dial_works(&a, address));
    server_close(&d);
    server_close(&c);
    end(&a, &b);
}

TEST(an_address_that_is_taken_is_an_error)
{
    struct server a, b, c;
    struct peer_settings settings = {.id = 3, .group = 7, .secret = BYTES("secret")};
    struct server again = {0};

    begin(&a, &b);
    settings.address = bytes_of(b.address);
    again.peer = peer_new(&loop, &settings);
    CHECK(peer_listen(again.peer, on_accepted, &again) == UV_EADDRINUSE);
    server_close(&again);
    c = new_server(3, 7, "secret", "192.0.2.1");
    CHECK(peer_listen(c.peer, on_accepted, &c) == UV_EADDRNOTAVAIL);
    server_close(&c);
    c = new_server(3, 7, "secret", "-192.0.2.1 127.0.0.1");
    CHECK(peer_listen(c.peer, on_accepted, &c) == 0);
    server_close(&c);
    end(&a, &b);
}

/* Strangers. */

/* Runs the loop until the other side has closed, or for so long. */
static bool is_closed_within(int fd, int limit_ms)
{
    uint64_t start_ms;
    bool never = false;

    uv_update_time(&loop);
    start_ms = uv_now(&loop);
    while (uv_now(&loop) < start_ms + (uint64_t)limit_ms) {
        char byte;
        ssize_t got;

        loopback_run(&loop, &never, 10);
        got = recv(fd, &byte, 1, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            return true;
        }
    }
    return false;
}

TEST(a_stranger_that_says_nothing_is_let_go_of)
{
    struct server a, b;
    int fd;

    begin(&a, &b);
    fd = loopback_connect(b.port);
    CHECK(!is_closed_within(fd, 1500));
    CHECK(is_closed_within(fd, 1500));
    close(fd);
    end(&a, &b);
}

TEST(a_stranger_that_says_something_else_is_closed_at_once)
{
    struct server a, b;
    int fd;

    begin(&a, &b);
    fd = loopback_connect(b.port);
    CHECK(send(fd, "PING\r\n", 6, 0) == 6);
    CHECK(is_closed_within(fd, 500));
    close(fd);
    end(&a, &b);
}

/* The oldest goes for each that comes, so peers come through. */
TEST(strangers_do_not_keep_peers_out)
{
    struct server a, b;
    int fds[STRANGERS];

    begin(&a, &b);
    for (int i = 0; i < STRANGERS; i++) {
        fds[i] = loopback_connect(b.port);
    }
    CHECK(!is_closed_within(fds[0], 100));
    CHECK(dial_works(&a, b.address));
    CHECK(is_closed_within(fds[0], 100));
    CHECK(!is_closed_within(fds[1], 100));
    for (int i = 0; i < STRANGERS; i++) {
        close(fds[i]);
    }
    end(&a, &b);
}

/* Who has proved itself is none, and may take its time to ask. */
TEST(strangers_do_not_push_peers_out)
{
    struct server a, b;
    struct outcome o;
    uv_os_fd_t peer;
    int fds[STRANGERS + 1];

    begin(&a, &b);
    o = dial(&a, b.address, PEER_ADMIN, 0);
    CHECK(uv_fileno((uv_handle_t *)o.stream, &peer) == 0);
    for (int i = 0; i <= STRANGERS; i++) {
        fds[i] = loopback_connect(b.port);
    }
    CHECK(is_closed_within(fds[0], 500));
    CHECK(!is_closed_within(peer, 100));
    for (int i = 0; i <= STRANGERS; i++) {
        close(fds[i]);
    }
    peer_hang_up(o.stream);
    end(&a, &b);
}

/* Returns a socket that accepts, and then says nothing. */
static int listen_silently(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, address, len) == 0) {
        CHECK(listen(fd, 5) == 0);
    }
    return fd;
}

/* Likewise if an address does not refuse, but does nothing. */
TEST(an_address_that_is_silent_is_given_up_for_the_next)
{
    struct sockaddr_in6 one = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct server a, b, c;
    char address[64];
    int fd;

    begin(&a, &b);
    c = new_server(3, 7, "secret", "127.0.0.1");
    server_listen(&c);
    one.sin6_port = htons(c.port);
    fd = listen_silently((struct sockaddr *)&one, sizeof one);
    snprintf(address, sizeof address, "two.test:1@%d", c.port);
    CHECK(dial_works(&a, address));
    close(fd);
    server_close(&c);
    end(&a, &b);
}

TEST(who_answers_nothing_is_waited_for_two_seconds)
{
    struct server a, b;
    struct sockaddr_in any = {.sin_family = AF_INET};
    uint64_t start_ms;
    int fd;

    begin(&a, &b);
    any.sin_port = htons(a.port);
    fd = listen_silently((struct sockaddr *)&any, sizeof any);
    start_ms = uv_now(&loop);
    CHECK(dial_fails(&b, a.address, 0, "too long"));
    CHECK(uv_now(&loop) - start_ms >= 2000);
    CHECK(uv_now(&loop) - start_ms < 3000);
    close(fd);
    end(&a, &b);
}

/* Calls. */

static void on_replied(void *context, struct bytes reply, const char *error)
{
    struct outcome *o = context;

    CHECK(!o->done);
    o->done = true;
    o->reply_len = reply.len;
    for (size_t i = 0; i < reply.len; i++) {
        CHECK(reply.at[i] == (char)(i * 7));
    }
    snprintf(o->error, sizeof o->error, "%s", error != NULL ? error : "");
}

static struct outcome call(struct server *from, const char *address, enum peer_kind kind,
                           size_t len)
{
    static char request[FRAME_MAX];
    struct outcome o = {0};

    for (size_t i = 0; i < len; i++) {
        request[i] = (char)(i * 7);
    }
    CHECK(peer_call(from->peer, bytes_of(address), kind, (struct bytes){request, len}, on_replied,
                    &o));
    CHECK(!o.done);
    CHECK(loopback_run(&loop, &o.done, 10000));
    return o;
}

TEST(requests_are_replied_to)
{
    static const size_t lens[] = {0, 1, 1000, FRAME_MAX - 1, FRAME_MAX};
    struct server a, b;

    begin(&a, &b);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct outcome o = call(&a, b.address, PEER_ADMIN, lens[i]);

        CHECK(strcmp(o.error, "") == 0);
        CHECK(o.reply_len == lens[i]);
        CHECK(b.request_len == lens[i]);
        CHECK(b.caller.kind == PEER_ADMIN);
    }
    end(&a, &b);
}

TEST(a_server_without_a_group_may_ask_to_join)
{
    struct server a, b, c;

    begin(&a, &b);
    c = new_server(3, 0, "secret", "");
    CHECK(call(&c, b.address, PEER_JOIN, 5).reply_len == 5);
    CHECK(b.caller.group == 0);
    CHECK(strstr(call(&c, b.address, PEER_ADMIN, 5).error, "groups differ") != NULL);
    peer_set_group(c.peer, 7);
    CHECK(call(&c, b.address, PEER_ADMIN, 5).reply_len == 5);
    server_close(&c);
    end(&a, &b);
}

TEST(a_call_does_not_wait_forever)
{
    struct server a, b;
    uint64_t start_ms;

    begin(&a, &b);
    b.keeps = true;
    start_ms = uv_now(&loop);
    CHECK(strstr(call(&a, b.address, PEER_ADMIN, 1).error, "too long") != NULL);
    CHECK(uv_now(&loop) - start_ms >= 5000);
    CHECK(uv_now(&loop) - start_ms < 6000);
    end(&a, &b);
}

/* A request that is too long, by what it says of itself, and one that never ends. */
static void send_request(uv_stream_t *stream, uint32_t len)
{
    uv_buf_t out = uv_buf_init((char *)&len, sizeof len);

    CHECK(uv_try_write(stream, &out, 1) == sizeof len);
}

TEST(requests_are_bounded_and_must_end)
{
    struct server a, b;
    struct outcome o;
    uv_os_fd_t fd;

    begin(&a, &b);
    o = dial(&a, b.address, PEER_ADMIN, 0);
    CHECK(uv_fileno((uv_handle_t *)o.stream, &fd) == 0);
    send_request(o.stream, FRAME_MAX + 1);
    CHECK(is_closed_within(fd, 500));
    peer_hang_up(o.stream);
    o = dial(&a, b.address, PEER_ADMIN, 0);
    CHECK(uv_fileno((uv_handle_t *)o.stream, &fd) == 0);
    send_request(o.stream, 10);
    CHECK(!is_closed_within(fd, 4500));
    CHECK(is_closed_within(fd, 1000));
    peer_hang_up(o.stream);
    CHECK(b.accepted == 0);
    end(&a, &b);
}

/* The end. */

TEST(what_is_under_way_ends_when_a_server_closes)
{
    struct server a, b;
    struct outcome dialed = {0}, called = {0}, bad = {0}, named = {0};
    int fd;

    begin(&a, &b);
    fd = loopback_connect(b.port);
    peer_dial(a.peer, bytes_of(b.address), PEER_RAFT, 0, on_dialed, &dialed);
    peer_dial(a.peer, BYTES("?"), PEER_RAFT, 0, on_dialed, &bad);
    peer_dial(a.peer, BYTES("localhost:1"), PEER_RAFT, 0, on_dialed, &named);
    peer_call(a.peer, bytes_of(b.address), PEER_ADMIN, BYTES("x"), on_replied, &called);
    uv_run(&loop, UV_RUN_NOWAIT);
    server_close(&a);
    CHECK(strstr(called.error, "closes") != NULL);
    CHECK(dialed.done);
    CHECK(bad.done);
    CHECK(named.done);
    if (dialed.stream != NULL) {
        peer_hang_up(dialed.stream);
    }
    server_close(&b);
    close(fd);
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0);
}

/* Whenever it is closed, step by step, nothing is left. */
TEST(a_server_may_close_at_any_time)
{
    for (int steps = 0; steps < 12; steps++) {
        struct server a, b;
        struct outcome called = {0};

        begin(&a, &b);
        peer_call(a.peer, bytes_of(b.address), PEER_ADMIN, BYTES(""), on_replied, &called);
        for (int i = 0; i < steps; i++) {
            uv_run(&loop, UV_RUN_NOWAIT);
        }
        if (steps % 2 == 0) {
            end(&a, &b);
        } else {
            end(&b, &a);
        }
        CHECK(called.done);
    }
}

TEST(a_dial_that_is_canceled_tells_nobody)
{
    for (int steps = 0; steps < 4; steps++) {
        struct server a, b;
        struct outcome o = {0};
        struct peer_dial *d;

        begin(&a, &b);
        d = peer_dial(a.peer, bytes_of(b.address), PEER_RAFT, 0, on_dialed, &o);
        for (int i = 0; i < steps; i++) {
            uv_run(&loop, UV_RUN_NOWAIT);
        }
        if (!o.done) {
            peer_dial_cancel(d);
        }
        if (o.stream != NULL) {
            peer_hang_up(o.stream);
        }
        end(&a, &b);
        CHECK(steps > 1 || !o.done);
    }
}

int main(void)
{
    log_set_file("/dev/null");
    return RUN(
        a_peer_is_reached, who_is_no_peer_is_refused_and_told_why, a_server_does_not_reach_itself,
        dials_fail_for_other_reasons_too, each_address_of_a_name_is_tried,
        ipv6_works_where_it_is_there, without_a_secret_only_this_host_is_listened_to,
        an_address_that_is_taken_is_an_error, a_stranger_that_says_nothing_is_let_go_of,
        a_stranger_that_says_something_else_is_closed_at_once, strangers_do_not_keep_peers_out,
        strangers_do_not_push_peers_out, an_address_that_is_silent_is_given_up_for_the_next,
        who_answers_nothing_is_waited_for_two_seconds, requests_are_replied_to,
        a_server_without_a_group_may_ask_to_join, a_call_does_not_wait_forever,
        requests_are_bounded_and_must_end, what_is_under_way_ends_when_a_server_closes,
        a_server_may_close_at_any_time, a_dial_that_is_canceled_tells_nobody);
}
