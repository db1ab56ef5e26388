#include "cli/query.h"

#include "lua/texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 512, KEYS_MAX = 4 };

/* The keys that the script of a kind needs behind the record. */
static const struct {
    const char *kind;
    const char *behind[KEYS_MAX];
} kinds[] = {
    {"mutex", {NULL}},
    {"fair", {":queue"}},
    {"rw", {":readers", ":details", ":queue"}},
    {"semaphore", {":permits", ":details", ":queue"}},
    {"election", {":queue", ":value"}},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void write_key(char key[KEY_MAX], const char *name, const char *behind)
{
    snprintf(key, KEY_MAX, name[0] == '{' ? "lock:%s%s" : "lock:{%s}%s", name, behind);
}

static const char *find_script(const char *name)
{
    const struct lock_script *s = lock_scripts;

    while (s->name != NULL && strcmp(s->name, name) != 0) {
        s++;
    }
    return s->text;
}

moonlatch_status query_script(moonlatch *session, const char *kind, const char *name, size_t argc,
                              const char *const *argv, moonlatch_reply **reply)
{
    char key[KEYS_MAX][KEY_MAX];
    const char *keys[KEYS_MAX] = {key[0]};
    size_t row = 0, count = 1;

    while (row < KINDS && strcmp(kinds[row].kind, kind) != 0) {
        row++;
    }
    if (row == KINDS || find_script(kind) == NULL) {
        return MOONLATCH_ARGUMENT;
    }
    write_key(key[0], name, "");
    for (; count < KEYS_MAX && kinds[row].behind[count - 1] != NULL; count++) {
        write_key(key[count], name, kinds[row].behind[count - 1]);
        keys[count] = key[count];
    }
    return moonlatch_eval(session, find_script(kind), count, keys, argc, argv, NULL, reply);
}

/* The first word of a record is its kind. */
static moonlatch_status query_by_script(moonlatch *session, const char *name,
                                        moonlatch_reply **reply)
{
    char key[KEY_MAX], kind[32] = "";
    const char *get[] = {"GET", key};
    const char *status[] = {"status"};
    moonlatch_reply *record;
    const char *text;
    moonlatch_status answer;

    write_key(key, name, "");
    answer = moonlatch_command(session, 2, get, NULL, &record);
    if (answer != MOONLATCH_OK) {
        return answer;
    }
    text = moonlatch_reply_text(record, NULL);
    if (text == NULL || sscanf(text, "%31s", kind) != 1) {
        *reply = record; /* Nil. */
        return MOONLATCH_OK;
    }
    moonlatch_reply_free(record);
    return query_script(session, kind, name, 1, status, reply);
}

moonlatch_status query_lock(moonlatch *session, const char *name, moonlatch_reply **reply)
{
    bool native;
    moonlatch_status status = moonlatch_is_native(session, &native);

    (void)native; /* The scripts tell the same everywhere, waiters included. */
    return status == MOONLATCH_OK ? query_by_script(session, name, reply) : status;
}

/* Returns the name of the lock that a key is the record of, or NULL. */
static const char *name_of(const char *key, char name[KEY_MAX])
{
    const char *end = strchr(key, '}');

    if (strncmp(key, "lock:{", 6) != 0 || end == NULL) {
        return NULL;
    }
    if (end[1] == '\0') {
        snprintf(name, KEY_MAX, "%.*s", (int)(end - key - 6), key + 6);
    } else if (strchr(end, ':') == NULL) {
        snprintf(name, KEY_MAX, "%s", key + 5);
    } else {
        return NULL;
    }
    return name;
}

static moonlatch_status
see_keys(moonlatch *session, const moonlatch_reply *keys,
         void (*see)(const char *name, const moonlatch_reply *fields, void *context), void *context)
{
    moonlatch_status status = MOONLATCH_OK;

    for (size_t i = 0; i < moonlatch_reply_count(keys) && status == MOONLATCH_OK; i++) {
        const char *key = moonlatch_reply_text(moonlatch_reply_item(keys, i), NULL);
        char name[KEY_MAX];
        moonlatch_reply *fields;

        if (key == NULL || name_of(key, name) == NULL) {
            continue;
        }
        status = query_lock(session, name, &fields);
        if (status == MOONLATCH_OK) {
            if (strcmp(query_text(fields, "state"), "free") != 0 ||
                strcmp(query_text(fields, "waiters"), "0") != 0) {
                see(name, fields, context);
            }
            moonlatch_reply_free(fields);
        }
    }
    return status;
}

moonlatch_status query_all(moonlatch *session,
                           void (*see)(const char *name, const moonlatch_reply *fields,
                                       void *context),
                           void *context)
{
    char cursor[32] = "0";
    moonlatch_status status;

    do {
        const char *scan[] = {"SCAN", cursor, "MATCH", "lock:{*", "COUNT", "1000"};
        const char *next;
        moonlatch_reply *reply;

        status = moonlatch_command(session, 6, scan, NULL, &reply);
        if (status != MOONLATCH_OK) {
            return status;
        }
        next = moonlatch_reply_text(moonlatch_reply_item(reply, 0), NULL);
        snprintf(cursor, sizeof cursor, "%s", next != NULL ? next : "0");
        status = see_keys(session, moonlatch_reply_item(reply, 1), see, context);
        moonlatch_reply_free(reply);
    } while (status == MOONLATCH_OK && strcmp(cursor, "0") != 0);
    return status;
}

const moonlatch_reply *query_field(const moonlatch_reply *fields, const char *name)
{
    for (size_t i = 0; i + 1 < moonlatch_reply_count(fields); i += 2) {
        const char *text = moonlatch_reply_text(moonlatch_reply_item(fields, i), NULL);

        if (text != NULL && strcmp(text, name) == 0) {
            return moonlatch_reply_item(fields, i + 1);
        }
    }
    return NULL;
}

const char *query_text(const moonlatch_reply *fields, const char *name)
{
    const moonlatch_reply *field = query_field(fields, name);
    const char *text = field != NULL ? moonlatch_reply_text(field, NULL) : NULL;

    return text != NULL ? text : "";
}
