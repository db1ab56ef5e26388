#include "client/handle.h"

#include "client/acquire.h"
#include "client/renewal.h"
#include "client/renewer.h"
#include "client/turn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_MS = 30 * 1000, MULTI_LEAST = 2, MULTI_MOST = 64, KEYS_OF_ONE = 4 };

/* The script of each kind, and what stands behind the name in its keys. */
static const struct {
    const char *script;
    const char *suffixes[KEYS_OF_ONE];
    size_t count;
} kinds[] = {
    [MOONLATCH_MUTEX] = {"mutex", {""}, 1},
    [MOONLATCH_FAIR] = {"fair", {"", ":queue"}, 2},
    [MOONLATCH_READ] = {"rw", {"", ":readers", ":details", ":queue"}, 4},
    [MOONLATCH_WRITE] = {"rw", {"", ":readers", ":details", ":queue"}, 4},
    [MOONLATCH_SEMAPHORE] = {"semaphore", {"", ":permits", ":details", ":queue"}, 4},
    [MOONLATCH_MULTI] = {"multi", {""}, 1},
    [MOONLATCH_ELECTION] = {"election", {"", ":queue", ":value"}, 3},
};

/* Names. */

/* How long the tag "{...}" is that a name begins with; 0: it has none. */
static size_t tag_len(const char *name)
{
    const char *close = *name == '{' ? strchr(name, '}') : NULL;

    return close != NULL && close > name + 1 ? (size_t)(close - name) + 1 : 0;
}

static bool is_name(const char *name)
{
    return name != NULL && name[0] != '\0' && strpbrk(name + tag_len(name), "{}") == NULL;
}

static bool share_tag(const char *a, const char *b)
{
    size_t len = tag_len(a);

    return len > 0 && strncmp(a, b, len) == 0;
}

/* Returns what is wrong with the names, or NULL. */
static const char *judge_names(const char *const *names, size_t count, moonlatch_kind kind)
{
    if (kind == MOONLATCH_MULTI ? count < MULTI_LEAST || count > MULTI_MOST : count != 1) {
        return "a lock has one name, or 2 to 64 if it is for all of them";
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_name(names[i])) {
            return "a name is a text without braces, or begins with a tag in braces";
        } else if (i > 0 && !share_tag(names[0], names[i])) {
            return "the names of a lock share a tag: {app}a, {app}b";
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(names[i], names[j]) == 0) {
                return "the names of a lock are different";
            }
        }
    }
    return NULL;
}

static size_t key_len(const char *name, const char *suffix)
{
    return strlen("lock:{}") + strlen(name) + strlen(suffix) + 1;
}

/* All keys are one piece of memory, behind the pointers to them. */
static bool make_keys(moonlatch_lock *lock, const char *const *names, size_t count)
{
    const size_t each = kinds[lock->kind].count;
    size_t room = count * each * sizeof(char *);
    char *at;

    for (size_t i = 0; i < count * each; i++) {
        room += key_len(names[i / each], kinds[lock->kind].suffixes[i % each]);
    }
    lock->keys = malloc(room);
    if (lock->keys == NULL) {
        return false;
    }
    lock->name_count = count;
    lock->key_count = count * each;
    at = (char *)(lock->keys + lock->key_count);
    for (size_t i = 0; i < lock->key_count; i++) {
        const char *name = names[i / each];
        const char *suffix = kinds[lock->kind].suffixes[i % each];

        lock->keys[i] = at;
        at += sprintf(at, tag_len(name) > 0 ? "lock:%s%s" : "lock:{%s}%s", name, suffix) + 1;
    }
    return true;
}

/* Requests begin with the keys. */
static const char **make_words(const moonlatch_lock *lock)
{
    const char **words = malloc((lock->key_count + EXTRA_WORDS) * sizeof *words);

    if (words != NULL) {
        memcpy(words, lock->keys, lock->key_count * sizeof *words);
    }
    return words;
}

/* Owners. */

static bool is_party(const char *text)
{
    /* "/session.handle" comes behind it. */
    return *text != '\0' && strlen(text) <= OWNER_MAX - 1 - SESSION_ID - 1 - 20 &&
           text_is_word(text);
}

