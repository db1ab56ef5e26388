/* libmoonlatch at a real server; library.py starts it, and sees to the servers.
 *
 *     library all SERVERS            every kind of lock; "N passed, N failed"
 *     library loop SERVERS SECONDS NAME [SENTINEL]
 *                                    takes a lock again and again, whatever happens to the servers
 */
#include "include/moonlatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static unsigned passed, failed;
static moonlatch *session, *other;

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (condition) {                                                                           \
            passed++;                                                                              \
        } else {                                                                                   \
            failed++;                                                                              \
            printf("line %d: %s; %s; %s\n", __LINE__, #condition, moonlatch_message(session),      \
                   moonlatch_message(other));                                                      \
        }                                                                                          \
    } while (0)

static int64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void rest_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* A handle of a session of `kind`; freed with the session. */
static moonlatch_lock *make(moonlatch *s, const char *name, moonlatch_lock_options options)
{
    moonlatch_lock *lock;

    options.ttl_ms = options.ttl_ms > 0 ? options.ttl_ms : 5000;
    if (moonlatch_lock_new(s, &name, 1, &options, &lock) != MOONLATCH_OK) {
        printf("%s: %s\n", name, moonlatch_message(s));
        exit(1);
    }
    return lock;
}

static void note_end(moonlatch_lock *lock, moonlatch_status status, void *context)
{
    (void)lock;
    *(int *)context = (int)status;
}

enum { NOT_YET = -1 };

/* Has both sessions go on until `ended` says so, or for so long. */
static bool loop_until(const int *ended, int64_t ms)
{
    int64_t ends = clock_ms() + ms;

    while (*ended == NOT_YET && clock_ms() < ends) {
        moonlatch_process(session);
        moonlatch_process(other);
        rest_ms(1);
    }
    return *ended != NOT_YET;
}

static void hand_over(moonlatch_lock *from, moonlatch_lock *to)
{
    int ended = NOT_YET;
    uint64_t token;

    EXPECT(moonlatch_acquire(from, 0) == MOONLATCH_OK);
    token = moonlatch_token(from);
    EXPECT(moonlatch_acquire(to, 0) == MOONLATCH_BUSY);
    EXPECT(strcmp(moonlatch_holder(to), moonlatch_owner(from)) == 0);
    EXPECT(moonlatch_acquire_async(to, MOONLATCH_FOREVER, note_end, &ended) == MOONLATCH_OK);
    EXPECT(!loop_until(&ended, 100));
    EXPECT(moonlatch_release(from) == MOONLATCH_OK);
    EXPECT(loop_until(&ended, 5000) && ended == MOONLATCH_OK);
    EXPECT(moonlatch_is_held(to) && moonlatch_token(to) > token);
    EXPECT(moonlatch_renew(to) == MOONLATCH_OK);
    EXPECT(moonlatch_release(to) == MOONLATCH_OK);
}

static void try_exclusive(void)
{
    static const moonlatch_kind kinds[] = {
        MOONLATCH_MUTEX,
        MOONLATCH_FAIR,
        MOONLATCH_WRITE,
        MOONLATCH_ELECTION,
    };
    static const char *const names[] = {"mutex", "fair", "write", "election"};

    for (size_t i = 0; i < 4; i++) {
        moonlatch_lock_options options = {.kind = kinds[i]};
        moonlatch_lock *a = make(session, names[i], options), *b = make(other, names[i], options);
        int64_t begun = clock_ms();

        hand_over(a, b);
        hand_over(b, a);
        EXPECT(moonlatch_acquire(a, 0) == MOONLATCH_OK);
        EXPECT(moonlatch_acquire(b, 50) == MOONLATCH_BUSY);
        EXPECT(clock_ms() - begun < 10000);
        EXPECT(moonlatch_acquire(b, 0) == MOONLATCH_BUSY);
        EXPECT(moonlatch_release(a) == MOONLATCH_OK);
        EXPECT(moonlatch_acquire(b, 1000) == MOONLATCH_OK);
        EXPECT(moonlatch_release(b) == MOONLATCH_OK);
    }
}

