/* A player of audit.py that takes locks as programs do: through libmoonlatch. It writes what it
 * does as JSON lines, as record.py says; it is stopped and killed at any moment.
 *
 *     player NAME NUMBER SEED DIRECTORY SERVERS RESOURCE NUMBERS_FD SPEC...
 *
 * A SPEC is KIND:TTL_MS:DELAY_MS:CAPACITY:NAME,NAME... Half of the players have the library renew
 * in a thread, the others call it from their loop. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "moonlatch.h"

enum { MOST_NAMES = 8, MOST_SPECS = 32, LINE = 4096 };
enum { NS_PER_MS = 1000 * 1000 };
enum state { IDLE, WAITS, HOLDS }; /* For the nemesis. */

struct spec {
    const char *kind;
    uint32_t ttl_ms, delay_ms, capacity;
    const char *names[MOST_NAMES];
    size_t count;
};

/* One lock, from the request to its end. */
struct hold {
    const struct spec *spec;
    moonlatch_lock *lock;
    moonlatch_kind kind;
    uint32_t permits;
    const char *names[MOST_NAMES];
    size_t count;
    char id[256];
};

static struct {
    const char *name;
    int number;
    int file;
    int resource;
    volatile int64_t *state;
    uint64_t calls;
    uint64_t rid;
    moonlatch *session;
    bool has_thread;
    struct spec specs[MOST_SPECS];
    size_t spec_count;
} me;

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 * NS_PER_MS + t.tv_nsec;
}

static double chance(void)
{
    return drand48();
}

static long below(long count)
{
    return (long)(drand48() * (double)count);
}

static void rest_ms(double ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000)};

    t.tv_nsec = (long)((ms - (double)t.tv_sec * 1000) * NS_PER_MS);
    nanosleep(&t, NULL);
}

static void die(const char *what, const char *why)
{
    printf("%s: %s: %s\n", me.name, what, why);
    fflush(stdout);
    _exit(1);
}

/* Notes. Each is one write, of which a kill tears the last at most. */

__attribute__((format(printf, 2, 3))) static void note(const char *event, const char *format, ...)
{
    char line[LINE];
    va_list args;
    int len = snprintf(line, sizeof line, "{\"t\":%" PRId64 ",\"e\":\"%s\",", now(), event);

    va_start(args, format);
    len += vsnprintf(line + len, sizeof line - (size_t)len, format, args);
    va_end(args);
    len += snprintf(line + len, sizeof line - (size_t)len, "}\n");
    if (write(me.file, line, (size_t)len) != len) {
        die("note", "cannot be written");
    }
}

static void note_call(const struct hold *h, const char *op, const char *more)
{
    char names[512] = "";
    size_t len = 0;

    for (size_t i = 0; i < h->count; i++) {
        len += (size_t)snprintf(names + len, sizeof names - len, "%s\"%s\"", i > 0 ? "," : "",
                                h->names[i]);
    }
    note("call",
         "\"n\":%" PRIu64 ",\"op\":\"%s\",\"lock\":\"%s\",\"names\":[%s],\"kind\":\"%s\","
         "\"owner\":\"%s\",\"ttl\":%" PRIu32 "%s",
         ++me.calls, op, h->id, names, h->spec->kind, moonlatch_owner(h->lock), h->spec->ttl_ms,
         more);
}

/* `words` are those of a script's reply, with quotes; NULL: the outcome is not known. */
static void note_reply(const char *words)
{
    note("reply", words != NULL ? "\"n\":%" PRIu64 ",\"r\":[%s]" : "\"n\":%" PRIu64 ",\"r\":null",
         me.calls, words);
}

static void note_held(const struct hold *h)
{
    int64_t at = now();
    int64_t rest = moonlatch_remaining_ms(h->lock);

    if (rest > 0) {
        note("held", "\"lock\":\"%s\",\"owner\":\"%s\",\"token\":%" PRIu64 ",\"until\":%" PRId64,
             h->id, moonlatch_owner(h->lock), moonlatch_token(h->lock), at + rest * NS_PER_MS);
    }
}

static void note_left(const struct hold *h)
{
    note("left", "\"lock\":\"%s\",\"owner\":\"%s\",\"token\":%" PRIu64, h->id,
         moonlatch_owner(h->lock), moonlatch_token(h->lock));
}

/* The resource. */

static void connect_resource(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    me.resource = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(me.resource, (struct sockaddr *)&address, sizeof address) != 0) {
        die("resource", "cannot be reached");
    }
}

