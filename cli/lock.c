#include "cli/hold.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL = 256, FAIR, LOCK_DELAY, PERMITS, GRACE, LABEL };

static const struct option options[] = {
    {"shared", no_argument, NULL, 's'},
    {"exclusive", no_argument, NULL, 'x'},
    {"nonblock", no_argument, NULL, 'n'},
    {"timeout", required_argument, NULL, 'w'},
    {"wait", required_argument, NULL, 'w'},
    {"conflict-exit-code", required_argument, NULL, 'E'},
    {"ttl", required_argument, NULL, TTL},
    {"fair", no_argument, NULL, FAIR},
    {"lock-delay", required_argument, NULL, LOCK_DELAY},
    {"permits", required_argument, NULL, PERMITS},
    {"grace", required_argument, NULL, GRACE},
    {"label", required_argument, NULL, LABEL},
    {0},
};

static bool take_duration(const char *text, int64_t least, int64_t *ms)
{
    if (!read_duration(text, ms) || *ms < least || *ms > UINT32_MAX) {
        complain("'%s' is no duration", text);
        return false;
    }
    return true;
}

/* "N/M": so many of so many. */
static bool take_permits(struct hold *h, const char *text)
{
    char *all = strdup(text);
    char *slash = all != NULL ? strchr(all, '/') : NULL;
    uint64_t permits = 0, capacity = 0;
    bool fine;

    if (slash != NULL) {
        *slash = '\0';
    }
    fine = slash != NULL && read_number(all, UINT32_MAX, &permits) && permits > 0 &&
           read_number(slash + 1, UINT32_MAX, &capacity) && capacity >= permits;
    free(all);
    if (!fine) {
        complain("'%s' is not how many permits of how many: 1/4", text);
        return false;
    }
    h->options.kind = MOONLATCH_SEMAPHORE;
    h->options.permits = (uint32_t)permits;
    h->options.capacity = (uint32_t)capacity;
    return true;
}

static bool take_code(struct hold *h, const char *text)
{
    uint64_t code;

    if (!read_number(text, 255, &code)) {
        complain("'%s' is no exit status", text);
        return false;
    }
    h->not_obtained = (int)code;
    return true;
}

static bool take_option(struct hold *h, struct settings *s, int option)
{
    int64_t ms;

    switch (option) {
    case 's':
        h->options.kind = MOONLATCH_READ;
        return true;
    case 'x':
        h->options.kind = MOONLATCH_WRITE;
        return true;
    case FAIR:
        h->options.kind = MOONLATCH_FAIR;
        return true;
    case PERMITS:
        return take_permits(h, optarg);
    case 'n':
        h->wait_ms = 0;
        return true;
    case 'w':
        return take_duration(optarg, 0, &h->wait_ms);
    case 'E':
        return take_code(h, optarg);
    case TTL:
        if (take_duration(optarg, 1, &ms)) {
            h->options.ttl_ms = (uint32_t)ms;
            return true;
        }
        return false;
    case LOCK_DELAY:
        if (take_duration(optarg, 0, &ms)) {
            h->options.lock_delay_ms = (uint32_t)ms;
            return true;
        }
        return false;
    case GRACE:
        return take_duration(optarg, 0, &h->grace_ms);
    case LABEL:
        s->connection.label = optarg;
        return true;
    default:
        return false;
    }
}

/* Splits what stands behind the options into what is before "--" and the command behind it. Returns
 * false, having complained, if there is not both. */
static bool split(int argc, char **argv, int first, int *dashes)
{
    *dashes = first;
    while (*dashes < argc && strcmp(argv[*dashes], "--") != 0) {
        (*dashes)++;
    }
    if (*dashes == first || *dashes + 1 >= argc) {
        complain("usage: moonlatch %s [OPTION]... NAME... -- COMMAND [ARGUMENT]...", argv[0]);
        return false;
    }
    return true;
}

static bool is_sensible(const struct hold *h)
{
    if (h->count > 1 && h->options.kind != MOONLATCH_MULTI) {
        complain("several locks at once are plain ones: without -s, -x, --fair and --permits");
        return false;
    }
    if (h->options.ttl_ms < 4 * h->grace_ms) {
        complain(
            "a lease has to be at least four times as long as the grace of a command that has to "
            "end: --ttl %lldms or more, or --grace %ums or less",
            (long long)(4 * h->grace_ms), h->options.ttl_ms / 4);
        return false;
    }
    return true;
}

static struct hold hold_by_default(const struct settings *s)
{
    return (struct hold){.settings = s,
                         .options = {.kind = MOONLATCH_MUTEX, .ttl_ms = 30000},
                         .wait_ms = MOONLATCH_FOREVER,
                         .grace_ms = 2000,
                         .not_obtained = EXIT_NOT_OBTAINED};
}

static bool read_options(struct hold *h, struct settings *s, int argc, char **argv)
{
    int option;

    while ((option = getopt_long(argc, argv, "+sxnw:E:", options, NULL)) != -1) {
        if (!take_option(h, s, option)) {
            return false;
        }
    }
    return true;
}

int lock_main(struct settings *s, int argc, char **argv)
{
    struct hold h = hold_by_default(s);
    int dashes;

    if (!read_options(&h, s, argc, argv) || !split(argc, argv, optind, &dashes)) {
        return EXIT_USAGE;
    }
    h.names = (const char *const *)argv + optind;
    h.count = (size_t)(dashes - optind);
    h.command = argv + dashes + 1;
    if (h.count > 1 && h.options.kind == MOONLATCH_MUTEX) {
        h.options.kind = MOONLATCH_MULTI;
    }
    return is_sensible(&h) ? hold_and_run(&h) : EXIT_USAGE;
}

int elect_main(struct settings *s, int argc, char **argv)
{
    struct hold h = hold_by_default(s);
    int dashes;

    if (!read_options(&h, s, argc, argv) || !split(argc, argv, optind, &dashes)) {
        return EXIT_USAGE;
    }
    if (dashes - optind != 2 || h.options.kind != MOONLATCH_MUTEX) {
        complain("usage: moonlatch elect [OPTION]... NAME VALUE -- COMMAND [ARGUMENT]...");
        return EXIT_USAGE;
    }
    h.names = (const char *const *)argv + optind;
    h.count = 1;
    h.options.kind = MOONLATCH_ELECTION;
    h.options.value = argv[optind + 1];
    h.command = argv + dashes + 1;
    return is_sensible(&h) ? hold_and_run(&h) : EXIT_USAGE;
}
