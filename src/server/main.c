/* moonlatch-server: the command line. */
#include "engine/version.h"
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
           "       moonlatch-server --help | --version\n\n"
           "The file, or standard input if it is '-', has the syntax of redis.conf. What a flag\n"
           "sets takes precedence over it.\n\nOptions:\n");
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

/* Reads the settings, and runs the server unless they are only to be checked. */
static int start(size_t argc, char *const *argv, bool check_only)
{
    struct server server = {0};
    struct run r = {.server = &server, .result = -1};
    BUF_LOCAL(error);

    settings_init(&server.settings);
    if (!read_settings(&server, argc, argv, &error)) {
        fprintf(stderr, "moonlatch-server: %.*s\n", (int)error.len, error.at);
    } else if (check_only) {
        printf("The configuration is valid.\n");
        r.result = 0;
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

int main(int argc, char **argv)
{
    bool check_only = take_flag(&argc, argv, "--check-config");

    if (take_flag(&argc, argv, "--help")) {
        print_help();
        return EXIT_SUCCESS;
    }
    if (take_flag(&argc, argv, "--version")) {
        print_version();
        return EXIT_SUCCESS;
    }
    return start((size_t)argc - 1, argv + 1, check_only);
}
