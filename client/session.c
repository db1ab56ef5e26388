#include "client/session.h"

#include "client/channel.h"
#include "client/lock.h"
#include "client/outlook.h"
#include "client/pool.h"
#include "client/random.h"
#include "client/renewal.h"
#include "client/renewer.h"
#include "client/turn.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CONNECT_MS = 1000, REQUEST_MS = 5000 };

/* A server that is silent for such a part of the time for a request may be none any more. */
enum { PATIENCE_PART = 3 };

/* Failing. */

moonlatch_status session_fail(moonlatch *session, moonlatch_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(session->message, sizeof session->message, format, args);
    va_end(args);
    return status;
}

moonlatch_status session_fail_by(moonlatch *session, const struct request *r)
{
    if (r->reply != NULL && r->reply->str != NULL) {
        return session_fail(session, r->status, "%s", r->reply->str);
    } else if (session->trouble[0] != '\0' && r->status != MOONLATCH_MEMORY) {
        return session_fail(session, r->status, "%s", session->trouble);
    }
    return session_fail(session, r->status, "%s", moonlatch_status_text(r->status));
}

void session_note(moonlatch *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(session->trouble, sizeof session->trouble, format, args);
    va_end(args);
}

int64_t session_limit_us(const moonlatch *session)
{
    return clock_now_us() + session->request_us;
}

void session_prepare(const moonlatch *session, struct request *r)
{
    r->is_repeatable = true;
    r->give_up_us = session_limit_us(session);
    r->patience_us = session->request_us / PATIENCE_PART;
    r->is_brief = false;
    r->is_late = false;
}

const struct lock_script *script_find(const char *name)
{
    const struct lock_script *script = lock_scripts;

    while (strcmp(script->name, name) != 0) {
        script++;
    }
    return script;
}

/* Opening. */

bool text_is_word(const char *text)
{
    for (; *text != '\0'; text++) {
        if (isspace((unsigned char)*text) || iscntrl((unsigned char)*text)) {
            return false;
        }
    }
    return true;
}

static bool set_label(moonlatch *s, const char *label)
{
    char host[64] = "";

    if (label != NULL) {
        return *label != '\0' && strlen(label) <= LABEL_MAX && text_is_word(label) &&
               strcpy(s->label, label) != NULL;
    }
    if (gethostname(host, sizeof host - 1) != 0 || *host == '\0' || !text_is_word(host)) {
        strcpy(host, "host");
    }
    snprintf(s->label, sizeof s->label, "%s:%d", host, (int)s->pid);
    return true;
}

/* Copies a text that may be NULL. Returns false if memory is short. */
static bool copy(char **to, const char *text)
{
    *to = text != NULL ? strdup(text) : NULL;
    return text == NULL || *to != NULL;
}

static const char *or_environment(const char *text, const char *name)
{
    return text != NULL ? text : secure_getenv(name);
}

static moonlatch_status take_options(moonlatch *s, const moonlatch_options *o)
{
    const char *servers = or_environment(o->servers, "MOONLATCH_SERVERS");
    const char *why;

    s->connect_us = (int64_t)(o->connect_ms > 0 ? o->connect_ms : CONNECT_MS) * US_PER_MS;
    s->request_us = (int64_t)(o->request_ms > 0 ? o->request_ms : REQUEST_MS) * US_PER_MS;
    if (!set_label(s, o->label)) {
        return MOONLATCH_ARGUMENT;
    }
    if (!servers_read(&s->servers, servers != NULL ? servers : "127.0.0.1:6379", &why)) {
        return why != NULL ? MOONLATCH_ARGUMENT : MOONLATCH_MEMORY;
    }
    if (!copy(&s->sentinel, o->sentinel) || !copy(&s->username, o->username) ||
        !copy(&s->password, or_environment(o->password, "MOONLATCH_PASSWORD"))) {
        return MOONLATCH_MEMORY;
    }
    return MOONLATCH_OK;
}

static void on_wake(struct watch *w, uint32_t events)
{
    eventfd_t count;

    (void)events;
    eventfd_read(w->fd, &count);
}

static moonlatch_status open_descriptors(moonlatch *s)
{
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->wake = (struct watch){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_wake};
    if (s->epoll < 0 || s->wake.fd < 0 || watch_begin(&s->wake, s->epoll, false) != 0) {
        return MOONLATCH_MEMORY;
    }
    return MOONLATCH_OK;
}

static void on_calls_up(struct link *l)
{
    renewal_catch_up(l->session);
    pool_follow(l->session);
}

