#include "replica/identity.h"

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Below 2^31, so that all who handle them by hand or by program can. */
uint64_t identity_draw(void)
{
    uint32_t drawn;

    do {
        random_secret(&drawn, sizeof drawn);
        drawn >>= 1;
    } while (drawn == 0);
    return drawn;
}

static void path_of(const char *dir, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", dir, name);
}

int identity_read(const char *dir, struct identity *identity)
{
    char path[PATH_MAX];
    FILE *file;
    int fields, joined = 0;

    path_of(dir, "identity", path);
    file = fopen(path, "re");
    if (file == NULL) {
        return -errno;
    }
    fields =
        fscanf(file, "moonlatch 1\nid %" SCNu64 "\ngroup %" SCNu64 "\njoined %d\naddress %269s",
               &identity->id, &identity->group, &joined, identity->address);
    fclose(file);
    identity->has_joined = joined != 0;
    return fields == 4 && identity->id != 0 && identity->group != 0 ? 0 : -EBADMSG;
}

static int write_file(const char *path, const struct identity *identity)
{
    char text[512];
    int len = snprintf(text, sizeof text,
                       "moonlatch 1\nid %" PRIu64 "\ngroup %" PRIu64 "\njoined %d\naddress %s\n",
                       identity->id, identity->group, identity->has_joined, identity->address);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err = 0;

    if (file < 0) {
        return -errno;
    }
    if (write(file, text, (size_t)len) != len || fsync(file) != 0) {
        err = errno == 0 ? -EIO : -errno;
    }
    close(file);
    return err;
}

/* A new name is on the disk when its directory is. */
static int sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err;

    if (fd < 0) {
        return -errno;
    }
    err = fsync(fd) != 0 ? -errno : 0;
    close(fd);
    return err;
}

static int move(const char *dir, const char *from, const char *to)
{
    char path[PATH_MAX], to_path[PATH_MAX];

    path_of(dir, from, path);
    path_of(dir, to, to_path);
    return rename(path, to_path) != 0 ? -errno : sync_dir(dir);
}

static int replace(const char *dir, const char *name, const struct identity *identity)
{
    char path[PATH_MAX];
    int err;

    path_of(dir, "identity.new", path);
    err = write_file(path, identity);
    return err == 0 ? move(dir, "identity.new", name) : err;
}

int identity_write(const char *dir, const struct identity *identity)
{
    return replace(dir, "identity", identity);
}

int identity_write_next(const char *dir, const struct identity *identity)
{
    return replace(dir, "identity.next", identity);
}

bool identity_is_to_come(const char *dir)
{
    char path[PATH_MAX];

    path_of(dir, "identity.next", path);
    return access(path, F_OK) == 0;
}

int identity_has_come(const char *dir)
{
    return move(dir, "identity.next", "identity");
}
