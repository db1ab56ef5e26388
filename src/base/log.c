#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

static enum log_level lowest = LOG_NOTICE;
static FILE *file;

void log_set_level(enum log_level level)
{
    lowest = level;
}

int log_set_file(const char *path)
{
    FILE *opened = NULL;

    if (path[0] != '\0') {
        opened = fopen(path, "ae");
        if (opened == NULL) {
            return -errno;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    file = opened;
    return 0;
}

static void write_line(enum log_level level, char *text, size_t len)
{
    FILE *out = file != NULL ? file : stdout;
    struct timeval now;
    struct tm local;
    char date[64];

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 127) {
            text[i] = '?';
        }
    }
    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &local);
    strftime(date, sizeof date, "%d %b %Y %H:%M:%S", &local);
    fprintf(out, "%d:M %s.%03d %c %.*s\n", (int)getpid(), date, (int)(now.tv_usec / 1000),
            ".-*#"[level], (int)len, text);
    fflush(out);
}

void log_write(enum log_level level, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;
    int len;

    if (level < lowest) {
        return;
    }
    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_line(level, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

void log_bytes(enum log_level level, struct bytes text)
{
    char copy[LINE_MAX_BYTES];

    if (level < lowest) {
        return;
    }
    bytes_to_string(text, copy, sizeof copy);
    write_line(level, copy, text.len < sizeof copy ? text.len : sizeof copy - 1);
}