static void try_readers(void)
{
    moonlatch_lock_options read = {.kind = MOONLATCH_READ}, write = {.kind = MOONLATCH_WRITE};
    moonlatch_lock *a = make(session, "rw", read), *b = make(other, "rw", read);
    moonlatch_lock *w = make(other, "rw", write);

    EXPECT(moonlatch_acquire(a, 0) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(b, 0) == MOONLATCH_OK);
    EXPECT(moonlatch_token(a) == moonlatch_token(b));
    EXPECT(moonlatch_acquire(w, 0) == MOONLATCH_BUSY);
    EXPECT(moonlatch_upgrade(a) == MOONLATCH_DEADLOCK);
    EXPECT(moonlatch_release(b) == MOONLATCH_OK);
    EXPECT(moonlatch_upgrade(a) == MOONLATCH_OK);
    EXPECT(moonlatch_token(a) > moonlatch_token(b));
    EXPECT(moonlatch_acquire(b, 0) == MOONLATCH_BUSY);
    EXPECT(moonlatch_downgrade(a) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(b, 0) == MOONLATCH_OK);
    EXPECT(moonlatch_renew(a) == MOONLATCH_OK && moonlatch_renew(b) == MOONLATCH_OK);
    EXPECT(moonlatch_release(a) == MOONLATCH_OK && moonlatch_release(b) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(w, 0) == MOONLATCH_OK && moonlatch_release(w) == MOONLATCH_OK);
}

static void try_semaphore(void)
{
    moonlatch_lock_options two = {.kind = MOONLATCH_SEMAPHORE, .permits = 2, .capacity = 3};
    moonlatch_lock_options one = {.kind = MOONLATCH_SEMAPHORE};
    moonlatch_lock *a = make(session, "sem", two), *b = make(other, "sem", one),
                   *c = make(other, "sem", one);

    EXPECT(moonlatch_acquire(a, 0) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(b, 0) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(c, 0) == MOONLATCH_BUSY);
    EXPECT(moonlatch_release(b) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(c, 500) == MOONLATCH_OK);
    EXPECT(moonlatch_renew(a) == MOONLATCH_OK);
    EXPECT(moonlatch_release(a) == MOONLATCH_OK && moonlatch_release(c) == MOONLATCH_OK);
    EXPECT(moonlatch_release(c) == MOONLATCH_LOST);
}

static void try_multi(void)
{
    static const char *const names[] = {"{t}a", "{t}b", "{t}c"};
    moonlatch_lock_options options = {.kind = MOONLATCH_MULTI, .ttl_ms = 5000};
    moonlatch_lock *all, *one = make(other, "{t}b", (moonlatch_lock_options){0});

    EXPECT(moonlatch_lock_new(session, names, 3, &options, &all) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(all, 0) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(one, 0) == MOONLATCH_BUSY);
    EXPECT(strcmp(moonlatch_holder(one), moonlatch_owner(all)) == 0);
    EXPECT(moonlatch_renew(all) == MOONLATCH_OK);
    EXPECT(moonlatch_release(all) == MOONLATCH_OK);
    hand_over(one, all);
    EXPECT(moonlatch_acquire(one, 0) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(all, 0) == MOONLATCH_BUSY);
    EXPECT(strstr(moonlatch_message(session), "lock:{t}b") != NULL);
    EXPECT(moonlatch_release(one) == MOONLATCH_OK);
}

static void try_election(void)
{
    moonlatch_lock_options options = {.kind = MOONLATCH_ELECTION, .value = "first"};
    moonlatch_lock *a = make(session, "leader", options), *b = make(other, "leader", options);
    const char *value = NULL;
    uint64_t token = 1;

    EXPECT(moonlatch_observe(b, &token, &value) == MOONLATCH_OK && token == 0 && *value == '\0');
    EXPECT(moonlatch_acquire(a, 0) == MOONLATCH_OK);
    EXPECT(moonlatch_observe(b, &token, &value) == MOONLATCH_OK);
    EXPECT(token == moonlatch_token(a) && strcmp(value, "first") == 0);
    EXPECT(moonlatch_proclaim(b, "me") == MOONLATCH_LOST);
    EXPECT(moonlatch_proclaim(a, "second") == MOONLATCH_OK);
    EXPECT(moonlatch_observe(b, &token, &value) == MOONLATCH_OK && strcmp(value, "second") == 0);
    EXPECT(moonlatch_release(a) == MOONLATCH_OK);
}

