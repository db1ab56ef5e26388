#include "client/link.h"

#include "client/dial.h"
#include "client/random.h"
#include "client/reply.h"
#include "client/session.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* When servers have been tried in vain. */
enum { REST_LEAST_MS = 10, REST_MOST_MS = 400 };

static void on_ready(struct watch *w, uint32_t events);
static void on_timer(struct timer *t);

static struct link *link_of(struct watch *w)
{
    return (struct link *)((char *)w - offsetof(struct link, watch));
}

static struct timers *timers_of(struct link *l)
{
    return &l->session->timers;
}

void link_init(struct link *l, struct moonlatch *session)
{
    *l = (struct link){
        .session = session,
        .watch = {.fd = -1, .ready = on_ready},
        .timer = {.fire = on_timer},
    };
    TAILQ_INIT(&l->waiting);
    TAILQ_INIT(&l->sent);
}

/* Ends what belongs to the connection alone. */
static void disconnect(struct link *l)
{
    timers_clear(timers_of(l), &l->timer);
    watch_end(&l->watch);
    if (l->reader != NULL) {
        redisReaderFree(l->reader);
        l->reader = NULL;
    }
    outgoing_clear(&l->out);
    l->state = LINK_DOWN;
    l->is_broken = false;
    l->is_hanging_up = false;
}

static void forget_all(struct link *l, struct requests *list)
{
    struct request *r;

    while ((r = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, r, entry);
        timers_clear(timers_of(l), &r->timer);
        r->link = NULL;
    }
}

void link_clear(struct link *l)
{
    disconnect(l);
    forget_all(l, &l->sent);
    forget_all(l, &l->waiting);
}

/* Ends of requests. */

/* The request may be gone by the end. */
static void finish(struct request *r, moonlatch_status status, redisReply *reply)
{
    r->link = NULL;
    r->status = status;
    r->reply = reply;
    r->done(r);
}

static void take_out(struct request *r)
{
    struct link *l = r->link;

    TAILQ_REMOVE(r->is_sent ? &l->sent : &l->waiting, r, entry);
    timers_clear(timers_of(l), &r->timer);
}

void request_end(struct request *r, moonlatch_status status)
{
    take_out(r);
    finish(r, status, NULL);
}

void link_withdraw(struct request *r)
{
    if (r->link != NULL) {
        take_out(r);
        r->link = NULL;
    }
}

static moonlatch_status status_of_lost(const struct request *r)
{
    if (r->first_us != 0 && !r->is_repeatable) {
        return MOONLATCH_UNCERTAIN;
    }
    return r->link->session->is_short ? MOONLATCH_MEMORY : MOONLATCH_UNREACHABLE;
}

/* When a request ends without an answer. */
static int64_t limit_us(const struct request *r)
{
    return r->is_late && r->is_sent ? r->late_us : r->give_up_us;
}

/* How the timer of a request is set: until its server has been silent for too long, or its time
 * is over. */
static void watch_time(struct request *r)
{
    int64_t due_us = limit_us(r);

    if (r->is_sent && !r->is_late && r->sent_us + r->patience_us < due_us) {
        due_us = r->sent_us + r->patience_us;
    }
    if (due_us == NEVER_US) {
        timers_clear(timers_of(r->link), &r->timer);
    } else {
        timers_set(timers_of(r->link), &r->timer, due_us);
    }
}

static void on_request_timer(struct timer *t)
{
    struct request *r = (struct request *)((char *)t - offsetof(struct request, timer));
    struct link *l = r->link;
    char where[ADDRESS_TEXT];

    if (!r->is_sent) {
        request_end(r, status_of_lost(r));
        return;
    }
    session_note(l->session, "%s does not answer", address_text(&l->address, where));
    if (clock_now_us() >= limit_us(r)) {
        r->is_brief = true; /* Ends with the connection. */
    }
    link_lose(l, NULL);
}

void link_hurry(struct request *r, int64_t give_up_us)
{
    if (r->link == NULL || give_up_us >= limit_us(r)) {
        return;
    }
    r->give_up_us = give_up_us;
    r->late_us = give_up_us;
    watch_time(r);
}

void link_expect_late(struct request *r, int64_t late_us)
{
    r->is_late = true;
    r->late_us = late_us;
    watch_time(r);
}

/* Sending. */

static void flush(struct link *l)
{
    if (!outgoing_send(&l->out, l->watch.fd)) {
        l->is_broken = true;
        timers_set(timers_of(l), &l->timer, clock_now_us());
        return;
    }
    watch_for_room(&l->watch, l->session->epoll, !outgoing_is_empty(&l->out));
}