/* What stands before the last '/' is who waits. */
static void name_owner(moonlatch_lock *lock, const char *party)
{
    moonlatch *s = lock->session;

    s->handles++;
    if (party != NULL) {
        snprintf(lock->owner, sizeof lock->owner, "%s/%s.%" PRIu64, party, s->id, s->handles);
    } else {
        snprintf(lock->owner, sizeof lock->owner, "%s/%s/%" PRIu64, s->label, s->id, s->handles);
    }
}

/* Handles. */

static void take_options(moonlatch_lock *lock, const moonlatch_lock_options *o)
{
    lock->kind = o->kind;
    lock->script = script_find(kinds[o->kind].script);
    lock->ttl_ms = o->ttl_ms > 0 ? o->ttl_ms : TTL_MS;
    lock->delay_ms = o->lock_delay_ms;
    lock->max_count = o->max_count > 0 ? o->max_count : 1;
    lock->permits = o->permits > 0 ? o->permits : 1;
    lock->capacity = o->capacity;
    lock->max_waiters = o->max_waiters;
    lock->no_renewal = o->no_renewal;
    lock->on_loss = o->on_loss;
    lock->context = o->context;
}

void handle_free(moonlatch_lock *lock)
{
    free(lock->keys);
    free(lock->ask_words);
    free(lock->errand_words);
    free(lock->value);
    free(lock->observed);
    free(lock->loss);
    free(lock);
}

static moonlatch_lock *new_handle(moonlatch *s, const char *const *names, size_t count,
                                  const moonlatch_lock_options *options)
{
    moonlatch_lock *lock = calloc(1, sizeof *lock);

    if (lock == NULL) {
        return NULL;
    }
    lock->session = s;
    take_options(lock, options);
    lock->value = strdup(options->value != NULL ? options->value : "");
    if (make_keys(lock, names, count)) {
        lock->ask_words = make_words(lock);
        lock->errand_words = make_words(lock);
    }
    if (lock->value == NULL || lock->ask_words == NULL || lock->errand_words == NULL) {
        handle_free(lock);
        return NULL;
    }
    name_owner(lock, options->party);
    return lock;
}

static const char *judge_options(const moonlatch_lock_options *o)
{
    if ((unsigned)o->kind >= sizeof kinds / sizeof *kinds) {
        return "there is no lock of this kind";
    } else if (o->party != NULL && !is_party(o->party)) {
        return "a party is a text without spaces, of up to 146 bytes";
    }
    return NULL;
}

static moonlatch_status add_handle(moonlatch *s, const char *const *names, size_t count,
                                   const moonlatch_lock_options *options, moonlatch_lock **lock)
{
    const char *wrong = judge_options(options);

    wrong = wrong != NULL ? wrong : judge_names(names, count, options->kind);
    if (wrong != NULL) {
        return session_fail(s, MOONLATCH_ARGUMENT, "%s", wrong);
    }
    *lock = new_handle(s, names, count, options);
    if (*lock == NULL) {
        return session_fail(s, MOONLATCH_MEMORY, "out of memory");
    }
    lock_init(*lock);
    TAILQ_INSERT_TAIL(&s->locks, *lock, entry);
    return MOONLATCH_OK;
}

moonlatch_status moonlatch_lock_new(moonlatch *session, const char *const *names, size_t count,
                                    const moonlatch_lock_options *options, moonlatch_lock **lock)
{
    static const moonlatch_lock_options initial = {0};
    moonlatch_status status;

    *lock = NULL;
    if (!session_enter(session)) {
        return MOONLATCH_FORKED;
    }
    status = add_handle(session, names, count, options != NULL ? options : &initial, lock);
    session_leave(session);
    return status;
}

void moonlatch_lock_free(moonlatch_lock *lock)
{
    moonlatch *s = lock != NULL ? lock->session : NULL;

    if (lock == NULL || !session_enter(s)) {
        return; /* In a forked process it goes with the session. */
    }
    lock_retire(lock);
    session_leave(s);
}