static void try_guard(void)
{
    moonlatch_reply *reply;
    static const char *const get[] = {"GET", "{g}data"};
    size_t len;

    EXPECT(moonlatch_guard_touch(session, "{g}guard", 41) == MOONLATCH_OK);
    EXPECT(moonlatch_guard_write(session, "{g}guard", 41, "{g}data", "a\0b", 3) == MOONLATCH_OK);
    EXPECT(moonlatch_guard_touch(other, "{g}guard", 42) == MOONLATCH_OK);
    EXPECT(moonlatch_guard_write(session, "{g}guard", 41, "{g}data", "c", 1) == MOONLATCH_REFUSED);
    EXPECT(strstr(moonlatch_message(session), "42") != NULL);
    EXPECT(moonlatch_command(session, 2, get, NULL, &reply) == MOONLATCH_OK);
    EXPECT(memcmp(moonlatch_reply_text(reply, &len), "a\0b", 3) == 0 && len == 3);
    moonlatch_reply_free(reply);
}

static void try_scripts(void)
{
    static const char *const keys[] = {"k"}, *const args[] = {"v\0w", "2"};
    static const size_t lens[] = {3, 1};
    static const char *const flush[] = {"SCRIPT", "FLUSH"};
    moonlatch_reply *reply;
    size_t len;

    for (int i = 0; i < 3; i++) {
        EXPECT(moonlatch_eval(session, "return {KEYS[1], ARGV[1], tonumber(ARGV[2]), false}", 1,
                              keys, 2, args, lens, &reply) == MOONLATCH_OK);
        EXPECT(moonlatch_reply_count(reply) == 4);
        EXPECT(memcmp(moonlatch_reply_text(moonlatch_reply_item(reply, 1), &len), "v\0w", 3) == 0);
        EXPECT(len == 3);
        EXPECT(moonlatch_reply_integer(moonlatch_reply_item(reply, 2)) == 2);
        EXPECT(moonlatch_reply_type(moonlatch_reply_item(reply, 3)) == MOONLATCH_NIL);
        moonlatch_reply_free(reply);
        EXPECT(moonlatch_command(session, 2, flush, NULL, &reply) == MOONLATCH_OK);
        moonlatch_reply_free(reply);
    }
    EXPECT(moonlatch_eval(session, "return redis.error_reply('MINE it is')", 0, NULL, 0, NULL, NULL,
                          &reply) == MOONLATCH_ERROR);
    EXPECT(strcmp(moonlatch_message(session), "MINE it is") == 0);
    moonlatch_reply_free(reply);
}

/* A key that is something else: an error, and no harm to the other locks of the session. */
static void try_wrong_types(void)
{
    static const char *const push[] = {"LPUSH", "lock:{list}", "x"};
    static const char *const del[] = {"DEL", "lock:{hurt}"};
    static const char *const hurt[] = {"LPUSH", "lock:{hurt}", "x"};
    moonlatch_lock_options options = {.ttl_ms = 300};
    moonlatch_lock *list = make(session, "list", options), *a = make(session, "well", options),
                   *b = make(session, "hurt", options);
    moonlatch_reply *reply;
    int never = NOT_YET;

    moonlatch_command(session, 3, push, NULL, &reply);
    moonlatch_reply_free(reply);
    EXPECT(moonlatch_acquire(list, 0) == MOONLATCH_ERROR);
    EXPECT(strstr(moonlatch_message(session), "WRONGTYPE") != NULL);
    EXPECT(moonlatch_acquire(a, 0) == MOONLATCH_OK && moonlatch_acquire(b, 0) == MOONLATCH_OK);
    moonlatch_command(session, 2, del, NULL, &reply);
    moonlatch_reply_free(reply);
    moonlatch_command(session, 3, hurt, NULL, &reply);
    moonlatch_reply_free(reply);
    loop_until(&never, 1000);
    EXPECT(moonlatch_is_held(a) && !moonlatch_is_held(b));
    EXPECT(moonlatch_release(a) == MOONLATCH_OK);
    moonlatch_command(session, 2, del, NULL, &reply);
    moonlatch_reply_free(reply);
}

