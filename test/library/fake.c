#include "test/library/fake.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 64, OPERATIONS = 32, KEPT_WORDS = 64 * 1024 };

struct connection {
    int fd; /* -1: none. */
    redisReader *reader;
    long requests_left, replies_left;
    bool is_waiting;
    char owner[256], rid[32];
};

struct fake {
    pthread_t thread;
    pthread_mutex_t mutex;
    int listener, bell;
    char address[32];
    bool ends, native, frozen, has_cut, knows_scripts;
    int delay_ms;
    long cut_requests, cut_replies;
    const char *answer, *operation, *operation_answer, *stolen;
    int64_t clock_us;
    struct connection connections[CONNECTIONS];

    /* The lock. */
    char owner[256], rid[32];
    uint64_t token;
    bool is_held;

    unsigned accepted, grants;
    struct {
        char name[32];
        unsigned count;
    } counts[OPERATIONS];
    char seen[KEPT_WORDS];
    size_t seen_len;
};

static int64_t now_us(const struct fake *f)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + f->clock_us;
}

static void count(struct fake *f, const char *operation)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (f->counts[i].name[0] == '\0') {
            snprintf(f->counts[i].name, sizeof f->counts[i].name, "%s", operation);
        }
        if (strcmp(f->counts[i].name, operation) == 0) {
            f->counts[i].count++;
            return;
        }
    }
}

static void drop(struct connection *c)
{
    close(c->fd);
    redisReaderFree(c->reader);
    *c = (struct connection){.fd = -1};
}

/* Replies. */

static void reply_bytes(struct fake *f, struct connection *c, const char *bytes)
{
    size_t len = strlen(bytes);

    if (c->replies_left >= 0) {
        f->has_cut = f->has_cut || (long)len > c->replies_left;
        len = (long)len > c->replies_left ? (size_t)c->replies_left : len;
        c->replies_left -= (long)len;
        if (send(c->fd, bytes, len, MSG_NOSIGNAL) < 0 || f->has_cut) {
            drop(c);
        }
        return;
    }
    (void)!send(c->fd, bytes, len, MSG_NOSIGNAL);
}

static void reply_words(struct fake *f, struct connection *c, size_t words, ...)
{
    char bytes[2048];
    int len = snprintf(bytes, sizeof bytes, "*%zu\r\n", words);
    va_list args;

    va_start(args, words);
    for (size_t i = 0; i < words; i++) {
        const char *word = va_arg(args, const char *);

        len +=
            snprintf(bytes + len, sizeof bytes - (size_t)len, "$%zu\r\n%s\r\n", strlen(word), word);
    }
    va_end(args);
    reply_bytes(f, c, bytes);
}

/* The lock. */

static void reply_grant(struct fake *f, struct connection *c)
{
    char token[32], now[32];

    snprintf(token, sizeof token, "%" PRIu64, f->token);
    snprintf(now, sizeof now, "%" PRId64, now_us(f));
    reply_words(f, c, 5, "OK", token, "1000", now, "");
}

static void grant(struct fake *f, struct connection *c, const char *owner, const char *rid)
{
    f->is_held = true;
    f->token = (uint64_t)now_us(f) > f->token ? (uint64_t)now_us(f) : f->token + 1;
    f->grants++;
    snprintf(f->owner, sizeof f->owner, "%s", owner);
    snprintf(f->rid, sizeof f->rid, "%s", rid);
    reply_grant(f, c);
}

static void serve_waiters(struct fake *f)
{
    for (size_t i = 0; i < CONNECTIONS && !f->is_held; i++) {
        struct connection *c = &f->connections[i];

        if (c->fd >= 0 && c->is_waiting) {
            c->is_waiting = false;
            grant(f, c, c->owner, c->rid);
        }
    }
}

