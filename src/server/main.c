/* moonlatch-server: the command line. */
#include "engine/version.h"
#include "server/check.h"
#include "server/config_file.h"
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>

static void print_version(void)
{
    printf("Moonlatch server v=%s redis=%s\n", MOONLATCH_VERSION, REDIS_VERSION);
}

static void print_option(const struct option *o)
{
    printf("  --%s", o->name);
    if (o->alias != NULL) {
        printf(", --%s", o->alias);
    }
    printf("\n      %s. Initially '%s'.\n", o->summary, o->initial);
}

static void print_help(void)
{
    printf("Usage: moonlatch-server [config-file] [--NAME VALUE ...]\n"
           "       moonlatch-server --check-config [config-file] [--NAME VALUE ...]\n"
           "       moonlatch-server --check DIR [config-file] [--NAME VALUE ...]\n"
           "       moonlatch-server --export FILE.rdb DIR [config-file] [--NAME VALUE ...]\n"
           "       moonlatch-server --help | --version\n\n"
           "The file, or standard input if it is '-', has the syntax of redis.conf. What a flag\n"
           "sets takes precedence over it.\n\n"
           "--check tells whether the directory of a server that does not run is in order, and\n"
           "what is in it; --export writes that to a file that redis-server can load. DIR is the\n"
           "server's working directory, or the one of its log.\n\nOptions:\n");
    for (size_t i = 0; i < options_count; i++) {
        if (options[i].summary != NULL) {
            print_option(&options[i]);
        }
    }
    printf("\nAccepted without effect, since files for Redis contain them:\n");
    for (size_t i = 0; i < options_count; i++) {
        if (options[i].summary == NULL) {
            printf("  %s\n", options[i].name);
        }
    }
}

/* Reads the file, if there is one, and the flags. */
static bool read_settings(struct server *s, size_t argc, char *const *argv, struct buf *error)
{
    bool has_file = argc > 0 && (argv[0][0] != '-' || strcmp(argv[0], "-") == 0);
    char *path;

    if (has_file && !config_read_file(&s->settings, argv[0], error)) {
        return false;
    }
    if (has_file && (path = realpath(argv[0], NULL)) != NULL) {
        buf_add(&s->config_file, bytes_of(path));
        free(path);
    }
    return config_read_flags(&s->settings, argc - has_file, argv + has_file, error);
}

struct run {
    struct server *server;
    int result;
};

static void run(void *context)
{
    struct run *r = context;

    r->result = server_run(r->server);
}

/* What is to be done instead of running a server. */
struct errand {
    bool checks_settings;
    const char *dir;  /* The directory that is to be looked at; NULL: none is. */
    const char *file; /* Where to its data are to be written; NULL: nowhere. */
};

static int run_errand(const struct settings *settings, const struct errand *errand)
{
    if (errand->dir != NULL) {
        return check_directory(settings, errand->dir, errand->file) ? 0 : -1;
    }
    printf("The configuration is valid.\n");
    return 0;
}

/* Reads the settings, and runs the server unless there is an errand. */
static int start(size_t argc, char *const *argv, const struct errand *errand)
{
    struct server server = {0};
    struct run r = {.server = &server, .result = -1};
    BUF_LOCAL(error);

    settings_init(&server.settings);
    if (!read_settings(&server, argc, argv, &error)) {
        fprintf(stderr, "moonlatch-server: %.*s\n", (int)error.len, error.at);
    } else if (errand->checks_settings || errand->dir != NULL) {
        r.result = run_errand(&server.settings, errand);
    } else {
        script_run_on_guarded_stack(run, &r);
    }
    settings_clear(&server.settings);
    buf_clear(&server.config_file);
    return r.result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Takes a flag that is no option out of the arguments. Returns whether it was there. */
static bool take_flag(int *argc, char **argv, const char *flag)
{
    int kept = 1;
    bool found;

    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], flag) != 0) {
            argv[kept++] = argv[i];
        }
    }
    found = kept < *argc;
    *argc = kept;
    return found;
}

/* Takes a flag and the arguments behind it, if they come first. Returns whether they do. */
static bool take_first(int *argc, char **argv, const char *flag, int count, const char **arguments)
{
    if (*argc < 2 + count || strcmp(argv[1], flag) != 0) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        arguments[i] = argv[2 + i];
    }
    *argc -= 1 + count;
    memmove(argv + 1, argv + 2 + count, (size_t)*argc * sizeof *argv);
    return true;
}

static struct errand take_errand(int *argc, char **argv)
{
    struct errand errand = {0};
    const char *arguments[2];

    if (take_first(argc, argv, "--check", 1, arguments)) {
        errand.dir = arguments[0];
    } else if (take_first(argc, argv, "--export", 2, arguments)) {
        errand.file = arguments[0];
        errand.dir = arguments[1];
    }
    errand.checks_settings = take_flag(argc, argv, "--check-config");
    return errand;
}

int main(int argc, char **argv)
{
    struct errand errand = take_errand(&argc, argv);

    if (take_flag(&argc, argv, "--help")) {
        print_help();
        return EXIT_SUCCESS;
    }
    if (take_flag(&argc, argv, "--version")) {
        print_version();
        return EXIT_SUCCESS;
    }
    return start((size_t)argc - 1, argv + 1, &errand);
}
