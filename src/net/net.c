#include "net/net.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/expiry.h"
#include "net/conn.h"
#include "net/listener.h"

#include <poll.h>

enum {
    SHARED_SIZE = 256 * 1024,
    CRON_MS = 100,
    EXPIRE_BUDGET_US = 20 * 1000, /* Of each CRON_MS. */
    LISTENERS_MAX = 17,
};

struct net {
    struct conn_set conns;
    struct net_settings *settings;
    struct listener *listener[LISTENERS_MAX];
    size_t listeners;
    struct buf bind; /* Where the TCP listeners are: as in the settings then. */
    int port;
    uv_prepare_t prepare; /* Sends what timers wrote, before the loop sleeps. */
    uv_check_t check;     /* Sends what requests wrote, when all have run. */
    uv_idle_t reclaim;    /* Runs while memory waits to be freed: the loop does not sleep. */
    uv_timer_t cron;
    uv_timer_t waits;       /* Ends what waits no longer than a certain time, */
    int64_t waits_until_ms; /* the next of it then; INT64_MAX: nothing does. */
};

static void on_waits(uv_timer_t *handle);

/* Sees to it that on_waits() is called in time. */
static void arm_waits(struct net *n)
{
    int64_t until_ms = block_deadline_ms(n->conns.engine);
    int64_t now_ms = logtime_ms(&n->conns.engine->time);

    if (until_ms == n->waits_until_ms) {
        return;
    }
    n->waits_until_ms = until_ms;
    if (until_ms == INT64_MAX) {
        uv_timer_stop(&n->waits);
    } else {
        uv_timer_start(&n->waits, on_waits, until_ms > now_ms ? (uint64_t)(until_ms - now_ms) : 0,
                       0);
    }
}

static void on_waits(uv_timer_t *handle)
{
    struct net *n = handle->data;

    engine_tick(n->conns.engine);
    block_time_out(n->conns.engine);
    n->waits_until_ms = INT64_MAX;
}

static void on_reclaim(uv_idle_t *handle)
{
    if (!engine_free_some()) {
        uv_idle_stop(handle);
    }
}

static void on_prepare(uv_prepare_t *handle)
{
    struct net *n = handle->data;

    conn_set_flush(&n->conns);
    if (engine_has_to_free()) {
        uv_idle_start(&n->reclaim, on_reclaim);
    }
    if (engine_is_to_stop(n->conns.engine)) {
        net_close(n);
    } else {
        arm_waits(n);
    }
}

static void on_check(uv_check_t *handle)
{
    struct net *n = handle->data;

    conn_set_flush(&n->conns);
}

static void on_cron(uv_timer_t *handle)
{
    struct net *n = handle->data;

    engine_tick(n->conns.engine);
    if (n->conns.engine->settings.cron_stands) {
        return;
    }
    expiry_run(n->conns.engine, EXPIRE_BUDGET_US);
    tracking_limit(n->conns.engine);
    engine_out_of_memory(n->conns.engine); /* Evicts, though nobody asks for memory. */
    conn_set_prune(&n->conns);
}

/* The busy door. The script whose turn it is holds the loop, so the sockets are
 * asked directly. What is read here the loop will not miss, because it is the same
 * connections that read it. Replies to requests that came before the script, in the
 * same turn, are sent from here too. */
static void serve_door(void *context)
{
    struct net *n = context;
    size_t count = 0;
    struct pollfd *fds = mem_alloc((n->conns.count + n->listeners) * sizeof *fds);
    struct conn **conns = mem_alloc((n->conns.count + 1) * sizeof *conns);
    bool ticked = n->conns.ticked;

    n->conns.time_stands = true;
    if (n->conns.engine->commit.ops != NULL) {
        n->conns.engine->commit.ops->serve(n->conns.engine->commit.context);
    }
    for (struct conn *c = n->conns.first; c != NULL; c = conn_next(c)) {
        if (!conn_executing(c)) {
            fds[count] = (struct pollfd){
                .fd = conn_fd(c), .events = (short)(POLLIN | (conn_wants_write(c) ? POLLOUT : 0))};
            conns[count++] = c;
        }
    }
    for (size_t i = 0; i < n->listeners; i++) {
        fds[count + i] = (struct pollfd){.fd = listener_fd(n->listener[i]), .events = POLLIN};
    }
    if (poll(fds, count + n->listeners, 0) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (fds[i].revents & POLLOUT) {
                conn_flush(conns[i]);
            } else if (fds[i].revents != 0) {
                conn_read(conns[i]);
            }
        }
        for (size_t i = 0; i < n->listeners; i++) {
            if (fds[count + i].revents != 0) {
                listener_accept(n->listener[i]);
            }
        }
    }
    conn_set_flush(&n->conns); /* With the replies from before the script. */
    n->conns.time_stands = false;
    n->conns.ticked = ticked;
    mem_free(conns);
    mem_free(fds);
}