static void acquire(struct fake *f, struct connection *c, const redisReply *const *args)
{
    const char *owner = args[0]->str, *rid = args[1]->str, *wait = args[3]->str;

    if (strcmp(f->owner, owner) == 0 && strcmp(f->rid, rid) == 0) {
        if (f->is_held) {
            reply_grant(f, c);
        } else {
            reply_words(f, c, 1, "STALE");
        }
    } else if (!f->is_held) {
        grant(f, c, owner, rid);
    } else if (strcmp(f->owner, owner) == 0) {
        reply_words(f, c, 2, "LIMIT", "1");
    } else if (f->native && strcmp(wait, "0") != 0) {
        c->is_waiting = true;
        snprintf(c->owner, sizeof c->owner, "%s", owner);
        snprintf(c->rid, sizeof c->rid, "%s", rid);
    } else {
        reply_words(f, c, 4, "BUSY", "1", "20", f->owner);
    }
}

static bool is_hold(const struct fake *f, const char *owner, const char *token)
{
    return strcmp(f->owner, owner) == 0 && strtoull(token, NULL, 10) == f->token;
}

static void release(struct fake *f, struct connection *c, const redisReply *const *args)
{
    if (is_hold(f, args[0]->str, args[1]->str)) {
        f->is_held = false;
        reply_words(f, c, 2, "OK", "0");
        serve_waiters(f);
    } else {
        reply_words(f, c, 1, "LOST");
    }
}

static void cancel(struct fake *f, struct connection *c, const redisReply *const *args)
{
    if (strcmp(f->owner, args[0]->str) == 0 && strcmp(f->rid, args[1]->str) == 0) {
        f->is_held = false;
    }
    reply_words(f, c, 1, "OK");
    serve_waiters(f);
}

/* Of a session: KIND OWNER TOKEN TTL_MS; of one lock: OWNER TOKEN TTL_MS. */
static void renew(struct fake *f, struct connection *c, const redisReply *const *args, size_t len)
{
    char now[32];
    bool is_session = len != 3;
    bool has =
        len >= 3 && f->is_held && is_hold(f, args[is_session]->str, args[is_session + 1]->str);

    snprintf(now, sizeof now, "%" PRId64, now_us(f));
    if (is_session && len == 0) {
        reply_words(f, c, 1, now);
    } else if (is_session) {
        reply_words(f, c, 2, now, has ? "OK" : "LOST");
    } else if (has) {
        reply_words(f, c, 4, "OK", args[1]->str, args[2]->str, now);
    } else {
        reply_words(f, c, 1, "LOST");
    }
}

static void run_operation(struct fake *f, struct connection *c, const char *operation,
                          const redisReply *const *args, size_t len)
{
    if (f->operation != NULL && strcmp(f->operation, operation) == 0) {
        reply_bytes(f, c, f->operation_answer);
    } else if (strcmp(operation, "acquire") == 0) {
        acquire(f, c, args);
    } else if (strcmp(operation, "release") == 0) {
        release(f, c, args);
    } else if (strcmp(operation, "cancel") == 0) {
        cancel(f, c, args);
    } else if (strcmp(operation, "renew") == 0) {
        renew(f, c, args, len);
    } else {
        reply_bytes(f, c, "-LOCKARG there is no such operation\r\n");
    }
}

static void give_away(struct fake *f)
{
    f->is_held = true;
    f->token++;
    strcpy(f->owner, "somebody/else/1");
    strcpy(f->rid, "1");
}

static void run_script(struct fake *f, struct connection *c, const redisReply *r)
{
    size_t at = 3 + (size_t)atoi(r->element[2]->str);
    const redisReply *const *args = (const redisReply *const *)r->element + at + 1;
    const char *operation = r->element[at]->str;
    bool is_stolen = f->stolen != NULL && strcmp(f->stolen, operation) == 0;

    count(f, operation);
    if (is_stolen) {
        f->stolen = NULL;
        c->replies_left = 0;
    }
    run_operation(f, c, operation, args, r->elements - at - 1);
    if (is_stolen && !f->is_held) {
        give_away(f);
    }
}

