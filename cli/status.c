#include "cli/cli.h"
#include "cli/print.h"
#include "cli/query.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { JSON = 256, TOKEN, OWNER };

/* status */

struct listing {
    bool is_json;
    size_t count;
};

static const char *tell_ms(const char *ms, char out[32])
{
    return tell_duration(strtoll(ms, NULL, 10), out);
}

/* "since" is by the server's clock, which is nearly ours. */
static const char *tell_since(const char *since_us, char out[32])
{
    time_t then = (time_t)(strtoll(since_us, NULL, 10) / 1000000);
    struct tm parts;

    if (localtime_r(&then, &parts) == NULL || strftime(out, 32, "%Y-%m-%d %H:%M:%S", &parts) == 0) {
        out[0] = '\0';
    }
    return out;
}

static void print_holder(const moonlatch_reply *fields)
{
    char since[32], rest[32];
    const char *mode = query_text(fields, "mode");

    printf("    held by %s since %s, for %s at the most, token %s%s%s\n",
           query_text(fields, "owner"), tell_since(query_text(fields, "since_us"), since),
           tell_ms(query_text(fields, "remaining_ms"), rest), query_text(fields, "token"),
           mode[0] != '\0' ? ", " : "", mode);
}

static void print_waiters(const moonlatch_reply *waiting)
{
    for (size_t i = 0; waiting != NULL && i < moonlatch_reply_count(waiting); i++) {
        const moonlatch_reply *waiter = moonlatch_reply_item(waiting, i);
        const char *ms = moonlatch_reply_text(moonlatch_reply_item(waiter, 1), NULL);
        char since_us[48], since[32];

        snprintf(since_us, sizeof since_us, "%s000", ms != NULL ? ms : "0");
        printf("    waited for by %s at %s since %s\n",
               moonlatch_reply_text(moonlatch_reply_item(waiter, 0), NULL),
               moonlatch_reply_text(moonlatch_reply_item(waiter, 2), NULL),
               tell_since(since_us, since));
    }
}

static void print_lock(const char *name, const moonlatch_reply *fields)
{
    const moonlatch_reply *holders = query_field(fields, "holders");

    printf("%s: %s, %s, %s waiting\n", name, query_text(fields, "kind"),
           query_text(fields, "state"), query_text(fields, "waiters"));
    if (strcmp(query_text(fields, "state"), "held") == 0 &&
        query_text(fields, "owner")[0] != '\0') {
        print_holder(fields);
    }
    for (size_t i = 0; holders != NULL && i < moonlatch_reply_count(holders); i++) {
        print_holder(moonlatch_reply_item(holders, i));
    }
    print_waiters(query_field(fields, "waiting"));
}

static void see(const char *name, const moonlatch_reply *fields, void *context)
{
    struct listing *l = context;

    if (!l->is_json) {
        print_lock(name, fields);
    } else {
        printf("%s\n{\"name\": ", l->count > 0 ? "," : "[");
        print_json_text(stdout, name, strlen(name));
        for (size_t i = 0; i + 1 < moonlatch_reply_count(fields); i += 2) {
            printf(", ");
            print_json(stdout, moonlatch_reply_item(fields, i), false);
            printf(": ");
            print_json(stdout, moonlatch_reply_item(fields, i + 1), false);
        }
        printf("}");
    }
    l->count++;
}

static moonlatch_status see_one(moonlatch *session, const char *name, struct listing *l)
{
    moonlatch_reply *fields;
    moonlatch_status status = query_lock(session, name, &fields);

    if (status == MOONLATCH_OK) {
        if (moonlatch_reply_type(fields) == MOONLATCH_ARRAY) {
            see(name, fields, l);
        } else if (!l->is_json) {
            printf("%s: nobody holds it\n", name);
        }
        moonlatch_reply_free(fields);
    }
    return status;
}

int status_main(struct settings *s, int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, JSON}, {0}};
    struct listing l = {0};
    moonlatch *session;
    moonlatch_status status = MOONLATCH_OK;
    int option, code = EXIT_SUCCESS;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option != JSON) {
            return EXIT_USAGE;
        }
        l.is_json = true;
    }
    session = open_session(s);
    if (session == NULL) {
        return EXIT_USAGE;
    }
    if (optind == argc) {
        status = query_all(session, see, &l);
    }
    for (int i = optind; i < argc && status == MOONLATCH_OK; i++) {
        status = see_one(session, argv[i], &l);
    }
    if (l.is_json) {
        printf("%s\n", l.count > 0 ? "\n]" : "[]");
    }
    if (status != MOONLATCH_OK) {
        code = fail_with(session, status);
    }
    moonlatch_close(session);
    return code;
}

/* release */

/* Finds who has that token. Returns NULL, having complained, if nobody has, or several do. */
static const char *find_owner(const moonlatch_reply *fields, const char *token, const char *owner)
{
    const moonlatch_reply *holders = query_field(fields, "holders");
    const char *found = NULL;

    if (strcmp(query_text(fields, "state"), "held") == 0 &&
        strcmp(query_text(fields, "token"), token) == 0 && query_text(fields, "owner")[0] != '\0') {
        return query_text(fields, "owner");
    }
    for (size_t i = 0; holders != NULL && i < moonlatch_reply_count(holders); i++) {
        const moonlatch_reply *holder = moonlatch_reply_item(holders, i);

        if (strcmp(query_text(holder, "token"), token) == 0 &&
            (owner == NULL || strcmp(query_text(holder, "owner"), owner) == 0)) {
            if (found != NULL) {
                complain("several have that token: --owner says which is meant");
                return NULL;
            }
            found = query_text(holder, "owner");
        }
    }
    if (found == NULL) {
        complain("nobody holds the lock with that token");
    }
    return found;
}