static moonlatch *new_session(void)
{
    moonlatch *s = calloc(1, sizeof *s);

    if (s == NULL) {
        return NULL;
    }
    s->pid = getpid();
    s->epoll = -1;
    s->wake.fd = -1;
    pthread_mutex_init(&s->mutex, NULL);
    link_init(&s->calls, s);
    link_init(&s->commands, s);
    link_init(&s->channel, s);
    s->calls.on_up = on_calls_up;
    TAILQ_INIT(&s->waits);
    TAILQ_INIT(&s->locks);
    TAILQ_INIT(&s->batches);
    TAILQ_INIT(&s->losses);
    TAILQ_INIT(&s->ends);
    return s;
}

/* Nothing is under way any more, so that it can be freed. */
static void clear_links(moonlatch *s)
{
    struct link *wait;

    link_clear(&s->calls);
    link_clear(&s->commands);
    link_clear(&s->channel);
    TAILQ_FOREACH(wait, &s->waits, entry)
    {
        link_clear(wait);
    }
    renewal_clear(s);
}

static void free_session(moonlatch *s)
{
    clear_links(s);
    locks_free(s);
    pool_clear(s);
    outlook_free(s->outlook);
    watch_end(&s->wake);
    if (s->epoll >= 0) {
        close(s->epoll);
    }
    servers_clear(&s->servers);
    free(s->sentinel);
    free(s->username);
    if (s->password != NULL) {
        explicit_bzero(s->password, strlen(s->password));
    }
    free(s->password);
    free(s);
}

moonlatch_status moonlatch_open(moonlatch **session, const moonlatch_options *options)
{
    static const moonlatch_options initial = {0};
    moonlatch_status status;
    moonlatch *s;

    *session = NULL;
    options = options != NULL ? options : &initial;
    s = new_session();
    if (s == NULL) {
        return MOONLATCH_MEMORY;
    }
    channel_init(s);
    pool_init(s);
    status = take_options(s, options);
    if (status == MOONLATCH_OK) {
        status = random_hex(s->id, SESSION_ID) ? open_descriptors(s) : MOONLATCH_MEMORY;
    }
    if (status == MOONLATCH_OK && options->renewal_thread) {
        status = renewer_begin(s);
    }
    if (status != MOONLATCH_OK) {
        free_session(s);
        return status;
    }
    *session = s;
    return MOONLATCH_OK;
}

/* Closing. */

/* In a forked process. Whatever the other threads of the parent were about when it forked, they
 * do not go on here: what one of them was changing cannot even be freed. */
static void close_forked(moonlatch *s)
{
    if (pthread_mutex_trylock(&s->mutex) != 0) {
        return;
    }
    if (s->renewer != NULL) {
        renewer_forget(s);
    }
    free_session(s);
}

void moonlatch_close(moonlatch *s)
{
    if (s == NULL) {
        return;
    }
    if (!session_enter(s)) {
        close_forked(s);
        return;
    }
    locks_release(s);
    session_leave(s);
    if (s->renewer != NULL) {
        renewer_end(s);
    }
    pthread_mutex_destroy(&s->mutex);
    free_session(s);
}

const char *moonlatch_message(const moonlatch *session)
{
    return session->message;
}

void moonlatch_interrupt(moonlatch *session)
{
    int err = errno;

    atomic_store(&session->is_interrupted, true);
    eventfd_write(session->wake.fd, 1);
    errno = err;
}

/* The caller's loop. */

int moonlatch_fd(moonlatch *session)
{
    int fd = -1;

    if (!session_enter(session)) {
        return -1;
    }
    if (session->outlook == NULL) {
        session->outlook = outlook_new(session);
    }
    if (session->outlook != NULL) {
        fd = outlook_fd(session->outlook);
    }
    session_leave(session);
    return fd;
}

int64_t moonlatch_timeout_ms(const moonlatch *session)
{
    /* The lock is no part of what is const. */
    moonlatch *s = (moonlatch *)(uintptr_t)session;
    int64_t ms = NO_TIMER_MS;

    if (!session_enter(s)) {
        return ms;
    }
    if (!TAILQ_EMPTY(&s->ends) || (s->renewer == NULL && !TAILQ_EMPTY(&s->losses))) {
        ms = 0;
    } else {
        ms = timer_wait_ms(timers_next_us(&s->timers), clock_now_us());
    }
    session_leave(s);
    return ms;
}

moonlatch_status moonlatch_process(moonlatch *session)
{
    if (!session_enter(session)) {
        return MOONLATCH_FORKED;
    }
    session_turn(session, 0);
    session_leave(session);
    session_tell(session);
    return MOONLATCH_OK;
}