static void answer(struct fake *f, struct connection *c, const redisReply *r)
{
    const char *name = r->element[0]->str;
    bool is_call = strncmp(name, "FCALL", 5) == 0;

    if (f->answer != NULL) {
        reply_bytes(f, c, f->answer);
    } else if (strcmp(name, "PING") == 0) {
        reply_bytes(f, c, "+PONG\r\n");
    } else if (strcmp(name, "SUBSCRIBE") == 0) {
        reply_words(f, c, 3, "subscribe", r->element[1]->str, "1");
    } else if (is_call && !f->native) {
        reply_bytes(f, c, "-ERR unknown command\r\n");
    } else if (strcmp(name, "EVALSHA") == 0 && !f->knows_scripts) {
        reply_bytes(f, c, "-NOSCRIPT No matching script\r\n");
    } else if (is_call || strncmp(name, "EVAL", 4) == 0) {
        f->knows_scripts = f->knows_scripts || strcmp(name, "EVAL") == 0;
        run_script(f, c, r);
    } else {
        reply_bytes(f, c, "+OK\r\n");
    }
}

/* Connections. */

static void remember(struct fake *f, const redisReply *r)
{
    for (size_t i = 0; i < r->elements; i++) {
        size_t len = (size_t)r->element[i]->len;

        if (len < 200 && f->seen_len + len + 2 < KEPT_WORDS) {
            f->seen_len += (size_t)sprintf(f->seen + f->seen_len, "%s ", r->element[i]->str);
        }
    }
}

static void take_requests(struct fake *f, struct connection *c)
{
    void *request;

    while (c->fd >= 0 && redisReaderGetReply(c->reader, &request) == REDIS_OK && request != NULL) {
        remember(f, request);
        answer(f, c, request);
        freeReplyObject(request);
    }
}

static void receive(struct fake *f, struct connection *c)
{
    char bytes[4096];
    size_t most = sizeof bytes;
    ssize_t n;

    if (c->requests_left >= 0 && (long)most > c->requests_left) {
        most = (size_t)c->requests_left;
    }
    n = most > 0 ? recv(c->fd, bytes, most, 0) : 0;
    if (n <= 0) {
        f->has_cut = f->has_cut || most == 0;
        drop(c);
        return;
    }
    if (c->requests_left >= 0) {
        c->requests_left -= n;
    }
    if (f->delay_ms > 0) {
        struct timespec t = {.tv_nsec = f->delay_ms * 1000000L};

        pthread_mutex_unlock(&f->mutex);
        nanosleep(&t, NULL);
        pthread_mutex_lock(&f->mutex);
    }
    redisReaderFeed(c->reader, bytes, (size_t)n);
    take_requests(f, c);
}

static void take_connection(struct fake *f)
{
    int fd = accept(f->listener, NULL, NULL);

    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &f->connections[i];

        if (c->fd < 0) {
            *c = (struct connection){
                .fd = fd,
                .reader = redisReaderCreate(),
                .requests_left = f->cut_requests,
                .replies_left = f->cut_replies,
            };
            f->cut_requests = NO_CUT;
            f->cut_replies = NO_CUT;
            f->accepted++;
            return;
        }
    }
    close(fd);
}

static void turn(struct fake *f)
{
    struct pollfd fds[CONNECTIONS + 2] = {
        {.fd = f->bell, .events = POLLIN},
        {.fd = f->frozen ? -1 : f->listener, .events = POLLIN},
    };
    eventfd_t rung;

    for (size_t i = 0; i < CONNECTIONS; i++) {
        fds[i + 2] = (struct pollfd){.fd = f->frozen ? -1 : f->connections[i].fd, .events = POLLIN};
    }
    pthread_mutex_unlock(&f->mutex);
    poll(fds, CONNECTIONS + 2, -1);
    pthread_mutex_lock(&f->mutex);
    if (fds[0].revents != 0) {
        eventfd_read(f->bell, &rung);
        return;
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (fds[i + 2].revents != 0 && f->connections[i].fd == fds[i + 2].fd) {
            receive(f, &f->connections[i]);
        }
    }
    if (fds[1].revents != 0) {
        take_connection(f);
    }
}

static void *run(void *fake)
{
    struct fake *f = fake;

    pthread_mutex_lock(&f->mutex);
    while (!f->ends) {
        turn(f);
    }
    pthread_mutex_unlock(&f->mutex);
    return NULL;
}