struct net *net_new(uv_loop_t *loop, struct engine *e, struct net_settings *settings)
{
    struct net *n = mem_zalloc(sizeof *n);

    n->settings = settings;
    n->conns = (struct conn_set){.loop = loop,
                                 .engine = e,
                                 .settings = settings,
                                 .shared = mem_alloc(SHARED_SIZE),
                                 .shared_size = SHARED_SIZE};
    e->door = (struct door){serve_door, n};
    n->prepare.data = n;
    n->check.data = n;
    n->cron.data = n;
    n->waits.data = n;
    uv_prepare_init(loop, &n->prepare);
    uv_check_init(loop, &n->check);
    uv_idle_init(loop, &n->reclaim);
    uv_timer_init(loop, &n->cron);
    uv_timer_init(loop, &n->waits);
    n->waits_until_ms = INT64_MAX;
    uv_prepare_start(&n->prepare, on_prepare);
    uv_check_start(&n->check, on_check);
    uv_timer_start(&n->cron, on_cron, CRON_MS, CRON_MS);
    return n;
}

static int listen_tcp(struct net *n, struct bytes rest, int port)
{
    int opened = 0;

    if (port == 0) {
        return 0;
    }
    while (rest.len > 0 && n->listeners < LISTENERS_MAX) {
        const char *space = memchr(rest.at, ' ', rest.len);
        size_t len = space != NULL ? (size_t)(space - rest.at) : rest.len;
        struct bytes address = {rest.at, len};
        bool optional = len > 0 && address.at[0] == '-';
        int err;

        rest.at += len + (space != NULL);
        rest.len -= len + (space != NULL);
        if (len == 0) {
            continue;
        }
        if (optional) {
            address = (struct bytes){address.at + 1, len - 1};
        }
        err = listener_open_tcp(&n->conns, address, port, &n->listener[n->listeners]);
        if (err == 0) {
            n->listeners++;
            opened++;
        } else if (!optional) {
            return err;
        }
    }
    return opened > 0 ? 0 : UV_EADDRNOTAVAIL;
}

/* Remembers where it listens. */
static void note_place(struct net *n)
{
    n->port = n->settings->port;
    n->bind.len = 0;
    buf_add(&n->bind, buf_bytes(&n->settings->bind));
}

int net_listen(struct net *n)
{
    int err = listen_tcp(n, buf_bytes(&n->settings->bind), n->settings->port);

    if (err == 0 && n->settings->unix_socket.len > 0) {
        err = listener_open_unix(&n->conns, buf_bytes(&n->settings->unix_socket),
                                 n->settings->unix_socket_mode, &n->listener[n->listeners]);
        n->listeners += err == 0;
    }
    note_place(n);
    return err;
}

static void close_tcp(struct net *n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n->listeners; i++) {
        if (listener_is_unix(n->listener[i])) {
            n->listener[kept++] = n->listener[i];
        } else {
            listener_close(n->listener[i]);
        }
    }
    n->listeners = kept;
}

int net_listen_again(struct net *n)
{
    struct bytes bind = buf_bytes(&n->settings->bind);
    int err;

    if (n->port == n->settings->port && bytes_equal(buf_bytes(&n->bind), bind)) {
        return 0;
    }
    close_tcp(n); /* Their addresses may be among the new ones. */
    err = listen_tcp(n, bind, n->settings->port);
    if (err != 0) {
        close_tcp(n);
        listen_tcp(n, buf_bytes(&n->bind), n->port);
        return err;
    }
    note_place(n);
    return 0;
}

void net_close(struct net *n)
{
    for (size_t i = 0; i < n->listeners; i++) {
        listener_close(n->listener[i]);
    }
    n->listeners = 0;
    while (n->conns.first != NULL) {
        conn_close(n->conns.first);
    }
    if (!uv_is_closing((uv_handle_t *)&n->cron)) {
        uv_close((uv_handle_t *)&n->prepare, NULL);
        uv_close((uv_handle_t *)&n->check, NULL);
        uv_close((uv_handle_t *)&n->reclaim, NULL);
        uv_close((uv_handle_t *)&n->cron, NULL);
        uv_close((uv_handle_t *)&n->waits, NULL);
    }
}

void net_free(struct net *n)
{
    if (n != NULL) {
        buf_clear(&n->bind);
        mem_free(n->conns.shared);
        mem_free(n);
    }
}