/* Sends what waits. What there is no memory for waits a little longer. */
static void send_waiting(struct link *l)
{
    int64_t now_us = clock_now_us();
    struct request *r;

    while ((r = TAILQ_FIRST(&l->waiting)) != NULL) {
        if (!request_encode(r, l->is_native, &l->out)) {
            l->session->is_short = true;
            timers_set(timers_of(l), &l->timer, now_us + REST_LEAST_MS * US_PER_MS);
            break;
        }
        l->session->is_short = false;
        TAILQ_REMOVE(&l->waiting, r, entry);
        TAILQ_INSERT_TAIL(&l->sent, r, entry);
        r->is_sent = true;
        r->sent_us = now_us;
        r->first_us = r->first_us != 0 ? r->first_us : now_us;
        watch_time(r);
    }
    flush(l);
}

void link_submit(struct link *l, struct request *r)
{
    r->link = l;
    r->timer.fire = on_request_timer;
    r->timer.is_set = false;
    r->is_sent = false;
    r->has_text = false;
    r->first_us = 0;
    r->is_in_doubt = false;
    r->reply = NULL;
    TAILQ_INSERT_TAIL(&l->waiting, r, entry);
    watch_time(r);
    if (l->state == LINK_UP && !l->is_broken) {
        send_waiting(l);
    } else {
        link_wake(l);
    }
}

void link_say(struct link *l, const char *verb, const char *word)
{
    if (l->state != LINK_UP || l->is_broken) {
        return;
    }
    outgoing_count(&l->out, 2);
    outgoing_text(&l->out, verb);
    outgoing_text(&l->out, word);
    if (l->out.is_short) {
        l->is_broken = true; /* Half of it is there. */
        timers_set(timers_of(l), &l->timer, clock_now_us());
        return;
    }
    flush(l);
}

/* Connecting. */

/* In how many microseconds to try again: at once while there may be a server that has not been
 * tried, then later and later. */
static int64_t rest_us(const struct link *l)
{
    unsigned passes = l->failures / (unsigned)(l->session->servers.count + 2);
    int64_t ms = REST_LEAST_MS;

    if (passes == 0) {
        return 0;
    }
    while (passes-- > 1 && ms < REST_MOST_MS) {
        ms *= 2;
    }
    ms = ms < REST_MOST_MS ? ms : REST_MOST_MS;
    return ms * US_PER_MS * (500 + (int64_t)random_below(500)) / 1000;
}

static bool is_wanted(const struct link *l)
{
    return !TAILQ_EMPTY(&l->waiting) || l->is_kept;
}

static void rest(struct link *l)
{
    if (!is_wanted(l)) {
        return;
    }
    l->state = LINK_RESTING;
    timers_set(timers_of(l), &l->timer, clock_now_us() + rest_us(l));
}

void link_wake(struct link *l)
{
    if (l->state == LINK_DOWN) {
        l->state = LINK_RESTING;
        timers_set(timers_of(l), &l->timer, clock_now_us() + rest_us(l));
    }
}

/* It has yet to be sent. One that has waited for its answer for long has its time again. */
static void put_back(struct link *l, struct request *r)
{
    r->is_sent = false;
    if (r->is_late) {
        r->give_up_us = session_limit_us(l->session);
    }
    TAILQ_INSERT_HEAD(&l->waiting, r, entry);
    watch_time(r);
}

/* Moves what was under way to the front again, but for what goes down with the connection. */
static void requeue(struct link *l, struct requests *ended)
{
    struct request *r;

    while ((r = TAILQ_LAST(&l->sent, requests)) != NULL) {
        TAILQ_REMOVE(&l->sent, r, entry);
        r->is_sent = false;
        r->is_in_doubt = true;
        if (!r->is_repeatable || r->is_brief) {
            timers_clear(timers_of(l), &r->timer);
            TAILQ_INSERT_HEAD(ended, r, entry);
        } else {
            put_back(l, r);
        }
    }
}

void link_lose(struct link *l, const char *why)
{
    struct requests ended = TAILQ_HEAD_INITIALIZER(ended);
    struct request *r;
    char where[ADDRESS_TEXT];

    if (why != NULL) {
        session_note(l->session, "%s: %s", address_text(&l->address, where), why);
    }
    servers_forget(&l->session->servers, &l->address);
    l->failures++;
    disconnect(l);
    requeue(l, &ended);
    rest(l);
    while ((r = TAILQ_FIRST(&ended)) != NULL) {
        TAILQ_REMOVE(&ended, r, entry);
        finish(r, status_of_lost(r), NULL);
    }
}

/* Ends all that waits: this user may not, here or elsewhere. */
static void deny(struct link *l, const char *why)
{
    struct request *r;

    link_lose(l, why);
    while ((r = TAILQ_FIRST(&l->waiting)) != NULL) {
        request_end(r, MOONLATCH_DENIED);
    }
}

