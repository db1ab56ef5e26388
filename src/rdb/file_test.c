/* Files: what is saved is loaded equal, and what is not in order is refused. */
#include "base/mem.h"
#include "rdb/crc64.h"
#include "rdb/format.h"
#include "rdb/load.h"
#include "rdb/save.h"
#include "store/journal.h"
#include "test/lib/check.h"

#include <errno.h>

enum { DATABASES = 4, NOW_MS = 1000 };

static void bind(struct dataset *data, unsigned db, struct value *v)
{
    struct change c = change_bind(db, v);

    change_make(data, &c, NULL, NULL);
}

/* A dataset in which some keys have an expiry and one has expired. */
static struct dataset *example(void)
{
    struct dataset *data = dataset_new(DATABASES);
    struct value *set = value_new(VALUE_SET, BYTES("set"), 2000);
    struct value *hash = value_new(VALUE_HASH, BYTES("hash"), EXPIRES_NEVER);

    value_fill_member(set, BYTES("1"), &data->limits);
    value_fill_field(hash, BYTES("f"), BYTES("v"), &data->limits);
    bind(data, 0, value_new_string(BYTES("s"), BYTES("text"), EXPIRES_NEVER));
    bind(data, 0, set);
    bind(data, 3, hash);
    bind(data, 3, value_new_string(BYTES("old"), BYTES("text"), NOW_MS));
    return data;
}

static bool take(struct value *v, unsigned db, void *context)
{
    struct dataset *data = context;

    if (keyspace_find_any(data->db[db], value_key(v)) != NULL) {
        value_free(v);
        return false;
    }
    bind(data, db, v);
    return true;
}

static bool load(struct bytes file, struct dataset *into, struct rdb_loaded *loaded,
                 struct buf *error)
{
    struct rdb_loading loading = {.databases = DATABASES,
                                  .now_ms = NOW_MS,
                                  .limits = &into->limits,
                                  .take = take,
                                  .context = into};

    return rdb_load(file, &loading, loaded, error);
}

static void save(const struct dataset *data, bool checks, struct buf *out)
{
    FILE *file = tmpfile();
    RDB_WRITER_LOCAL(w) = {.file = fileno(file), .compresses = true};
    struct rdb_saving saving = {.data = data, .time_us = 5000000, .checks = checks};

    CHECK(rdb_save(&w, &saving) == 0);
    rewind(file);
    out->len = fread(buf_reserve(out, w.file_size), 1, w.file_size, file);
    CHECK(out->len == w.file_size);
    fclose(file);
}

TEST(what_was_saved_is_loaded)
{
    struct dataset *data = example();
    struct dataset *read = dataset_new(DATABASES);
    struct change forget = change_unbind(3, BYTES("old"));
    struct rdb_loaded loaded;
    BUF_LOCAL(file);
    BUF_LOCAL(error);

    save(data, true, &file);
    CHECK(load(buf_bytes(&file), read, &loaded, &error));
    CHECK(loaded.keys == 3);
    CHECK(loaded.expired == 1);
    CHECK(loaded.time_us == 5000000);
    change_make(data, &forget, NULL, NULL);
    dataset_check(read);
    CHECK(digest_equal(dataset_digest(data), dataset_digest(read)));
    dataset_free(data);
    dataset_free(read);
}

static bool is_refused(struct bytes file)
{
    struct dataset *read = dataset_new(DATABASES);
    struct rdb_loaded loaded;
    char *copy = mem_alloc(file.len);
    BUF_LOCAL(error);
    bool fine;

    memcpy(copy, file.at, file.len);
    fine = load((struct bytes){copy, file.len}, read, &loaded, &error);
    CHECK(fine == (error.len == 0));
    dataset_check(read);
    dataset_free(read);
    mem_free(copy);
    return !fine;
}

TEST(a_file_that_is_cut_is_refused)
{
    struct dataset *data = example();
    BUF_LOCAL(file);

    save(data, false, &file);
    dataset_free(data);
    CHECK(!is_refused(buf_bytes(&file)));
    for (size_t len = 0; len < file.len; len++) {
        CHECK(is_refused((struct bytes){file.at, len}));
    }
    buf_add_byte(&file, 0);
    CHECK(is_refused(buf_bytes(&file)));
}

TEST(a_file_with_any_byte_changed_is_refused)
{
    struct dataset *data = example();
    BUF_LOCAL(file);

    save(data, true, &file);
    dataset_free(data);
    for (size_t i = 0; i < file.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            file.at[i] ^= (char)(1 << bit);
            CHECK(is_refused(buf_bytes(&file)));
            file.at[i] ^= (char)(1 << bit);
        }
    }
}