struct fake *fake_start(void)
{
    struct fake *f = calloc(1, sizeof *f);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->native = true;
    f->cut_requests = NO_CUT;
    f->cut_replies = NO_CUT;
    f->bell = eventfd(0, EFD_CLOEXEC);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        f->connections[i].fd = -1;
    }
    if (bind(f->listener, (struct sockaddr *)&address, len) != 0 || listen(f->listener, 64) != 0 ||
        getsockname(f->listener, (struct sockaddr *)&address, &len) != 0) {
        abort();
    }
    snprintf(f->address, sizeof f->address, "127.0.0.1:%d", ntohs(address.sin_port));
    pthread_mutex_init(&f->mutex, NULL);
    pthread_create(&f->thread, NULL, run, f);
    return f;
}

/* The mutex may be taken by who only looks. */
static struct fake *enter(const struct fake *f)
{
    struct fake *own = (struct fake *)(uintptr_t)f;

    pthread_mutex_lock(&own->mutex);
    return own;
}

static void leave(struct fake *f)
{
    eventfd_write(f->bell, 1);
    pthread_mutex_unlock(&f->mutex);
}

void fake_stop(struct fake *f)
{
    enter(f)->ends = true;
    leave(f);
    pthread_join(f->thread, NULL);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (f->connections[i].fd >= 0) {
            drop(&f->connections[i]);
        }
    }
    close(f->listener);
    close(f->bell);
    pthread_mutex_destroy(&f->mutex);
    free(f);
}

const char *fake_address(const struct fake *f)
{
    return f->address;
}

#define SETTER(function, type, field)                                                              \
    void function(struct fake *f, type value)                                                      \
    {                                                                                              \
        enter(f)->field = value;                                                                   \
        leave(f);                                                                                  \
    }

SETTER(fake_set_native, bool, native)
SETTER(fake_set_frozen, bool, frozen)
SETTER(fake_set_delay, int, delay_ms)
SETTER(fake_set_answer, const char *, answer)
SETTER(fake_steal, const char *, stolen)
SETTER(fake_move_clock, int64_t, clock_us)

void fake_cut_requests(struct fake *f, long bytes)
{
    enter(f)->cut_requests = bytes;
    f->has_cut = false;
    leave(f);
}

void fake_cut_replies(struct fake *f, long bytes)
{
    enter(f)->cut_replies = bytes;
    f->has_cut = false;
    leave(f);
}

void fake_set_answer_to(struct fake *f, const char *operation, const char *bytes)
{
    enter(f)->operation = operation;
    f->operation_answer = bytes;
    leave(f);
}

void fake_close_all(struct fake *f)
{
    enter(f);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (f->connections[i].fd >= 0) {
            drop(&f->connections[i]);
        }
    }
    leave(f);
}

void fake_take_away(struct fake *f)
{
    enter(f)->is_held = false;
    f->owner[0] = '\0';
    leave(f);
}

void fake_occupy(struct fake *f)
{
    give_away(enter(f));
    leave(f);
}

void fake_vacate(struct fake *f)
{
    enter(f)->is_held = false;
    serve_waiters(f);
    leave(f);
}

#define GETTER(type, function, expression)                                                         \
    type function(const struct fake *f)                                                            \
    {                                                                                              \
        struct fake *own = enter(f);                                                               \
        type value = (expression);                                                                 \
                                                                                                   \
        leave(own);                                                                                \
        return value;                                                                              \
    }

static unsigned count_waiters(const struct fake *f)
{
    unsigned waiters = 0;

    for (size_t i = 0; i < CONNECTIONS; i++) {
        waiters += f->connections[i].fd >= 0 && f->connections[i].is_waiting;
    }
    return waiters;
}

GETTER(bool, fake_has_cut, own->has_cut)
GETTER(bool, fake_is_held, own->is_held)
GETTER(unsigned, fake_connections, own->accepted)
GETTER(unsigned, fake_grants, own->grants)
GETTER(unsigned, fake_waiters, count_waiters(own))

unsigned fake_count(const struct fake *f, const char *operation)
{
    struct fake *own = enter(f);
    unsigned found = 0;

    for (size_t i = 0; i < OPERATIONS; i++) {
        found += strcmp(own->counts[i].name, operation) == 0 ? own->counts[i].count : 0;
    }
    leave(own);
    return found;
}

bool fake_has_seen(const struct fake *f, const char *word)
{
    struct fake *own = enter(f);
    bool has = strstr(own->seen, word) != NULL;

    leave(own);
    return has;
}
