#include "replica/mark.h"

#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define NEW_NAME MARK_NAME ".new"

static const char MAGIC[8] = "MOLMARK1";

/* As it lies on the disk: in one sector, which is written whole or not at all. */
struct place {
    char magic[8];
    uint64_t version; /* The place with the higher one counts. */
    struct mark mark;
    uint64_t check; /* Of all before it. */
};

enum { PLACES = 2, PLACE_BYTES = 4096 };

_Static_assert(sizeof(struct place) == 24 + sizeof(struct mark), "a place has no gaps");
_Static_assert(sizeof(struct place) <= 512, "a place fits into a sector");

static uint64_t check(const struct place *p)
{
    return hash_keyed((struct bytes){(const char *)p, offsetof(struct place, check)}, 0, 0);
}

static bool read_place(int file, unsigned i, struct place *p)
{
    return pread(file, p, sizeof *p, (off_t)i * PLACE_BYTES) == sizeof *p &&
           memcmp(p->magic, MAGIC, sizeof p->magic) == 0 && p->check == check(p);
}

/* Returns whether there is any that is in order. */
static bool read_newest(int file, struct place *newest)
{
    bool found = false;

    for (unsigned i = 0; i < PLACES; i++) {
        struct place p;
        if (read_place(file, i, &p) && (!found || p.version > newest->version)) {
            *newest = p;
            found = true;
        }
    }
    return found;
}

static int open_file(const char *dir, const char *name, int flags)
{
    char path[PATH_MAX];
    int file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = open(path, flags | O_CLOEXEC, 0600);
    return file < 0 ? -errno : file;
}

int mark_read(const char *dir, struct mark *mark)
{
    int file = open_file(dir, MARK_NAME, O_RDONLY);
    struct place newest;
    bool found;

    if (file < 0) {
        return file;
    }
    found = read_newest(file, &newest);
    close(file);
    if (!found) {
        return -EBADMSG;
    }
    *mark = newest.mark;
    return 0;
}

void mark_close(struct mark_file *f)
{
    if (f->file >= 0) {
        close(f->file);
    }
    f->file = -1;
}

int mark_write(struct mark_file *f, const struct mark *mark, bool for_good)
{
    struct place p = {.version = f->version + 1, .mark = *mark};

    memcpy(p.magic, MAGIC, sizeof p.magic);
    p.check = check(&p);
    if (pwrite(f->file, &p, sizeof p, (off_t)(p.version % PLACES) * PLACE_BYTES) != sizeof p) {
        return errno != 0 ? -errno : -EIO;
    }
    f->version++;
    f->mark = *mark;
    return for_good && fdatasync(f->file) != 0 ? -errno : 0;
}

static int give_name(const char *dir)
{
    char path[PATH_MAX], new_path[PATH_MAX];
    int file, err;

    snprintf(path, sizeof path, "%s/" MARK_NAME, dir);
    snprintf(new_path, sizeof new_path, "%s/" NEW_NAME, dir);
    if (rename(new_path, path) != 0) {
        return -errno;
    }
    file = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) {
        return -errno;
    }
    err = fsync(file) != 0 ? -errno : 0;
    close(file);
    return err;
}

static int make_file(struct mark_file *f, const char *dir, const struct mark *first)
{
    int err;

    f->file = open_file(dir, NEW_NAME, O_RDWR | O_CREAT | O_TRUNC);
    if (f->file < 0) {
        return f->file;
    }
    err = -posix_fallocate(f->file, 0, PLACES * PLACE_BYTES);
    if (err == 0) {
        err = mark_write(f, first, true);
    }
    return err == 0 ? give_name(dir) : err;
}

int mark_open(struct mark_file *f, const char *dir, const struct mark *first)
{
    struct place newest;
    int err;

    *f = (struct mark_file){.file = open_file(dir, MARK_NAME, O_RDWR)};
    if (f->file >= 0 && read_newest(f->file, &newest)) {
        f->version = newest.version;
        f->mark = newest.mark;
        return 0;
    }
    err = f->file == -ENOENT ? make_file(f, dir, first) : f->file < 0 ? f->file : -EBADMSG;
    if (err != 0) {
        mark_close(f);
    }
    return err;
}
