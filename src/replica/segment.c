#include "replica/segment.h"

#include "replica/crc32.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t FORMAT = 1;

/* A batch: two checksums, the number of entries, a header for each, and their data. */
enum {
    CHECKSUMS = 2 * sizeof(uint32_t),
    COUNT = sizeof(uint64_t),
    ENTRY = 16,
    FIRST = sizeof FORMAT, /* Where the first batch is. */
};

struct header {
    uint64_t term;
    uint8_t type;
    uint8_t unused[3];
    uint32_t len;
};

_Static_assert(sizeof(struct header) == ENTRY, "a header has no gaps");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are read as they are");

/* As libraft takes them: it is not strict about leading zeros. */
bool segment_read_name(const char *name, struct segment *s)
{
    unsigned long long first, last;
    int end = 0;

    *s = (struct segment){0};
    if (strlen(name) >= sizeof s->name) {
        return false;
    }
    strcpy(s->name, name);
    if (sscanf(name, "%16llu-%16llu%n", &first, &last, &end) == 2 && name[end] == '\0') {
        s->first = first;
        s->last = last;
        return true;
    }
    if (sscanf(name, "open-%llu%n", &first, &end) == 1 && name[end] == '\0') {
        s->is_open = true;
        s->number = first;
        return true;
    }
    return false;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int segment_compare(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;

    if (x->is_open != y->is_open) {
        return x->is_open ? 1 : -1;
    }
    if (x->is_open) {
        return compare_numbers(x->number, y->number);
    }
    return x->first != y->first ? compare_numbers(x->first, y->first)
                                : compare_numbers(x->last, y->last);
}

/* What was never written is not read: most of an open segment is not there at all. */
static int read_written(int file, char *content, size_t len)
{
    off_t at = 0;

    while ((size_t)at < len && (at = lseek(file, at, SEEK_DATA)) >= 0) {
        off_t hole = lseek(file, at, SEEK_HOLE);
        size_t end = hole < 0 || (size_t)hole > len ? len : (size_t)hole;
        while ((size_t)at < end) {
            ssize_t count = pread(file, content + at, end - (size_t)at, at);
            if (count < 0 && errno != EINTR) {
                return -errno;
            }
            if (count == 0) {
                return 0;
            }
            at += count > 0 ? count : 0;
        }
    }
    return at >= 0 || errno == ENXIO ? 0 : -errno;
}

int segment_open(struct segment *s, const char *dir)
{
    char path[PATH_MAX];
    struct stat status;
    int file, err;

    snprintf(path, sizeof path, "%s/%s", dir, s->name);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return -errno;
    }
    if (fstat(file, &status) != 0) {
        err = -errno;
        close(file);
        return err;
    }
    if (s->is_open) { /* What the kernel reads ahead would count as written. */
        posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
    }
    s->len = (size_t)status.st_size;
    s->at = FIRST;
    s->content = calloc(1, s->len + 1);
    err = s->content == NULL ? -ENOMEM : read_written(file, s->content, s->len);
    close(file);
    if (err != 0) {
        segment_close(s);
    }
    return err;
}

void segment_close(struct segment *s)
{
    free(s->content);
    s->content = NULL;
    s->len = 0;
}

bool segment_is_blank_from(const struct segment *s, size_t offset)
{
    const char *at = s->content + offset;
    size_t len = offset < s->len ? s->len - offset : 0;

    return len == 0 || (at[0] == 0 && memcmp(at, at + 1, len - 1) == 0);
}

static uint64_t read_number(const char *at)
{
    uint64_t number;

    memcpy(&number, at, sizeof number);
    return number;
}

static struct header header_at(const struct segment_batch *b, unsigned i)
{
    struct header h;

    memcpy(&h, b->headers + (size_t)i * ENTRY, sizeof h);
    return h;
}

/* What is none is seen by this long before the checksum of what it says were there. */
static bool is_header(const struct header *h)
{
    static const uint8_t unused[sizeof h->unused];

    return h->type >= 1 && h->type <= 3 && h->len % 8 == 0 &&
           memcmp(h->unused, unused, sizeof unused) == 0;
}

/* Finds where the parts of a batch are, as it says itself. */
static const char *measure(const struct segment *s, size_t at, struct segment_batch *b)
{
    size_t left = s->len - at;
    uint64_t count;

    if (left < CHECKSUMS + COUNT) {
        return "it ends in the middle of a batch of entries";
    }
    count = read_number(s->content + at + CHECKSUMS);
    left -= CHECKSUMS + COUNT;
    if (count == 0) {
        return "a batch has no entries";
    }
    if (count > left / ENTRY) {
        return "a batch announces more entries than there is room for";
    }
    *b = (struct segment_batch){
        .at = at, .count = (unsigned)count, .headers = s->content + at + CHECKSUMS + COUNT};
    b->data.at = b->headers + count * ENTRY;
    left -= count * ENTRY;
    for (unsigned i = 0; i < b->count; i++) {
        struct header h = header_at(b, i);
        if (!is_header(&h)) {
            return "the head of a batch makes no sense";
        }
        b->data.len += h.len;
        if (b->data.len > left) {
            return "it ends in the middle of a batch of entries";
        }
    }
    return NULL;
}

static uint32_t checksum_at(const struct segment_batch *b, unsigned which)
{
    uint32_t checksum;

    memcpy(&checksum, b->headers - COUNT - CHECKSUMS + which * sizeof checksum, sizeof checksum);
    return checksum;
}

static const char *check_headers(const struct segment_batch *b)
{
    struct bytes headers = {b->headers - COUNT, COUNT + (size_t)b->count * ENTRY};

    return crc32_of(0, headers) == checksum_at(b, 0) ? NULL
                                                     : "the checksum of a batch's head is wrong";
}

static const char *check_data(const struct segment_batch *b)
{
    return crc32_of(0, b->data) == checksum_at(b, 1) ? NULL
                                                     : "the checksum of a batch's entries is wrong";
}

const char *segment_next(struct segment *s, struct segment_batch *b)
{
    const char *problem;

    if (s->len < FIRST || read_number(s->content) != FORMAT) {
        s->at = 0;
        return "it does not begin as a segment does";
    }
    problem = measure(s, s->at, b);
    if (problem == NULL) {
        problem = check_headers(b);
    }
    if (problem == NULL) {
        problem = check_data(b);
    }
    if (problem == NULL) {
        s->at = (size_t)(b->data.at + b->data.len - s->content);
    }
    return problem;
}

bool segment_find(const struct segment *s, size_t offset, struct segment_batch *b)
{
    size_t at = (offset + 7) / 8 * 8;

    for (at = at < FIRST ? FIRST : at; at < s->len; at += 8) {
        if (measure(s, at, b) == NULL && check_headers(b) == NULL && check_data(b) == NULL) {
            return true;
        }
    }
    return false;
}

bool segment_each(const struct segment_batch *b,
                  bool (*see)(void *context, const struct segment_entry *entry), void *context)
{
    const char *at = b->data.at;

    for (unsigned i = 0; i < b->count; i++) {
        struct header h = header_at(b, i);
        struct segment_entry entry = {.term = h.term, .type = h.type, .data = {at, h.len}};
        if (!see(context, &entry)) {
            return false;
        }
        at += h.len;
    }
    return true;
}
