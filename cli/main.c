#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct subcommand subcommands[] = {
    {"lock",
     "[OPTION]... NAME... -- COMMAND [ARGUMENT]...\n    Runs a command while it holds a lock.",
     lock_main},
    {"elect",
     "[OPTION]... NAME VALUE -- COMMAND [ARGUMENT]...\n    Runs a command while it leads, and "
     "tells others VALUE.",
     elect_main},
    {"wait", "[OPTION]... NAME\n    Waits until nobody holds a lock.", wait_main},
    {"status", "[NAME]...\n    Tells who holds locks, and who waits for them.", status_main},
    {"release", "--token TOKEN NAME\n    Takes a lock away from its holder.", release_main},
    {"eval", "FILE [KEY]... [, ARGUMENT...]\n    Runs a script.", eval_main},
    {"dryrun", "FILE [KEY]... [, ARGUMENT...]\n    Tells what a script would reply and change.",
     dryrun_main},
    {"ping", "\n    Asks a server whether it is there.", ping_main},
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

static void help(void)
{
    printf("Usage: moonlatch [OPTION]... SUBCOMMAND ...\n\n");
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        printf("  moonlatch %s %s\n", subcommands[i].name, subcommands[i].usage);
    }
    printf(
        "\n"
        "  -h, --servers HOST:PORT[,...]  where they are; else $MOONLATCH_SERVERS, or "
        "127.0.0.1:6379\n"
        "      --sentinel NAME            the servers are sentinels, asked for this name's leader\n"
        "      --user NAME                with $MOONLATCH_PASSWORD, or\n"
        "      --password-file FILE       the first line of a file\n"
        "      --timeout DURATION         for one request with its repetitions (5s)\n"
        "  -q, --quiet                    no messages but errors\n"
        "      --help, --version\n\n"
        "A DURATION is 500ms, 30s, 2m, 1h, or a number of seconds. `moonlatch SUBCOMMAND --help` "
        "tells "
        "more.\n");
}

static bool read_password(struct settings *s, const char *path)
{
    static char line[1024];
    FILE *file = fopen(path, "re");

    if (file == NULL || fgets(line, sizeof line, file) == NULL) {
        complain("cannot read a password from '%s'", path);
        return false;
    }
    fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    s->connection.password = line;
    return true;
}

enum { SENTINEL = 256, USER, PASSWORD_FILE, TIMEOUT, HELP, VERSION };

static const struct option options[] = {
    {"servers", required_argument, NULL, 'h'},
    {"sentinel", required_argument, NULL, SENTINEL},
    {"user", required_argument, NULL, USER},
    {"password-file", required_argument, NULL, PASSWORD_FILE},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {0},
};

/* Returns false if there is something wrong with an option, which has been told. */
static bool take_option(struct settings *s, int option)
{
    int64_t ms;

    switch (option) {
    case 'h':
        s->connection.servers = optarg;
        return true;
    case 'q':
        s->is_quiet = true;
        return true;
    case SENTINEL:
        s->connection.sentinel = optarg;
        return true;
    case USER:
        s->connection.username = optarg;
        return true;
    case PASSWORD_FILE:
        return read_password(s, optarg);
    case TIMEOUT:
        if (!read_duration(optarg, &ms) || ms == 0 || ms > UINT32_MAX) {
            complain("'%s' is no duration", optarg);
            return false;
        }
        s->connection.request_ms = (uint32_t)ms;
        return true;
    default:
        return false;
    }
}

static const struct subcommand *find(const char *name)
{
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(subcommands[i].name, name) == 0) {
            return &subcommands[i];
        }
    }
    return NULL;
}

static int run(struct settings *s, int argc, char **argv)
{
    const struct subcommand *subcommand = find(argv[0]);

    if (subcommand == NULL) {
        complain("there is no subcommand '%s'; `moonlatch --help` lists them", argv[0]);
        return EXIT_USAGE;
    }
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        printf("Usage: moonlatch %s %s\n", subcommand->name, subcommand->usage);
        printf("More is told by `man moonlatch-%s` or `man moonlatch`.\n", subcommand->name);
        return EXIT_SUCCESS;
    }
    optind = 0; /* getopt() begins anew. */
    return subcommand->run(s, argc, argv);
}

int main(int argc, char **argv)
{
    struct settings s = {0};
    int option;

    while ((option = getopt_long(argc, argv, "+h:q", options, NULL)) != -1) {
        if (option == HELP) {
            help();
            return EXIT_SUCCESS;
        }
        if (option == VERSION) {
            printf("moonlatch " MOONLATCH_VERSION "\n");
            return EXIT_SUCCESS;
        }
        if (!take_option(&s, option)) {
            return EXIT_USAGE;
        }
    }
    if (optind == argc) {
        help();
        return EXIT_USAGE;
    }
    return run(&s, argc - optind, argv + optind);
}
