#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void complain(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "moonlatch: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
}

moonlatch *open_session(const struct settings *s)
{
    moonlatch *session;
    moonlatch_status status = moonlatch_open(&session, &s->connection);

    if (status != MOONLATCH_OK) {
        complain("%s", moonlatch_status_text(status));
        return NULL;
    }
    return session;
}

int fail_with(const moonlatch *session, moonlatch_status status)
{
    const char *message = moonlatch_message(session);

    complain("%s%s%s", moonlatch_status_text(status), message[0] != '\0' ? ": " : "", message);
    switch (status) {
    case MOONLATCH_ARGUMENT:
    case MOONLATCH_DENIED:
    case MOONLATCH_ERROR:
    case MOONLATCH_MEMORY:
        return EXIT_USAGE;
    case MOONLATCH_LOST:
        return EXIT_LOST;
    case MOONLATCH_BUSY:
    case MOONLATCH_FULL:
    case MOONLATCH_DEADLOCK:
    case MOONLATCH_LIMIT:
        return EXIT_NOT_OBTAINED;
    default:
        return EXIT_UNREACHABLE;
    }
}

bool read_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
    char *end;
    double number = strtod(text, &end);

    if (end == text || !(number >= 0)) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].name) == 0 && number * units[i].ms < 1e15) {
            *ms = (int64_t)ceil(number * units[i].ms);
            return true;
        }
    }
    return false;
}

bool read_number(const char *text, uint64_t most, uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *number <= most;
}

const char *tell_duration(int64_t ms, char out[32])
{
    if (ms < 1000) {
        snprintf(out, 32, "%lld ms", (long long)ms);
    } else if (ms < 120 * 1000) {
        snprintf(out, 32, "%lld s", (long long)ms / 1000);
    } else {
        snprintf(out, 32, "%lld min", (long long)ms / 60000);
    }
    return out;
}
