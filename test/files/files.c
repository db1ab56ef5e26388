/* What may happen to the files of a log, some thousand times: whatever it is, the log is
 * found as it was, or refused with the place; never is less of it taken for all.
 *
 * What inspect() lets through, libraft loads as well: they have to agree. */
#include "replica/inspect.h"
#include "test/files/image.h"
#include "test/files/site.h"
#include "test/lib/check.h"

#include "base/random.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

enum { MUTANTS = 12000, STALE = 5 };

/* A log, and what is known of it. */
struct base {
    const char *what;
    struct image image;
    struct image older; /* As it was earlier. */
    uint64_t committed, marked;
    uint64_t chain[SITE_ENTRIES];
};

enum { BASES = 5 };

static struct base bases[BASES];
static char dir[64];
static struct random chance;
static size_t refused, whole, torn, unnoticed;

static uint64_t below(uint64_t bound)
{
    return random_below(&chance, bound);
}

/* The logs. */

static void take(struct base *b, const char *what, struct site *s, unsigned behind)
{
    b->what = what;
    site_mark(s, behind);
    image_take(&b->image, s->dir);
    b->committed = s->committed;
    b->marked = s->acknowledged - behind;
    memcpy(b->chain, s->chain, sizeof b->chain);
}

static void make_bases(void)
{
    struct site *s = calloc(1, sizeof *s);
    struct image early, middle;

    site_open(s, dir);
    site_append(s, 20, 300);
    site_mark(s, 0);
    image_take(&early, dir);
    site_append(s, 200, 500);
    take(&bases[0], "several segments, ended within", s, 0);
    site_snapshot(s);
    site_append(s, 30, 2000);
    site_close(s);
    site_open(s, dir);
    site_append(s, 100, 400);
    image_take(&middle, dir);
    site_snapshot(s);
    take(&bases[1], "behind a snapshot, ended within", s, 0);
    site_append(s, 60, 600);
    take(&bases[2], "behind two snapshots, ended within, with an old mark", s, STALE);
    site_append(s, 3, 100000); /* In parts. */
    site_append(s, 20, 100);
    take(&bases[3], "with long entries", s, 0);
    site_close(s);
    take(&bases[4], "ended in good order", s, 0);
    image_copy(&early, &bases[0].older);
    image_copy(&early, &bases[1].older);
    image_copy(&middle, &bases[2].older);
    image_copy(&middle, &bases[3].older);
    image_copy(&middle, &bases[4].older);
    image_clear(&early);
    image_clear(&middle);
    free(s);
}

static void free_bases(void)
{
    for (size_t k = 0; k < BASES; k++) {
        image_clear(&bases[k].image);
        image_clear(&bases[k].older);
    }
}

/* Judging. */

static void complain(const struct base *b, const char *mutation, const struct inspection *found,
                     const char *why)
{
    fprintf(stderr, "%s\n  log: %s\n  mutation: %s\n  found: %s, entries %llu to %llu, torn '%s'\n",
            why, b->what, mutation, found->problem, (unsigned long long)found->first,
            (unsigned long long)found->last, found->torn.name);
    assert_true(false);
}

static void compare_with_libraft(const struct base *b, const char *mutation,
                                 const struct inspection *found)
{
    struct site_loaded l;

    site_load(dir, &l);
    if (l.err != 0) {
        complain(b, mutation, found, "libraft does not load what is said to be in order");
    }
    if (l.problem != NULL) {
        complain(b, mutation, found, l.problem);
    }
    if (l.last != found->last || l.at.index != found->at.index || l.at.chain != found->at.chain) {
        complain(b, mutation, found, "libraft finds something else");
    }
}

/* `marked` is as far as the mark demands, 0 if there is none. */
static void judge(const struct base *b, const char *mutation, uint64_t marked)
{
    static struct inspection found;
    char place[80];

    snprintf(place, sizeof place, "'%s/", dir);
    if (!inspect(dir, NULL, &found)) {
        if (strncmp(found.problem, place, strlen(place)) != 0) {
            complain(b, mutation, &found, "the place is not told");
        }
        refused++;
        return;
    }
    if (found.is_new) {
        complain(b, mutation, &found, "a log was taken for none");
    }
    if (found.at.chain != b->chain[found.at.index]) {
        complain(b, mutation, &found, "this has never been in the log");
    }
    if (found.last < marked) {
        complain(b, mutation, &found, "less than the mark demands was taken for all");
    }
    whole += found.last >= b->committed;
    torn += found.last < b->committed && found.torn.name[0] != '\0';
    unnoticed += found.last < b->committed && found.torn.name[0] == '\0';
    CHECK(inspect_repair(&found) == 0);
    compare_with_libraft(b, mutation, &found);
}

static void run(const struct base *b, struct image *i, const char *mutation)
{
    int mark = image_find(i, MARK_NAME);
    int was = image_find(&b->image, MARK_NAME);
    bool has_mark =
        mark >= 0 && i->file[mark].len == b->image.file[was].len &&
        memcmp(i->file[mark].content, b->image.file[was].content, i->file[mark].len) == 0;

    image_write(i, dir);
    judge(b, mutation, has_mark ? b->marked : 0);
    image_clear(i);
}