TEST(without_a_checksum_what_is_loaded_is_sound)
{
    struct dataset *data = example();
    struct random random;
    BUF_LOCAL(file);
    BUF_LOCAL(changed);

    save(data, false, &file);
    dataset_free(data);
    random_seed(&random, check_seed());
    for (size_t round = 0; round < check_rounds(3000); round++) {
        changed.len = 0;
        buf_add(&changed, buf_bytes(&file));
        for (size_t i = random_below(&random, 3); i < 3; i++) {
            changed.at[random_below(&random, file.len)] = (char)random_below(&random, 256);
        }
        is_refused(buf_bytes(&changed));
    }
}

/* Files written by hand: a version, what is in them, no checksum. */

static void hand_file(const char *version, struct bytes content, struct buf *out)
{
    buf_add(out, bytes_of("REDIS"));
    buf_add(out, bytes_of(version));
    buf_add(out, content);
    buf_add(out, BYTES("\xff"));
    if (strcmp(version, "0005") >= 0) {
        buf_add(out, BYTES("\0\0\0\0\0\0\0\0"));
    }
}

static size_t keys_in(const char *version, struct bytes content)
{
    struct dataset *read = dataset_new(DATABASES);
    struct rdb_loaded loaded;
    BUF_LOCAL(file);
    BUF_LOCAL(error);
    bool fine;

    hand_file(version, content, &file);
    fine = load(buf_bytes(&file), read, &loaded, &error);
    dataset_check(read);
    dataset_free(read);
    return fine ? loaded.keys : SIZE_MAX;
}

TEST(versions_1_to_12_are_read)
{
    struct bytes content = BYTES("\xfe\x01\0\x01"
                                 "a\x01"
                                 "b");

    CHECK(keys_in("0001", content) == 1);
    CHECK(keys_in("0004", content) == 1);
    CHECK(keys_in("0005", content) == 1);
    CHECK(keys_in("0012", content) == 1);
    CHECK(keys_in("0000", content) == SIZE_MAX);
    CHECK(keys_in("0013", content) == SIZE_MAX);
    CHECK(keys_in("00x1", content) == SIZE_MAX);
}

TEST(what_stands_between_keys_is_understood)
{
    struct bytes key = BYTES("\0\x01"
                             "a\x01"
                             "b");
    static const struct {
        struct bytes before;
        size_t keys;
    } cases[] = {
        {{"\xfa\x01x\x01y", 5}, 1},                       /* A field that nobody knows. */
        {{"\xfb\x05\x05", 3}, 1},                         /* Sizes. */
        {{"\xf4\x05\x05\x05", 4}, 1},                     /* A slot. */
        {{"\xf9\x05", 2}, 1},                             /* How often it was asked for, */
        {{"\xf8\x05", 2}, 1},                             /* and when. */
        {{"\xfc\xff\xff\0\0\0\0\0\0", 9}, 1},             /* Expires later than now, */
        {{"\xfc\x01\0\0\0\0\0\0\0", 9}, 0},               /* before, */
        {{"\xfc\xff\xff\xff\xff\xff\xff\xff\xff", 9}, 0}, /* before 1970. */
        {{"\xfd\x02\0\0\0", 5}, 1},                       /* In seconds. */
        {{"\xf5\x02xy", 4}, 1},                           /* A library, left out. */
        {{"\xf6\x02xy", 4}, SIZE_MAX},                    /* An older one. */
        {{"\xf7\x05\x02\x01\x05\x01x\0", 8}, 1},          /* A module's. */
        {{"\xf7\x05\x02\x01\x09\x01x\0", 8}, SIZE_MAX},
        {{"\xfe\x04", 2}, SIZE_MAX}, /* No such database. */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BUF_LOCAL(content);
        buf_add(&content, cases[i].before);
        buf_add(&content, key);
        CHECK(keys_in("0010", buf_bytes(&content)) == cases[i].keys);
    }
}

TEST(a_key_twice_is_refused_and_an_empty_collection_left_out)
{
    CHECK(keys_in("0010", BYTES("\0\x01"
                                "a\x01"
                                "b\0\x01"
                                "a\x01"
                                "c")) == SIZE_MAX);
    CHECK(keys_in("0010", BYTES("\x02\x01"
                                "a\0\0\x01"
                                "b\x01"
                                "c")) == 1);
}

TEST(a_file_that_cannot_be_read_is_told)
{
    struct rdb_loading loading = {.databases = DATABASES};
    struct rdb_loaded loaded;
    BUF_LOCAL(error);

    CHECK(rdb_load_file("/nowhere/dump.rdb", &loading, &loaded, &error) == -ENOENT);
    CHECK(rdb_load_file("/", &loading, &loaded, &error) == -EINVAL);
    CHECK(rdb_load_file("/dev/null", &loading, &loaded, &error) < 0);
    CHECK(error.len > 0);
}

int main(void)
{
    return RUN(what_was_saved_is_loaded, a_file_that_is_cut_is_refused,
               a_file_with_any_byte_changed_is_refused, without_a_checksum_what_is_loaded_is_sound,
               versions_1_to_12_are_read, what_stands_between_keys_is_understood,
               a_key_twice_is_refused_and_an_empty_collection_left_out,
               a_file_that_cannot_be_read_is_told);
}