static void try_kinds(void)
{
    moonlatch_lock *a = make(session, "kinds", (moonlatch_lock_options){0});
    moonlatch_lock *b = make(other, "kinds", (moonlatch_lock_options){.kind = MOONLATCH_FAIR});

    EXPECT(moonlatch_acquire(a, 0) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(b, 0) == MOONLATCH_ERROR);
    EXPECT(strstr(moonlatch_message(other), "LOCKKIND") != NULL);
    EXPECT(moonlatch_release(a) == MOONLATCH_OK);
}

/* A lease of which all end, a delay, and whoever takes over. */
static void try_expiry(void)
{
    moonlatch_lock_options options = {.ttl_ms = 150, .no_renewal = true, .lock_delay_ms = 200};
    moonlatch_lock *a = make(session, "ends", options);
    moonlatch_lock *b = make(other, "ends", (moonlatch_lock_options){0});
    int64_t begun;

    EXPECT(moonlatch_acquire(a, 0) == MOONLATCH_OK);
    begun = clock_ms();
    EXPECT(moonlatch_acquire(b, 5000) == MOONLATCH_OK);
    EXPECT(clock_ms() - begun >= 330 && clock_ms() - begun < 1500);
    EXPECT(moonlatch_taken_over(b) == moonlatch_token(a));
    EXPECT(!moonlatch_is_held(a));
    EXPECT(moonlatch_release(a) == MOONLATCH_LOST);
    EXPECT(moonlatch_release(b) == MOONLATCH_OK);
}

/* Every kind, in one session, beyond several leases. */
static void try_renewal(void)
{
    static const char *const names[] = {"{r}a", "{r}b"};
    moonlatch_lock_options options = {.ttl_ms = 400, .capacity = 2};
    moonlatch_lock *locks[MOONLATCH_ELECTION + 1];
    char name[8];
    int never = NOT_YET;

    for (int i = 0; i <= MOONLATCH_ELECTION; i++) {
        options.kind = (moonlatch_kind)i;
        snprintf(name, sizeof name, "r%d", i);
        if (options.kind == MOONLATCH_MULTI) {
            moonlatch_lock_new(session, names, 2, &options, &locks[i]);
        } else {
            locks[i] = make(session, name, options);
        }
        EXPECT(moonlatch_acquire(locks[i], 0) == MOONLATCH_OK);
    }
    loop_until(&never, 1500);
    for (int i = 0; i <= MOONLATCH_ELECTION; i++) {
        EXPECT(moonlatch_is_held(locks[i]));
        EXPECT(moonlatch_release(locks[i]) == MOONLATCH_OK);
    }
}

static void try_max_waiters(void)
{
    moonlatch_lock_options options = {.kind = MOONLATCH_FAIR, .max_waiters = 1};
    moonlatch_lock *a = make(session, "few", options), *b = make(other, "few", options),
                   *c = make(other, "few", options);
    int ended = NOT_YET;

    EXPECT(moonlatch_acquire(a, 0) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire_async(b, 10000, note_end, &ended) == MOONLATCH_OK);
    loop_until(&ended, 100);
    EXPECT(moonlatch_acquire(c, 1000) == MOONLATCH_FULL);
    moonlatch_acquire_cancel(b);
    EXPECT(loop_until(&ended, 3000) && ended == MOONLATCH_CANCELLED);
    EXPECT(moonlatch_release(a) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(c, 1000) == MOONLATCH_OK);
    EXPECT(moonlatch_release(c) == MOONLATCH_OK);
}