/* Mutations. */

static struct image_file *any_file(struct image *i)
{
    return &i->file[below(i->count)];
}

static void flip_bit(const struct base *b, struct image *i, char *what)
{
    struct image_file *f = any_file(i);
    size_t at;

    (void)b;
    if (f->len > 0) {
        at = below(2) ? below(f->len) : below(f->len < 200 ? f->len : 200);
        f->content[at] ^= (char)(1 << below(8));
        sprintf(what, "a bit of byte %zu of %s is flipped", at, f->name);
    }
}

static void zero_sectors(const struct base *b, struct image *i, char *what)
{
    struct image_file *f = any_file(i);
    size_t size = 512 << below(5);
    size_t at = below(f->len / size + 1) * size;
    size_t len = at + size < f->len ? size : f->len - at;

    (void)b;
    memset(f->content + at, 0, len);
    sprintf(what, "%zu bytes at %zu of %s are zeros", len, at, f->name);
}

static void fill_with_noise(const struct base *b, struct image *i, char *what)
{
    struct image_file *f = any_file(i);
    size_t at = below(f->len + 1);
    size_t len = below(f->len - at + 1);

    (void)b;
    for (size_t k = at; k < at + len; k++) {
        f->content[k] = (char)random_next(&chance);
    }
    sprintf(what, "%zu bytes at %zu of %s are noise", len, at, f->name);
}

static void remove_file(const struct base *b, struct image *i, char *what)
{
    size_t k = below(i->count);

    (void)b;
    sprintf(what, "%s is removed", i->file[k].name);
    image_remove(i, k);
}

static void empty_file(const struct base *b, struct image *i, char *what)
{
    struct image_file *f = any_file(i);

    (void)b;
    f->len = 0;
    sprintf(what, "%s is empty", f->name);
}

static void cut_file(const struct base *b, struct image *i, char *what)
{
    struct image_file *f = any_file(i);

    (void)b;
    f->len = below(f->len + 1);
    sprintf(what, "%s is cut to %zu bytes", f->name, f->len);
}

/* Gives a name that could be one of the log's. */
static void other_name(const char *name, char out[IMAGE_NAME])
{
    unsigned long long a, b, c;
    char rest[IMAGE_NAME] = "";

    if (sscanf(name, "snapshot-%llu-%llu-%llu%s", &a, &b, &c, rest) >= 3) {
        snprintf(out, IMAGE_NAME, "snapshot-%llu-%llu-%llu%.8s", a, b + below(50), c + below(2),
                 rest);
    } else if (sscanf(name, "%llu-%llu", &a, &b) == 2) {
        uint64_t by = below(2) ? b - a + 1 : below(10);
        snprintf(out, IMAGE_NAME, "%016llu-%016llu", a + by, b + by);
    } else if (sscanf(name, "open-%llu", &a) == 1) {
        snprintf(out, IMAGE_NAME, "open-%llu", a + below(5));
    } else if (sscanf(name, "data-%llu", &a) == 1) {
        snprintf(out, IMAGE_NAME, "data-%020llu.rdb", a + below(100));
    } else {
        snprintf(out, IMAGE_NAME, "%s%llu", name, (unsigned long long)below(3));
    }
}

static void duplicate_file(const struct base *b, struct image *i, char *what)
{
    struct image_file *f = any_file(i);
    char name[IMAGE_NAME];

    (void)b;
    other_name(f->name, name);
    sprintf(what, "%s is there as %s, too", f->name, name);
    if (image_find(i, name) < 0) {
        image_put(i, name, f->content, f->len);
    }
}

static void rename_file(const struct base *b, struct image *i, char *what)
{
    struct image_file *f = any_file(i);
    char name[IMAGE_NAME];

    (void)b;
    other_name(f->name, name);
    sprintf(what, "%s is called %s", f->name, name);
    if (image_find(i, name) < 0) {
        strcpy(f->name, name);
    }
}

static void swap_files(const struct base *b, struct image *i, char *what)
{
    struct image_file *x = any_file(i), *y = any_file(i);
    struct image_file z = *x;

    (void)b;
    sprintf(what, "%s and %s are swapped", x->name, y->name);
    x->content = y->content;
    x->len = y->len;
    y->content = z.content;
    y->len = z.len;
}

static void put_older(const struct base *b, struct image *i, char *what)
{
    const struct image_file *f = &b->older.file[below(b->older.count)];

    sprintf(what, "an older %s is put back", f->name);
    image_put(i, f->name, f->content, f->len);
}

/* Of the snapshots, the newest goes and one of before comes back. */
static void put_older_snapshot(const struct base *b, struct image *i, char *what)
{
    sprintf(what, "the snapshots are older ones");
    for (size_t k = i->count; k > 0; k--) {
        if (strncmp(i->file[k - 1].name, "snapshot-", 9) == 0) {
            image_remove(i, k - 1);
        }
    }
    for (size_t k = 0; k < b->older.count; k++) {
        const struct image_file *f = &b->older.file[k];
        if (strncmp(f->name, "snapshot-", 9) == 0 || strncmp(f->name, "data-", 5) == 0) {
            image_put(i, f->name, f->content, f->len);
        }
    }
}