/* It may be held several times. */
static moonlatch_status release_all(moonlatch *session, const char *kind, const char *name,
                                    const char *owner, const char *token)
{
    const char *release[] = {"release", owner, token};
    bool is_free = false;

    while (!is_free) {
        moonlatch_reply *reply;
        moonlatch_status status = query_script(session, kind, name, 3, release, &reply);
        const char *left;

        if (status != MOONLATCH_OK) {
            return status;
        }
        left = moonlatch_reply_count(reply) > 1
                   ? moonlatch_reply_text(moonlatch_reply_item(reply, 1), NULL)
                   : NULL;
        is_free = left == NULL || strcmp(left, "0") == 0;
        status = left == NULL ? MOONLATCH_LOST : MOONLATCH_OK;
        moonlatch_reply_free(reply);
        if (status != MOONLATCH_OK) {
            return status;
        }
    }
    return MOONLATCH_OK;
}

static int release_lock(moonlatch *session, const char *name, const char *token, const char *owner)
{
    moonlatch_reply *fields;
    moonlatch_status status = query_lock(session, name, &fields);
    int code = EXIT_NOT_OBTAINED;

    if (status != MOONLATCH_OK) {
        return fail_with(session, status);
    }
    owner = find_owner(fields, token, owner);
    if (owner != NULL) {
        status = release_all(session, query_text(fields, "kind"), name, owner, token);
        code = status == MOONLATCH_OK ? EXIT_SUCCESS : fail_with(session, status);
    }
    moonlatch_reply_free(fields);
    return code;
}

int release_main(struct settings *s, int argc, char **argv)
{
    static const struct option options[] = {
        {"token", required_argument, NULL, TOKEN}, {"owner", required_argument, NULL, OWNER}, {0}};
    const char *token = NULL, *owner = NULL;
    moonlatch *session;
    int option, code;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == TOKEN) {
            token = optarg;
        } else if (option == OWNER) {
            owner = optarg;
        } else {
            return EXIT_USAGE;
        }
    }
    if (token == NULL || optind + 1 != argc) {
        complain("usage: moonlatch release --token TOKEN [--owner OWNER] NAME");
        return EXIT_USAGE;
    }
    session = open_session(s);
    if (session == NULL) {
        return EXIT_USAGE;
    }
    code = release_lock(session, argv[optind], token, owner);
    moonlatch_close(session);
    return code;
}

/* wait */

/* Returns for how long the lock is held at the most, 0 if it is free; or -1, having complained. */
static int64_t held_for_ms(moonlatch *session, const char *name, int *code)
{
    moonlatch_reply *fields;
    moonlatch_status status = query_lock(session, name, &fields);
    const moonlatch_reply *holders;
    int64_t ms = 0;

    if (status != MOONLATCH_OK) {
        *code = fail_with(session, status);
        return -1;
    }
    holders = query_field(fields, "holders");
    if (strcmp(query_text(fields, "state"), "held") == 0 && holders == NULL) {
        ms = strtoll(query_text(fields, "remaining_ms"), NULL, 10);
    }
    for (size_t i = 0; holders != NULL && i < moonlatch_reply_count(holders); i++) {
        int64_t one =
            strtoll(query_text(moonlatch_reply_item(holders, i), "remaining_ms"), NULL, 10);
        ms = one > ms ? one : ms;
    }
    moonlatch_reply_free(fields);
    return ms;
}

static int wait_until_free(moonlatch *session, const char *name, int64_t wait_ms)
{
    enum { LOOK_EACH_MS = 100 };
    int code = EXIT_SUCCESS;
    int64_t left_ms;

    while ((left_ms = held_for_ms(session, name, &code)) > 0) {
        int64_t pause_ms = left_ms < LOOK_EACH_MS ? left_ms : LOOK_EACH_MS;

        if (wait_ms >= 0 && wait_ms < pause_ms) {
            return EXIT_NOT_OBTAINED;
        }
        wait_ms -= wait_ms >= 0 ? pause_ms : 0;
        usleep((useconds_t)pause_ms * 1000);
    }
    return code;
}

int wait_main(struct settings *s, int argc, char **argv)
{
    int64_t wait_ms = MOONLATCH_FOREVER;
    moonlatch *session;
    int option, code;

    while ((option = getopt(argc, argv, "w:")) != -1) {
        if (option != 'w' || !read_duration(optarg, &wait_ms)) {
            complain("usage: moonlatch wait [-w DURATION] NAME");
            return EXIT_USAGE;
        }
    }
    if (optind + 1 != argc) {
        complain("usage: moonlatch wait [-w DURATION] NAME");
        return EXIT_USAGE;
    }
    session = open_session(s);
    if (session == NULL) {
        return EXIT_USAGE;
    }
    code = wait_until_free(session, argv[optind], wait_ms);
    moonlatch_close(session);
    return code;
}
