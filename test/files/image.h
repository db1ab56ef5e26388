/* Images: the files of a directory, in memory, to be changed and written out again. */
#ifndef TEST_FILES_IMAGE_H
#define TEST_FILES_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IMAGE_FILES = 64, IMAGE_NAME = 96 };

struct image_file {
    char name[IMAGE_NAME];
    char *content;
    size_t len;
};

struct image {
    struct image_file file[IMAGE_FILES];
    size_t count;
};

/* Reads a directory. Of a file that is longer than it has content, the zeros at its end
 * are left out but for some. */
void image_take(struct image *i, const char *dir);

/* Makes a directory hold this and no more. */
void image_write(const struct image *i, const char *dir);

void image_copy(const struct image *from, struct image *to);
void image_clear(struct image *i);

/* Returns the place of a file, or -1. */
int image_find(const struct image *i, const char *name);

/* Replaces the content of a file, or adds it. */
void image_put(struct image *i, const char *name, const char *content, size_t len);
void image_remove(struct image *i, size_t file);

#endif