static void (*const mutations[])(const struct base *b, struct image *i, char *what) = {
    flip_bit,    flip_bit,   flip_bit,  zero_sectors,       fill_with_noise,
    remove_file, empty_file, cut_file,  cut_file,           duplicate_file,
    rename_file, swap_files, put_older, put_older_snapshot,
};

enum { MUTATIONS = sizeof mutations / sizeof *mutations };

/* Tests. */

TEST(what_is_in_order_is_found_whole)
{
    for (size_t k = 0; k < BASES; k++) {
        struct image i;
        size_t before = whole;

        image_copy(&bases[k].image, &i);
        run(&bases[k], &i, "none");
        CHECK(whole == before + 1);
    }
}

/* The segment that was written to last. */
static struct image_file *last_segment(struct image *i)
{
    struct image_file *last = NULL;
    struct segment segment, newest = {0};

    for (size_t k = 0; k < i->count; k++) {
        struct image_file *f = &i->file[k];
        if (segment_read_name(f->name, &segment) && f->len > 0 && f->content[0] != 0 &&
            (last == NULL || segment_compare(&newest, &segment) < 0)) {
            newest = segment;
            last = f;
        }
    }
    return last;
}

static size_t used(const struct image_file *f)
{
    size_t end = f->len;

    while (end > 0 && f->content[end - 1] == 0) {
        end--;
    }
    return end;
}

/* Cut off, or never written: both at each byte of the last entries. */
static void cut_at_each_byte(const struct base *b, bool zeros)
{
    struct image i;
    char what[256];

    for (size_t back = 0;; back++) {
        struct image_file *f;
        size_t end;
        image_copy(&b->image, &i);
        f = last_segment(&i);
        end = used(f);
        if (back >= 800 || back >= end) {
            image_clear(&i);
            return;
        }
        end -= back;
        if (zeros) {
            memset(f->content + end, 0, f->len - end);
        } else {
            f->len = end;
        }
        sprintf(what, "%s has %s behind %zu", f->name, zeros ? "zeros" : "nothing", end);
        run(b, &i, what);
    }
}

TEST(an_end_that_was_marked_is_missed)
{
    size_t before = torn + unnoticed;

    cut_at_each_byte(&bases[3], false);
    cut_at_each_byte(&bases[3], true);
    cut_at_each_byte(&bases[4], false);
    CHECK(torn + unnoticed == before);
}

TEST(an_end_that_was_not_is_cut_off)
{
    size_t before = torn;

    cut_at_each_byte(&bases[2], false);
    cut_at_each_byte(&bases[2], true);
    CHECK(torn > before + 100);
}

/* Damage in the middle of what has been applied shows by what comes behind it, without
 * the mark. */
TEST(no_entry_in_the_middle_is_skipped)
{
    const struct base *b = &bases[2];

    for (size_t k = 0; k < 400; k++) {
        struct image i;
        struct image_file *f;
        size_t before = torn + unnoticed;
        size_t end, at;
        char what[256];

        image_copy(&b->image, &i);
        image_remove(&i, (size_t)image_find(&i, MARK_NAME));
        f = last_segment(&i);
        end = used(f);
        at = below(end - 8000);
        f->content[at] ^= (char)(1 << below(8));
        sprintf(what, "a bit of byte %zu of %zu in %s is flipped", at, end, f->name);
        run(b, &i, what);
        CHECK(torn + unnoticed == before);
    }
}

TEST(whatever_happens_is_found_or_told)
{
    size_t count = check_rounds(MUTANTS);

    for (size_t k = 0; k < count; k++) {
        const struct base *b = &bases[below(BASES)];
        char what[1024] = "";
        struct image i;
        size_t twice = below(5) == 0;

        image_copy(&b->image, &i);
        for (size_t n = 0; n <= twice && i.count > 0; n++) {
            mutations[below(MUTATIONS)](b, &i, what + strlen(what));
            strcat(what, "; ");
        }
        run(b, &i, what);
    }
}

int main(void)
{
    int result;

    strcpy(dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/files_XXXXXX" : "/tmp/files_XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return EXIT_FAILURE;
    }
    random_seed(&chance, check_seed());
    make_bases();
    result = RUN(what_is_in_order_is_found_whole, an_end_that_was_marked_is_missed,
                 an_end_that_was_not_is_cut_off, no_entry_in_the_middle_is_skipped,
                 whatever_happens_is_found_or_told);
    printf(
        "%zu refused, %zu found whole, %zu with a torn end cut off, %zu with an end missing that "
        "nothing told of\n",
        refused, whole, torn, unnoticed);
    free_bases();
    image_write(&(struct image){0}, dir);
    rmdir(dir);
    return result;
}