static void add_auth(struct link *l)
{
    const moonlatch *s = l->session;

    l->awaits_auth = s->password != NULL;
    if (s->password == NULL) {
        return;
    }
    outgoing_count(&l->out, s->username != NULL ? 3 : 2);
    outgoing_text(&l->out, "AUTH");
    if (s->username != NULL) {
        outgoing_text(&l->out, s->username);
    }
    outgoing_text(&l->out, s->password);
}

static void add_texts(struct outgoing *out, const char *const *texts, size_t count)
{
    outgoing_count(out, count);
    for (size_t i = 0; i < count; i++) {
        outgoing_text(out, texts[i]);
    }
}

/* Who answers this leads, and has the lock scripts built in; and says what time it is. */
const char *const link_probe[LINK_PROBE] = {
    "FCALL_RO", "lock_renew_ro", "1", "lock:{moonlatch}", "renew",
};

static void greet(struct link *l)
{
    const char *const question[] = {"SENTINEL", "get-master-addr-by-name", l->session->sentinel};

    l->state = LINK_GREETING;
    add_auth(l);
    if (l->asks_sentinel) {
        add_texts(&l->out, question, 3);
    } else {
        add_texts(&l->out, link_probe, LINK_PROBE);
    }
    l->clock.asked_us = clock_now_us();
    if (l->out.is_short) {
        l->session->is_short = true;
        link_lose(l, "out of memory");
        return;
    }
    flush(l);
}

/* Returns NULL, or what is wrong. */
static const char *dial(struct link *l)
{
    int err;

    l->life++;
    l->reader = redisReaderCreate();
    if (l->reader == NULL) {
        l->session->is_short = true;
        return "out of memory";
    }
    l->reader->maxbuf = 0; /* To make it small again, it would need memory. */
    err = dial_begin(&l->address, (unsigned)l->life, &l->watch.fd);
    if (err != 0) {
        return dial_text(err);
    }
    if (watch_begin(&l->watch, l->session->epoll, true) != 0) {
        l->session->is_short = true;
        return strerror(errno);
    }
    return NULL;
}

static void start(struct link *l)
{
    moonlatch *s = l->session;
    const char *why;

    l->asks_sentinel = s->sentinel != NULL && !s->servers.has_leader;
    l->address = *servers_choose(&s->servers);
    why = dial(l);
    if (why != NULL) {
        link_lose(l, why);
        return;
    }
    l->state = LINK_CONNECTING;
    timers_set(timers_of(l), &l->timer, clock_now_us() + s->connect_us);
}

static void on_timer(struct timer *t)
{
    struct link *l = (struct link *)((char *)t - offsetof(struct link, timer));

    switch (l->state) {
    case LINK_RESTING:
        if (is_wanted(l)) {
            start(l);
        } else {
            l->state = LINK_DOWN;
        }
        break;
    case LINK_CONNECTING:
    case LINK_GREETING:
        link_lose(l, "does not answer in time");
        break;
    default:
        if (l->is_broken) {
            link_lose(l, "the connection is broken");
        } else {
            send_waiting(l);
        }
    }
}

static void become_up(struct link *l)
{
    moonlatch *s = l->session;

    l->state = LINK_UP;
    l->failures = 0;
    timers_clear(timers_of(l), &l->timer);
    servers_learn(&s->servers, &l->address);
    s->knows_server = true;
    s->is_native = l->is_native;
    s->is_short = false;
    if (l->on_up != NULL) {
        l->on_up(l);
    }
    send_waiting(l);
}

/* Receiving. */

/* Of a sentinel: where the leader is. */
static void take_direction(struct link *l, const redisReply *reply)
{
    struct address leader = {0};
    const char *host = reply_word(reply, 0);
    int64_t port = reply_number(reply, 1);

    if (*host == '\0' || strlen(host) > HOST_MAX || port < 1 || port > 65535) {
        link_lose(l, "knows no leader of that name");
        return;
    }
    strcpy(leader.host, host);
    leader.port = (int)port;
    link_lose(l, NULL);
    servers_learn(&l->session->servers, &leader);
}

/* Not this server. If it says which one, that is asked next. */
static void go_elsewhere(struct link *l, const redisReply *reply, enum answer answer,
                         const struct address *there)
{
    link_lose(l, reply->str);
    if (answer == ANSWER_MOVED) {
        servers_learn(&l->session->servers, there);
    }
}

static bool is_no_permission(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOPERM", 6) == 0;
}

