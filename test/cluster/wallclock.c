/* A wall clock that can be set for one process: loaded before the C library, it adds to
 * what CLOCK_REALTIME says the nanoseconds at the beginning of the file that
 * MOONLATCH_WALLCLOCK_FILE names. Other clocks are left alone. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NS = 1000 * 1000 * 1000, NS_PER_US = 1000 };

static const volatile int64_t *offset_ns;
static int (*real_clock_gettime)(clockid_t id, struct timespec *t);

__attribute__((constructor)) static void open_offset(void)
{
    const char *path = getenv("MOONLATCH_WALLCLOCK_FILE");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0) {
        return;
    }
    map = mmap(NULL, sizeof *offset_ns, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) {
        offset_ns = map;
    }
}

static void move(struct timespec *t)
{
    int64_t ns = t->tv_nsec + (offset_ns != NULL ? *offset_ns : 0);

    t->tv_sec += ns / NS;
    t->tv_nsec = ns % NS;
    if (t->tv_nsec < 0) {
        t->tv_nsec += NS;
        t->tv_sec--;
    }
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    int result;

    if (real_clock_gettime == NULL) {
        *(void **)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    }
    result = real_clock_gettime(id, t);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        move(t);
    }
    return result;
}

int gettimeofday(struct timeval *tv, void *zone)
{
    struct timespec t;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &t) != 0) {
        return -1;
    }
    *tv = (struct timeval){t.tv_sec, t.tv_nsec / NS_PER_US};
    return 0;
}

time_t time(time_t *out)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    if (out != NULL) {
        *out = t.tv_sec;
    }
    return t.tv_sec;
}