/* Returns false if the token was refused. */
static bool ask_resource(const char *request, int64_t *value)
{
    char reply[64];
    ssize_t len;

    len = send(me.resource, request, strlen(request), MSG_NOSIGNAL);
    len = len > 0 ? recv(me.resource, reply, sizeof reply - 1, 0) : len;
    if (len <= 0) {
        die("resource", "does not answer");
    }
    reply[len] = '\0';
    *value = strtoll(reply, NULL, 10);
    return strcmp(reply, "refused") != 0;
}

/* Locks. */

static bool is_kind(const struct hold *h, const char *kind)
{
    return strcmp(h->spec->kind, kind) == 0;
}

static moonlatch_kind choose_kind(const struct hold *h)
{
    static const struct {
        const char *name;
        moonlatch_kind kind;
    } kinds[] = {
        {"fair", MOONLATCH_FAIR},
        {"semaphore", MOONLATCH_SEMAPHORE},
        {"multi", MOONLATCH_MULTI},
        {"election", MOONLATCH_ELECTION},
    };

    if (is_kind(h, "rw")) {
        return chance() < 0.6 ? MOONLATCH_READ : MOONLATCH_WRITE;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (is_kind(h, kinds[i].name)) {
            return kinds[i].kind;
        }
    }
    return MOONLATCH_MUTEX;
}

/* All names of a lock; of a multi-lock some, at least two, from a place of the list on. */
static void choose_names(struct hold *h)
{
    const struct spec *s = h->spec;
    size_t first = 0;

    h->count = s->count;
    if (h->kind == MOONLATCH_MULTI) {
        h->count = (size_t)(2 + below((long)s->count - 1));
        first = (size_t)below((long)s->count);
    }
    h->id[0] = '\0';
    for (size_t i = 0; i < h->count; i++) {
        h->names[i] = s->names[(first + i) % s->count];
        snprintf(h->id + strlen(h->id), sizeof h->id - strlen(h->id), "%s%s", i > 0 ? "+" : "",
                 h->names[i]);
    }
}

static void make_lock(struct hold *h)
{
    moonlatch_lock_options options = {
        .ttl_ms = h->spec->ttl_ms,
        .lock_delay_ms = h->spec->delay_ms,
        .value = me.name,
    };

    h->kind = choose_kind(h);
    choose_names(h);
    h->permits = 1;
    if (h->kind == MOONLATCH_SEMAPHORE) {
        h->permits = (uint32_t)(1 + below(h->spec->capacity));
        options.capacity = h->spec->capacity;
    }
    options.kind = h->kind;
    options.permits = h->permits;
    if (moonlatch_lock_new(me.session, h->names, h->count, &options, &h->lock) != MOONLATCH_OK) {
        die("lock_new", moonlatch_message(me.session));
    }
}

/* Notes the reply that the library's answer to an acquire stands for. */
static void note_acquired(const struct hold *h, moonlatch_status status)
{
    char words[LINE / 2];

    switch (status) {
    case MOONLATCH_OK:
        snprintf(words, sizeof words, "\"OK\",\"%" PRIu64 "\",\"%" PRIu32 "\",\"0\",\"\"",
                 moonlatch_token(h->lock), h->spec->ttl_ms);
        note_reply(words);
        break;
    case MOONLATCH_BUSY:
        snprintf(words, sizeof words, "\"BUSY\",\"0\",\"%" PRId64 "\",\"%s\"",
                 moonlatch_holder_remaining_ms(h->lock), moonlatch_holder(h->lock));
        note_reply(words);
        break;
    case MOONLATCH_LOST: /* It had it, and no longer. */
    case MOONLATCH_UNREACHABLE:
    case MOONLATCH_UNCERTAIN:
        note_reply(NULL);
        break;
    case MOONLATCH_FULL:
    case MOONLATCH_DEADLOCK:
    case MOONLATCH_STALE:
        note_reply("\"REFUSED\"");
        break;
    default:
        die("acquire", moonlatch_message(me.session));
    }
}

static bool acquire(struct hold *h)
{
    static const int64_t waits_ms[] = {0, 50, 1500, 8000};
    int64_t wait_ms = waits_ms[below(4)];
    char more[256];
    moonlatch_status status;

    snprintf(more, sizeof more,
             ",\"rid\":%" PRIu64 ",\"wait\":%" PRId64 ",\"delay\":%" PRIu32
             ",\"mode\":\"%s\",\"permits\":%" PRIu32 ",\"capacity\":%" PRIu32,
             ++me.rid, wait_ms, h->spec->delay_ms,
             h->kind == MOONLATCH_READ    ? "read"
             : h->kind == MOONLATCH_WRITE ? "write"
                                          : "",
             h->permits, h->spec->capacity);
    note_call(h, "acquire", more);
    status = moonlatch_acquire(h->lock, wait_ms);
    note_acquired(h, status);
    if (status == MOONLATCH_OK) {
        note_held(h);
    }
    return status == MOONLATCH_OK;
}