static void take_probe(struct link *l, const redisReply *reply)
{
    struct address there;
    enum answer answer = reply_answer(reply, &l->address, &there);

    switch (answer) {
    case ANSWER_MOVED:
    case ANSWER_LATER:
    case ANSWER_UNCERTAIN:
        go_elsewhere(l, reply, answer, &there);
        return;
    case ANSWER_DENIED:
        if (!is_no_permission(reply)) { /* Else it is not one of ours. */
            deny(l, reply->str);
            return;
        }
        break;
    default:
        break;
    }
    l->is_native = answer == ANSWER_DONE;
    l->clock.server_us = reply_number(reply, 0);
    become_up(l);
}

static void take_greeting(struct link *l, const redisReply *reply)
{
    if (l->awaits_auth) {
        l->awaits_auth = false;
        if (reply->type == REDIS_REPLY_ERROR && !l->asks_sentinel) {
            deny(l, reply->str);
        }
    } else if (l->asks_sentinel) {
        take_direction(l, reply);
    } else {
        take_probe(l, reply);
    }
}

/* Its text has to be sent. */
static void send_text(struct link *l, struct request *r)
{
    TAILQ_REMOVE(&l->sent, r, entry);
    r->is_sent = false;
    r->has_text = true;
    TAILQ_INSERT_TAIL(&l->waiting, r, entry);
    send_waiting(l);
}

/* A request that has not been done at this server is none that was under way. */
static void take_refusal(struct link *l, struct request *r, const redisReply *reply,
                         enum answer answer, const struct address *there)
{
    if (answer != ANSWER_UNCERTAIN && !r->is_brief) {
        TAILQ_REMOVE(&l->sent, r, entry);
        put_back(l, r);
    }
    go_elsewhere(l, reply, answer, there);
}

static moonlatch_status status_of(enum answer answer)
{
    switch (answer) {
    case ANSWER_DONE:
        return MOONLATCH_OK;
    case ANSWER_DENIED:
        return MOONLATCH_DENIED;
    default:
        return MOONLATCH_ERROR;
    }
}

/* Returns whether the reply has become the request's. */
static bool take_answer(struct link *l, redisReply *reply)
{
    struct request *r = TAILQ_FIRST(&l->sent);
    struct address there;
    enum answer answer = reply_answer(reply, &l->address, &there);
    bool is_kept;

    if (r == NULL) {
        link_lose(l, "answers what it was not asked");
        return false;
    }
    if (answer == ANSWER_MOVED || answer == ANSWER_LATER || answer == ANSWER_UNCERTAIN) {
        take_refusal(l, r, reply, answer, &there);
        return false;
    }
    if (answer == ANSWER_NO_SCRIPT && r->script != NULL && !r->has_text) {
        send_text(l, r);
        return false;
    }
    take_out(r);
    is_kept = r->keeps_reply; /* It may be gone behind done(). */
    finish(r, status_of(answer), reply);
    return is_kept;
}

static void take_reply(struct link *l, redisReply *reply)
{
    if (l->state == LINK_GREETING) {
        take_greeting(l, reply);
    } else if (l->on_push != NULL) {
        l->on_push(l, reply);
    } else if (take_answer(l, reply)) {
        return;
    }
    freeReplyObject(reply);
}

/* Takes the replies that are there; until one of them has ended the connection. */
static void take_replies(struct link *l)
{
    uint64_t life = l->life;
    void *reply = NULL;

    while (l->life == life && l->reader != NULL) {
        if (redisReaderGetReply(l->reader, &reply) != REDIS_OK) {
            l->session->is_short = l->reader->err == REDIS_ERR_OOM;
            link_lose(l, l->session->is_short ? "out of memory" : l->reader->errstr);
            return;
        }
        if (reply == NULL) {
            return;
        }
        take_reply(l, reply);
    }
}

static void receive(struct link *l)
{
    char bytes[16 * 1024];
    ssize_t n = recv(l->watch.fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        link_lose(l, n == 0 ? "has closed the connection" : strerror(errno));
        return;
    }
    if (redisReaderFeed(l->reader, bytes, (size_t)n) != REDIS_OK) {
        l->session->is_short = true;
        link_lose(l, "out of memory");
        return;
    }
    take_replies(l);
}

static void on_ready(struct watch *w, uint32_t events)
{
    struct link *l = link_of(w);
    int err = 0;

    if (w->fd < 0) {
        return; /* Closed by what came before in this turn. */
    }
    if (l->state == LINK_CONNECTING) {
        err = dial_end(w->fd);
        if (err != 0) {
            link_lose(l, strerror(err));
        } else {
            greet(l);
        }
        return;
    }
    if (events & EPOLLOUT) {
        flush(l);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        receive(l);
    }
}

void link_hang_up(struct link *l)
{
    if (l->state == LINK_UP && !l->is_hanging_up) {
        l->is_hanging_up = true;
        shutdown(l->watch.fd, SHUT_WR);
    }
}
