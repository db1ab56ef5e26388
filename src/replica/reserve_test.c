#include "replica/reserve.h"

#include "test/lib/check.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 1024 * 1024 };

typedef int reserve_function(int fd, off_t offset, off_t len);

/* As the dynamic linker gives it to libraft. */
static reserve_function *reserve_of_libraft(void)
{
    return (reserve_function *)dlsym(RTLD_DEFAULT, "posix_fallocate");
}

static int open_file(void)
{
    char name[] = "reserve-XXXXXX";
    int fd = mkstemp(name);

    CHECK(fd >= 0);
    unlink(name);
    return fd;
}

/* Returns how many extents have never been written; -1 if the file system does not tell. */
static int count_unwritten(int fd)
{
    enum { EXTENTS = 16 };
    struct fiemap *map = calloc(1, sizeof *map + EXTENTS * sizeof *map->fm_extents);
    int count = 0;

    CHECK(map != NULL);
    map->fm_length = SIZE;
    map->fm_flags = FIEMAP_FLAG_SYNC;
    map->fm_extent_count = EXTENTS;
    if (ioctl(fd, FS_IOC_FIEMAP, map) != 0) {
        count = -1;
    }
    for (unsigned i = 0; count >= 0 && i < map->fm_mapped_extents; i++) {
        count += (map->fm_extents[i].fe_flags & FIEMAP_EXTENT_UNWRITTEN) != 0;
    }
    free(map);
    return count;
}

TEST(libraft_gets_its_room_from_here)
{
    Dl_info theirs, ours;

    CHECK(dladdr((void *)reserve_of_libraft(), &theirs) != 0);
    CHECK(dladdr((void *)reserve_with_zeros, &ours) != 0);
    CHECK(theirs.dli_fbase == ours.dli_fbase);
}

TEST(what_is_reserved_is_there_and_written_if_that_is_wanted)
{
    for (int zeros = 0; zeros <= 1; zeros++) {
        struct stat status;
        int fd = open_file();

        reserve_with_zeros(zeros);
        CHECK(reserve_of_libraft()(fd, 0, SIZE - 1) == 0);
        CHECK(fstat(fd, &status) == 0);
        CHECK(status.st_size == SIZE - 1);
        CHECK(status.st_blocks * 512 >= SIZE - 1);
        CHECK(!zeros || count_unwritten(fd) <= 0);
        close(fd);
    }
}

TEST(it_fails_as_the_original_does)
{
    int fd = open_file();

    close(fd);
    CHECK(reserve_of_libraft()(fd, 0, SIZE) == EBADF);
}

int main(void)
{
    return RUN(libraft_gets_its_room_from_here,
               what_is_reserved_is_there_and_written_if_that_is_wanted,
               it_fails_as_the_original_does);
}
