#include "test/files/image.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 512, ZEROS_LEFT = 8192 };

int image_find(const struct image *i, const char *name)
{
    for (size_t k = 0; k < i->count; k++) {
        if (strcmp(i->file[k].name, name) == 0) {
            return (int)k;
        }
    }
    return -1;
}

void image_put(struct image *i, const char *name, const char *content, size_t len)
{
    int at = image_find(i, name);
    struct image_file *f;

    if (at < 0) {
        assert(i->count < IMAGE_FILES);
        at = (int)i->count++;
        i->file[at] = (struct image_file){0};
        snprintf(i->file[at].name, IMAGE_NAME, "%s", name);
    }
    f = &i->file[at];
    f->content = realloc(f->content, len + 1);
    memmove(f->content, content, len);
    f->len = len;
}

void image_remove(struct image *i, size_t file)
{
    free(i->file[file].content);
    i->count--;
    memmove(&i->file[file], &i->file[file + 1], (i->count - file) * sizeof i->file[0]);
}

static size_t without_zeros(const char *content, size_t len)
{
    size_t used = len;

    while (used > 0 && content[used - 1] == 0) {
        used--;
    }
    return len - used > ZEROS_LEFT ? used + ZEROS_LEFT : len;
}

static void take_file(struct image *i, const char *dir, const char *name)
{
    char path[PATH];
    struct stat status;
    char *content;
    int file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = open(path, O_RDONLY | O_CLOEXEC);
    assert(file >= 0 && fstat(file, &status) == 0);
    content = malloc((size_t)status.st_size + 1);
    assert(read(file, content, (size_t)status.st_size) == status.st_size);
    close(file);
    image_put(i, name, content, without_zeros(content, (size_t)status.st_size));
    free(content);
}

void image_take(struct image *i, const char *dir)
{
    DIR *listing = opendir(dir);
    struct dirent *entry;

    *i = (struct image){0};
    assert(listing != NULL);
    while ((entry = readdir(listing)) != NULL) {
        if (entry->d_name[0] != '.') {
            take_file(i, dir, entry->d_name);
        }
    }
    closedir(listing);
}

static void empty_dir(const char *dir)
{
    DIR *listing = opendir(dir);
    struct dirent *entry;
    char path[PATH];

    while ((entry = readdir(listing)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    closedir(listing);
}

void image_write(const struct image *i, const char *dir)
{
    char path[PATH];

    empty_dir(dir);
    for (size_t k = 0; k < i->count; k++) {
        int file;
        snprintf(path, sizeof path, "%s/%s", dir, i->file[k].name);
        file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert(file >= 0);
        assert(write(file, i->file[k].content, i->file[k].len) == (ssize_t)i->file[k].len);
        close(file);
    }
}

void image_copy(const struct image *from, struct image *to)
{
    *to = (struct image){0};
    for (size_t k = 0; k < from->count; k++) {
        image_put(to, from->file[k].name, from->file[k].content, from->file[k].len);
    }
}

void image_clear(struct image *i)
{
    while (i->count > 0) {
        image_remove(i, i->count - 1);
    }
}
