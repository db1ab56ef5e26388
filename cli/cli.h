/* What the parts of the program share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "moonlatch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses, beside those of the command that is run; as env(1), flock(1) and timeout(1). */
enum {
    EXIT_LOST = 122,        /* The lock was lost, and the command was ended. */
    EXIT_UNREACHABLE = 123, /* No server answers. */
    EXIT_NOT_OBTAINED = 124,
    EXIT_USAGE = 125, /* It itself fails in another way: what it was asked for makes no sense. */
};

/* Options that stand before the subcommand. */
struct settings {
    struct moonlatch_options connection;
    bool is_quiet;
    bool is_json;
};

struct subcommand {
    const char *name;
    const char *usage; /* What stands behind the name, and then what it does. */
    int (*run)(struct settings *s, int argc, char **argv);
};

/* A line on the standard error output, with the program's name. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* Opens a session, or complains. Returns NULL then. */
moonlatch *open_session(const struct settings *s);

/* Complains about what a call on a session has returned. Returns the exit status for it. */
int fail_with(const moonlatch *session, moonlatch_status status);

/* Reads "500ms", "30s", "2m", "1h", or seconds, with a fraction. Returns false if it is none. */
bool read_duration(const char *text, int64_t *ms);

/* Reads a whole number of 0 to `most`. */
bool read_number(const char *text, uint64_t most, uint64_t *number);

/* Writes a time in words: "850 ms", "12 s", "3 min". */
const char *tell_duration(int64_t ms, char out[32]);

int lock_main(struct settings *s, int argc, char **argv);
int elect_main(struct settings *s, int argc, char **argv);
int wait_main(struct settings *s, int argc, char **argv);
int status_main(struct settings *s, int argc, char **argv);
int release_main(struct settings *s, int argc, char **argv);
int eval_main(struct settings *s, int argc, char **argv);
int dryrun_main(struct settings *s, int argc, char **argv);
int ping_main(struct settings *s, int argc, char **argv);

#endif
