#include "cli/cli.h"
#include "cli/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads a whole file, which ends in a zero byte then. Returns NULL, having complained, if it cannot
 * be read. */
static char *read_file(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    ssize_t len = file != NULL ? getdelim(&text, &size, '\0', file) : -1;

    if (len < 0 && (file == NULL || ferror(file))) {
        complain("cannot read '%s': %s", path, strerror(errno));
        free(text);
        text = NULL;
    } else if (len < 0) {
        free(text);
        text = strdup("");
    }
    if (file != NULL && file != stdin) {
        fclose(file);
    }
    return text;
}

/* "KEY... , ARGUMENT...": returns how many keys there are, and how many words the comma takes. */
static size_t count_keys(int argc, char **argv, size_t *comma)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], ",") == 0) {
            *comma = 1;
            return (size_t)i;
        }
    }
    *comma = 0;
    return (size_t)argc;
}

static int tell(moonlatch *session, moonlatch_status status, moonlatch_reply *reply)
{
    int code = EXIT_SUCCESS;

    if (status != MOONLATCH_OK) {
        code = fail_with(session, status);
        return status == MOONLATCH_ERROR ? EXIT_FAILURE : code;
    }
    print_reply(reply);
    moonlatch_reply_free(reply);
    return code;
}

static int run(struct settings *s, int argc, char **argv,
               moonlatch_status (*call)(moonlatch *session, const char *script, size_t keys,
                                        char **key, size_t args, char **arg,
                                        moonlatch_reply **reply))
{
    moonlatch *session;
    moonlatch_reply *reply = NULL;
    moonlatch_status status;
    size_t keys, comma;
    char *script;
    int code;

    if (argc < 2) {
        complain("usage: moonlatch %s FILE [KEY]... [, ARGUMENT...]", argv[0]);
        return EXIT_USAGE;
    }
    script = read_file(argv[1]);
    session = script != NULL ? open_session(s) : NULL;
    if (session == NULL) {
        free(script);
        return EXIT_USAGE;
    }
    keys = count_keys(argc - 2, argv + 2, &comma);
    status = call(session, script, keys, argv + 2, (size_t)argc - 2 - keys - comma,
                  argv + 2 + keys + comma, &reply);
    code = tell(session, status, reply);
    moonlatch_close(session);
    free(script);
    return code;
}

static moonlatch_status eval(moonlatch *session, const char *script, size_t keys, char **key,
                             size_t args, char **arg, moonlatch_reply **reply)
{
    return moonlatch_eval(session, script, keys, (const char *const *)key, args,
                          (const char *const *)arg, NULL, reply);
}

int eval_main(struct settings *s, int argc, char **argv)
{
    return run(s, argc, argv, eval);
}

static moonlatch_status dryrun(moonlatch *session, const char *script, size_t keys, char **key,
                               size_t args, char **arg, moonlatch_reply **reply)
{
    enum { BEFORE = 4 };
    const char **words = calloc(BEFORE + keys + args, sizeof *words);
    char count[24];
    moonlatch_status status;

    if (words == NULL) {
        return MOONLATCH_MEMORY;
    }
    snprintf(count, sizeof count, "%zu", keys);
    words[0] = "SCRIPT";
    words[1] = "DRYRUN";
    words[2] = script;
    words[3] = count;
    memcpy(words + BEFORE, key, keys * sizeof *words);
    memcpy(words + BEFORE + keys, arg, args * sizeof *words);
    status = moonlatch_command(session, BEFORE + keys + args, words, NULL, reply);
    free(words);
    return status;
}

int dryrun_main(struct settings *s, int argc, char **argv)
{
    return run(s, argc, argv, dryrun);
}

int ping_main(struct settings *s, int argc, char **argv)
{
    moonlatch *session;
    moonlatch_status status;
    int code = EXIT_SUCCESS;

    if (argc > 1) {
        complain("usage: moonlatch %s", argv[0]);
        return EXIT_USAGE;
    }
    session = open_session(s);
    if (session == NULL) {
        return EXIT_USAGE;
    }
    status = moonlatch_ping(session);
    if (status != MOONLATCH_OK) {
        code = fail_with(session, status);
    } else if (!s->is_quiet) {
        printf("PONG\n");
    }
    moonlatch_close(session);
    return code;
}