/* Holds it for so long; the library renews it. */
static void keep(const struct hold *h, int64_t ms)
{
    int64_t ends = now() + ms * NS_PER_MS;
    int64_t noted = now();

    while (moonlatch_is_held(h->lock) && now() < ends) {
        rest_ms(2);
        if (!me.has_thread) {
            moonlatch_process(me.session);
        }
        if (now() - noted > (int64_t)h->spec->ttl_ms * NS_PER_MS / 3) {
            noted = now();
            note_held(h);
        }
    }
}

/* Counts one up in a resource. Half of the time it does not ask, before it writes, whether it
 * still has the lock: that is what a guard is for. */
static void use(const struct hold *h)
{
    static const int64_t holds_ms[] = {0, 0, 0, 0, 1, 2, 10};
    bool counts = h->kind != MOONLATCH_READ && h->kind != MOONLATCH_SEMAPHORE;
    const char *guarded = chance() < 0.5 ? "!" : "";
    char request[256];
    int64_t value = 0;

    snprintf(request, sizeof request, "read %s%s %" PRIu64, h->names[0], guarded,
             moonlatch_token(h->lock));
    counts = counts && ask_resource(request, &value);
    keep(h, chance() < 0.03 ? h->spec->ttl_ms : holds_ms[below(7)]);
    if (counts && (moonlatch_is_held(h->lock) || chance() < 0.5)) {
        snprintf(request, sizeof request, "write %s%s %" PRIu64 " %" PRId64, h->names[0], guarded,
                 moonlatch_token(h->lock), value + 1);
        ask_resource(request, &value);
    }
}

static void release(const struct hold *h)
{
    char more[64];
    moonlatch_status status;

    note_left(h);
    snprintf(more, sizeof more, ",\"token\":%" PRIu64, moonlatch_token(h->lock));
    note_call(h, "release", more);
    status = moonlatch_release(h->lock);
    note_reply(status == MOONLATCH_OK     ? "\"OK\",\"0\""
               : status == MOONLATCH_LOST ? "\"LOST\""
                                          : NULL);
}

static void play(void)
{
    struct hold h = {.spec = &me.specs[below((long)me.spec_count)]};

    make_lock(&h);
    *me.state = WAITS;
    if (acquire(&h)) {
        *me.state = HOLDS;
        use(&h);
        release(&h);
    }
    moonlatch_lock_free(h.lock);
    *me.state = IDLE;
}

/* The beginning. */

static void read_spec(char *text)
{
    struct spec *s = &me.specs[me.spec_count++];
    char *at = text;

    s->kind = strsep(&at, ":");
    s->ttl_ms = (uint32_t)atoi(strsep(&at, ":"));
    s->delay_ms = (uint32_t)atoi(strsep(&at, ":"));
    s->capacity = (uint32_t)atoi(strsep(&at, ":"));
    while (at != NULL && s->count < MOST_NAMES) {
        s->names[s->count++] = strsep(&at, ",");
    }
}

static void map_numbers(int fd)
{
    size_t size = sizeof *me.state * ((size_t)me.number + 1);
    int64_t *numbers = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (numbers == MAP_FAILED) {
        die("numbers", "cannot be mapped");
    }
    me.state = &numbers[me.number];
}

int main(int argc, char **argv)
{
    moonlatch_options options = {.request_ms = 3000};
    char path[512];

    if (argc < 9) {
        fprintf(stderr, "see the comment at the beginning of player.c\n");
        return 2;
    }
    me.name = argv[1];
    me.number = atoi(argv[2]);
    srand48(atol(argv[3]) + me.number);
    snprintf(path, sizeof path, "%s/%s.jsonl", argv[4], me.name);
    me.file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    connect_resource(argv[6]);
    map_numbers(atoi(argv[7]));
    for (int i = 8; i < argc && me.spec_count < MOST_SPECS; i++) {
        read_spec(argv[i]);
    }
    me.has_thread = chance() < 0.5;
    options.servers = argv[5];
    options.label = me.name;
    options.renewal_thread = me.has_thread;
    if (moonlatch_open(&me.session, &options) != MOONLATCH_OK) {
        die("open", "failed");
    }
    for (;;) {
        rest_ms(4 * chance());
        play();
    }
}
