#include "replica/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

enum { PIECE = 256 * 1024 };

/* libraft calls from threads of libuv's. */
static atomic_bool writes_zeros;

void reserve_with_zeros(bool zeros)
{
    writes_zeros = zeros;
}

static int write_piece(int fd, off_t offset, size_t len)
{
    static const char zeros[PIECE];
    ssize_t written;

    do {
        written = pwrite(fd, zeros, len, offset);
    } while (written < 0 && errno == EINTR);
    if (written < 0) {
        return errno;
    }
    return (size_t)written < len ? ENOSPC : 0;
}

/* Waits for each piece, so that the entries that are written meanwhile never wait for
 * many. What is written later goes past the page cache. */
static int write_zeros(int fd, off_t offset, off_t len)
{
    int err = 0;

    for (off_t at = offset; err == 0 && at < offset + len; at += PIECE) {
        off_t rest = offset + len - at;

        err = write_piece(fd, at, (size_t)(rest < PIECE ? rest : PIECE));
        if (err == 0 && fdatasync(fd) != 0) {
            err = errno;
        }
    }
    posix_fadvise(fd, offset, len, POSIX_FADV_DONTNEED);
    return err;
}

/* The name is given here, since <fcntl.h> may have another one in its place. */
int reserve(int fd, off_t offset, off_t len) __asm__("posix_fallocate");

/* Returns 0 or an errno value, as the C library's function. */
int reserve(int fd, off_t offset, off_t len)
{
    int err = fallocate(fd, 0, offset, len) == 0 ? 0 : errno;

    if (err == EOPNOTSUPP || (err == 0 && writes_zeros)) {
        return write_zeros(fd, offset, len);
    }
    return err;
}
