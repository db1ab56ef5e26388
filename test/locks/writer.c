/* What a command under a lock does in the tests of `moonlatch lock`: it appends a line with its
 * token and the monotonic time to a file, again and again, until it is ended or so many
 * milliseconds have passed. With "away" it does so in a process of another session, whose parent
 * has gone. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void go_away(void)
{
    if (fork() != 0) {
        sleep(60);
        _exit(0);
    }
    setsid();
    if (fork() != 0) {
        _exit(0);
    }
}

int main(int argc, char **argv)
{
    enum { PAUSE_US = 5000 };
    const char *token = getenv("MOONLATCH_LOCK_TOKEN");
    long long until_us;
    int file;

    if (argc < 3 || token == NULL) {
        return 2;
    }
    if (argc > 3 && strcmp(argv[3], "away") == 0) {
        go_away();
    }
    file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
    until_us = now_us() + atoll(argv[2]) * 1000;
    while (file >= 0 && now_us() < until_us) {
        if (dprintf(file, "%s %lld\n", token, now_us()) < 0) {
            return 3;
        }
        usleep(PAUSE_US);
    }
    return file >= 0 ? 0 : 3;
}
