#include "replica/manifest.h"

#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[8] = "MOLSNAP1";

struct encoded {
    char magic[8];
    struct manifest manifest;
    uint64_t check; /* Of all before it. */
};

_Static_assert(sizeof(struct encoded) == MANIFEST_SIZE, "a manifest has no gaps");

static uint64_t check(const struct encoded *e)
{
    return hash_keyed((struct bytes){(const char *)e, offsetof(struct encoded, check)}, 0, 0);
}

void manifest_write(const struct manifest *m, void *out)
{
    struct encoded e = {.manifest = *m};

    memcpy(e.magic, MAGIC, sizeof e.magic);
    e.check = check(&e);
    memcpy(out, &e, sizeof e);
}

bool manifest_read(struct bytes text, struct manifest *m)
{
    struct encoded e;

    if (text.len != sizeof e) {
        return false;
    }
    memcpy(&e, text.at, sizeof e);
    if (memcmp(e.magic, MAGIC, sizeof e.magic) != 0 || e.check != check(&e)) {
        return false;
    }
    *m = e.manifest;
    return true;
}

void manifest_name(uint64_t index, char name[MANIFEST_NAME])
{
    snprintf(name, MANIFEST_NAME, "data-%020" PRIu64 ".rdb", index);
}

bool manifest_name_read(const char *name, uint64_t *index)
{
    char again[MANIFEST_NAME];

    if (sscanf(name, "data-%20" SCNu64 ".rdb", index) != 1) {
        return false;
    }
    manifest_name(*index, again);
    return strcmp(name, again) == 0;
}

/* An RDB file ends with the CRC of all before it. */
static int read_end(int file, struct manifest *m)
{
    struct stat status;

    if (fstat(file, &status) != 0) {
        return -errno;
    }
    if ((size_t)status.st_size <= sizeof m->checksum) {
        return -EBADMSG;
    }
    m->size = (uint64_t)status.st_size;
    if (pread(file, &m->checksum, sizeof m->checksum, status.st_size - (off_t)sizeof m->checksum) !=
        sizeof m->checksum) {
        return -EIO;
    }
    return 0;
}

int manifest_of_file(const char *path, struct manifest *m)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    int err;

    if (file < 0) {
        return -errno;
    }
    err = read_end(file, m);
    close(file);
    return err;
}
