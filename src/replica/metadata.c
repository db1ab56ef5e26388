#include "replica/metadata.h"

#include "replica/crc32.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const uint64_t FORMAT = 1;

static bool refuse(struct file_problem *wrong, const char *name, const char *problem)
{
    snprintf(wrong->name, sizeof wrong->name, "%s", name);
    wrong->problem = problem;
    return false;
}

/* Reads the beginning of a file. Returns how long that is, or a negative errno value. */
static ssize_t read_start(const char *dir, const char *name, void *start, size_t size)
{
    char path[PATH_MAX];
    ssize_t count;
    int file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return -errno;
    }
    count = pread(file, start, size, 0);
    count = count < 0 ? -errno : count;
    close(file);
    return count;
}

/* What a server has voted for. */

struct ballot {
    uint64_t format, version, term, vote;
};

static const char *const ballot_names[] = {"metadata2", "metadata1"}; /* By version % 2. */

/* libraft overwrites the files by turns. One that is too short was about to be made, and
 * counts as none. */
static bool read_ballot(const char *dir, unsigned parity, struct ballot *b,
                        struct file_problem *wrong)
{
    const char *name = ballot_names[parity];
    struct ballot read[2];
    ssize_t count = read_start(dir, name, read, sizeof read);

    *b = (struct ballot){0};
    if (count < 0 && count != -ENOENT) {
        return refuse(wrong, name, strerror((int)-count));
    }
    if (count < (ssize_t)sizeof *b) {
        return true;
    }
    if (count > (ssize_t)sizeof *b) {
        return refuse(wrong, name, "it is too long");
    }
    *b = read[0];
    if (b->format != FORMAT || b->version == 0 || b->version % 2 != parity) {
        return refuse(wrong, name, "it makes no sense");
    }
    return true;
}

bool metadata_read(const char *dir, struct metadata *m, struct file_problem *wrong)
{
    struct ballot even, odd;
    const struct ballot *newer, *older;

    if (!read_ballot(dir, 0, &even, wrong) || !read_ballot(dir, 1, &odd, wrong)) {
        return false;
    }
    newer = even.version > odd.version ? &even : &odd;
    older = newer == &even ? &odd : &even;
    *m = (struct metadata){newer->version > 0, newer->version, newer->term, newer->vote};
    if (m->exists && older->version != newer->version - 1) {
        return refuse(wrong, ballot_names[older == &odd],
                      older->version == 0
                          ? "it is missing, or shorter than it was"
                          : "it does not fit the other one of metadata1 and metadata2");
    }
    return true;
}

/* Snapshots. */

bool snapshot_read_name(const char *name, struct snapshot_name *s)
{
    int end = 0;

    if (strlen(name) >= FILE_NAME_MAX ||
        sscanf(name, "snapshot-%llu-%llu-%llu%n", &s->term, &s->index, &s->time_ms, &end) != 3) {
        return false;
    }
    s->is_meta = strcmp(name + end, ".meta") == 0;
    return s->is_meta || name[end] == '\0';
}

static int compare_numbers(unsigned long long a, unsigned long long b)
{
    return (a > b) - (a < b);
}

int snapshot_compare(const struct snapshot_name *a, const struct snapshot_name *b)
{
    int order = compare_numbers(a->term, b->term);

    if (order == 0) {
        order = compare_numbers(a->index, b->index);
    }
    return order != 0 ? order : compare_numbers(a->time_ms, b->time_ms);
}

struct meta_head {
    uint64_t format, checksum, configuration_index, configuration_len;
};

enum { META_MAX = 64 * 1024 };

static const char *check_meta(const char *meta, size_t len)
{
    struct meta_head head;
    uint32_t checksum;

    if (len < sizeof head) {
        return "it is too short";
    }
    memcpy(&head, meta, sizeof head);
    if (head.format != FORMAT || head.configuration_len == 0 ||
        head.configuration_len != len - sizeof head) {
        return "it makes no sense";
    }
    checksum = crc32_of(0, (struct bytes){meta + 2 * sizeof(uint64_t), len - 2 * sizeof(uint64_t)});
    return checksum == head.checksum ? NULL : "its checksum is wrong";
}

static bool read_meta(const char *dir, const char *name, struct file_problem *wrong)
{
    char *meta = malloc(META_MAX);
    const char *problem;
    ssize_t count;

    if (meta == NULL) {
        abort();
    }
    count = read_start(dir, name, meta, META_MAX);
    problem = count < 0 ? strerror((int)-count) : check_meta(meta, (size_t)count);
    free(meta);
    return problem == NULL || refuse(wrong, name, problem);
}

static bool read_manifest(const char *dir, const char *name, const struct snapshot_name *s,
                          struct manifest *m, struct file_problem *wrong)
{
    char text[MANIFEST_SIZE + 1];
    ssize_t count = read_start(dir, name, text, sizeof text);

    if (count < 0) {
        return refuse(wrong, name, strerror((int)-count));
    }
    if (!manifest_read((struct bytes){text, (size_t)count}, m) || m->at.index > s->index) {
        return refuse(wrong, name, "it is no manifest of this snapshot");
    }
    return true;
}

/* Whether the file of the data is the one that was written then. Of what is in it, its
 * reader takes the checksum. */
static bool check_data(const char *dir, const struct manifest *m, struct file_problem *wrong)
{
    char name[MANIFEST_NAME], path[PATH_MAX];
    struct manifest found;
    int err;

    manifest_name(m->at.index, name);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    err = manifest_of_file(path, &found);
    if (err != 0 && err != -EBADMSG) {
        return refuse(wrong, name, strerror(-err));
    }
    if (err != 0 || found.size != m->size) {
        return refuse(wrong, name, "it is longer or shorter than it was");
    }
    return found.checksum == m->checksum ||
           refuse(wrong, name, "its checksum is not the one that it had");
}

bool snapshot_read(const char *dir, const struct snapshot_name *s, struct manifest *m,
                   struct file_problem *wrong)
{
    char name[FILE_NAME_MAX], meta[FILE_NAME_MAX];

    snprintf(name, sizeof name, "snapshot-%llu-%llu-%llu", s->term, s->index, s->time_ms);
    snprintf(meta, sizeof meta, "snapshot-%llu-%llu-%llu.meta", s->term, s->index, s->time_ms);
    return read_meta(dir, meta, wrong) && read_manifest(dir, name, s, m, wrong) &&
           check_data(dir, m, wrong);
}