static void try_deadlock(void)
{
    moonlatch_lock *a1 = make(session, "d1", (moonlatch_lock_options){0}),
                   *a2 = make(session, "d2", (moonlatch_lock_options){0});
    moonlatch_lock *b1 = make(other, "d1", (moonlatch_lock_options){0}),
                   *b2 = make(other, "d2", (moonlatch_lock_options){0});
    int ended = NOT_YET;
    bool native = false;

    EXPECT(moonlatch_is_native(session, &native) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire(a1, 0) == MOONLATCH_OK && moonlatch_acquire(b2, 0) == MOONLATCH_OK);
    EXPECT(moonlatch_acquire_async(a2, 10000, note_end, &ended) == MOONLATCH_OK);
    loop_until(&ended, 100);
    EXPECT(moonlatch_acquire(b1, 300) == (native ? MOONLATCH_DEADLOCK : MOONLATCH_BUSY));
    EXPECT(!native || strstr(moonlatch_message(other), "lock:{d1}") != NULL);
    EXPECT(moonlatch_release(b2) == MOONLATCH_OK);
    EXPECT(loop_until(&ended, 5000) && ended == MOONLATCH_OK);
    EXPECT(moonlatch_release(a1) == MOONLATCH_OK && moonlatch_release(a2) == MOONLATCH_OK);
}

static int all(const char *servers)
{
    moonlatch_options options = {.servers = servers};

    if (moonlatch_open(&session, &options) != MOONLATCH_OK ||
        moonlatch_open(&other, &options) != MOONLATCH_OK) {
        return 1;
    }
    EXPECT(moonlatch_ping(session) == MOONLATCH_OK);
    try_exclusive();
    try_readers();
    try_semaphore();
    try_multi();
    try_election();
    try_guard();
    try_scripts();
    try_wrong_types();
    try_kinds();
    try_expiry();
    try_renewal();
    try_max_waiters();
    try_deadlock();
    moonlatch_close(session);
    moonlatch_close(other);
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0;
}

/* Takes a lock again and again. Tokens rise, and what fails is one of what may fail. */
static int loop(int argc, char **argv)
{
    moonlatch_options options = {
        .servers = argv[2], .request_ms = 3000, .renewal_thread = getpid() % 2 == 0};
    moonlatch_lock_options lock_options = {.kind = MOONLATCH_FAIR, .ttl_ms = 2000};
    int64_t ends = clock_ms() + atoi(argv[3]) * 1000;
    const char *name = argv[4];
    unsigned counts[MOONLATCH_CANCELLED + 1] = {0};
    uint64_t last = 0;
    bool is_left = false; /* It could not be released: it is held until its lease is over. */
    moonlatch_lock *lock;

    options.sentinel = argc > 5 ? argv[5] : NULL;
    if (moonlatch_open(&session, &options) != MOONLATCH_OK ||
        moonlatch_lock_new(session, &name, 1, &lock_options, &lock) != MOONLATCH_OK) {
        return 1;
    }
    while (clock_ms() < ends) {
        moonlatch_status status = moonlatch_acquire(lock, counts[0] % 2 == 0 ? 2000 : 0);

        counts[status]++;
        if (status == MOONLATCH_OK) {
            failed += moonlatch_token(lock) <= last;
            last = moonlatch_token(lock);
            is_left = moonlatch_release(lock) != MOONLATCH_OK;
        } else if (status == MOONLATCH_LIMIT && is_left) {
            continue;
        } else if (status != MOONLATCH_BUSY && status != MOONLATCH_UNREACHABLE &&
                   status != MOONLATCH_LOST && status != MOONLATCH_STALE) {
            failed++;
            printf("%s: %s\n", moonlatch_status_text(status), moonlatch_message(session));
        }
    }
    moonlatch_close(session);
    for (int i = 0; i <= MOONLATCH_CANCELLED; i++) {
        if (counts[i] > 0) {
            printf("%s: %u; ", moonlatch_status_text((moonlatch_status)i), counts[i]);
        }
    }
    printf("%u wrong\n", failed);
    return failed > 0 || counts[MOONLATCH_OK] == 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "all") == 0) {
        return all(argv[2]);
    } else if (argc >= 5 && strcmp(argv[1], "loop") == 0) {
        return loop(argc, argv);
    }
    fprintf(stderr, "see the comment at the beginning of library.c\n");
    return 2;
}
