/* Fuzzes the reading of RDB files and of what RESTORE takes: whatever the bytes are,
 * they are refused, or give values that are sound and come out equal when they are
 * written and read again. */
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "rdb/crc64.h"
#include "rdb/decode.h"
#include "rdb/encode.h"
#include "rdb/format.h"
#include "rdb/load.h"
#include "rdb/save.h"
#include "store/journal.h"
#include "store/list.h"
#include "store/stream.h"
#include "store/zset.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

enum { DATABASES = 2, NOW_MS = 1000 };

/* Limits so low that both kinds of containers come about. */
static const struct value_limits low_limits = {
    .hash_max_packed_entries = 4,
    .hash_max_packed_value = 16,
    .set_max_intset_entries = 4,
    .set_max_packed_entries = 4,
    .set_max_packed_value = 16,
    .zset_max_packed_entries = 4,
    .zset_max_packed_value = 16,
    .list_max_chunk = 4,
};

/* Payloads. */

/* Appends what makes a type and a value a payload. */
static void add_footer(struct buf *payload)
{
    uint16_t version = RDB_VERSION_READ;
    uint64_t checksum;

    buf_add(payload, (struct bytes){(char *)&version, sizeof version});
    checksum = crc64(0, buf_bytes(payload));
    buf_add(payload, (struct bytes){(char *)&checksum, sizeof checksum});
}

/* Restores from a copy that has no byte to spare. */
static struct value *restore(struct bytes payload)
{
    struct rdb_target to = {BYTES("key"), EXPIRES_NEVER, &low_limits};
    struct value *v = NULL;
    BUF_LOCAL(copy);

    buf_add(&copy, payload);
    rdb_restore(buf_bytes(&copy), &to, &v);
    return v;
}

static void try_payload(struct bytes content)
{
    struct value *v, *again;
    BUF_LOCAL(payload);

    buf_add(&payload, content);
    add_footer(&payload);
    v = restore(buf_bytes(&payload));
    if (v == NULL) {
        return;
    }
    value_check(v);
    assert(!value_is_over(v));
    payload.len = 0;
    rdb_dump(v, content.len % 2 == 0, &payload);
    again = restore(buf_bytes(&payload));
    assert(again != NULL);
    assert(digest_equal(digest_value(v), digest_value(again)));
    value_free(again);
    value_free(v);
}

/* Files. */

static bool take(struct value *v, unsigned db, void *context)
{
    struct journal *j = context;

    if (keyspace_find_any(j->data->db[db], value_key(v)) != NULL) {
        value_free(v);
        return false;
    }
    journal_make(j, change_bind(db, v));
    return true;
}

static bool load(struct bytes file, struct dataset *into)
{
    struct journal j = {.data = into};
    struct rdb_loading loading = {.databases = DATABASES,
                                  .now_ms = NOW_MS,
                                  .limits = &low_limits,
                                  .take = take,
                                  .context = &j};
    struct rdb_loaded loaded;
    BUF_LOCAL(copy);
    BUF_LOCAL(error);
    bool fine;

    buf_add(&copy, file);
    fine = rdb_load(buf_bytes(&copy), &loading, &loaded, &error);
    assert(fine == (error.len == 0));
    return fine;
}

static void save(const struct dataset *data, struct buf *out)
{
    struct rdb_saving saving = {.data = data, .time_us = 1, .compresses = true, .checks = true};
    int fd = memfd_create("rdb", 0);
    RDB_WRITER_LOCAL(w) = {.file = fd, .compresses = true};
    int err = rdb_save(&w, &saving);
    ssize_t len;

    assert(err == 0);
    len = pread(fd, buf_reserve(out, w.file_size), w.file_size, 0);
    assert(len == (ssize_t)w.file_size);
    out->len = (size_t)len;
    close(fd);
}

/* The fuzzer makes what is between the head of a file and its end. */
static void try_file(struct bytes content)
{
    struct dataset *data = dataset_new(DATABASES);
    struct dataset *again = dataset_new(DATABASES);
    BUF_LOCAL(file);
    bool fine;

    buf_add(&file, BYTES("REDIS0012"));
    buf_add(&file, content);
    buf_add(&file, BYTES("\xff\0\0\0\0\0\0\0\0"));
    fine = load(buf_bytes(&file), data);
    dataset_check(data);
    if (fine) {
        file.len = 0;
        save(data, &file);
        fine = load(buf_bytes(&file), again);
        assert(fine);
        assert(digest_equal(dataset_digest(data), dataset_digest(again)));
    }
    dataset_free(again);
    dataset_free(data);
}

/* The first byte of the input chooses. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes content = {(const char *)data + 1, size - 1};
    size_t before = mem_used();

    if (size == 0) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        try_payload(content);
    } else {
        try_file(content);
    }
    assert(mem_used() == before);
    return 0;
}

/* Where to begin: the values that we write, and the encodings that we do not. */

static struct bytes element(struct random *random)
{
    static char text[64];
    size_t len = random_below(random, sizeof text);

    if (random_below(random, 2) == 0) {
        int64_t number = (int64_t)random_next(random) >> random_below(random, 64);
        return (struct bytes){text, number_format_int(text, number)};
    }
    memset(text, 'a' + (int)random_below(random, 20), len);
    return (struct bytes){text, len};
}

static void fill_stream(struct random *random, struct value *v, uint64_t number)
{
    struct bytes fields[] = {BYTES("field"), element(random)};
    struct delivery d = {BYTES("group"), BYTES("consumer"), {number + 1, 1}, 5, 1};
    BUF_LOCAL(coded);

    stream_put_fields(&coded, fields, 1);
    value_fill_entry(v, (struct stream_id){number + 1, 1}, buf_bytes(&coded), &low_limits);
    value_fill_group(v, d.group, (struct stream_id){1, 1}, 1);
    value_fill_consumer(v, d.group, d.consumer, 5);
    value_fill_pending(v, &d);
}

static void fill(struct random *random, struct value *v, uint64_t number)
{
    char digits[NUMBER_INT_MAX];
    struct bytes name = {digits, number_format_int(digits, (int64_t)number)};

    switch (value_type(v)) {
    case VALUE_LIST:
        value_fill_element(v, element(random), &low_limits);
        break;
    case VALUE_SET:
        value_fill_member(v, element(random), &low_limits);
        break;
    case VALUE_ZSET:
        value_fill_scored(v, element(random), (double)number, &low_limits);
        break;
    case VALUE_HASH:
        value_fill_field(v, name, element(random), &low_limits);
        if (random_below(random, 4) == 0) {
            value_fill_field_expiry(v, name, (int64_t)number + 2000);
        }
        break;
    default:
        fill_stream(random, v, number);
    }
}

static struct value *some_value(struct random *random)
{
    static const enum value_type types[] = {VALUE_LIST, VALUE_SET, VALUE_ZSET, VALUE_HASH,
                                            VALUE_STREAM};
    size_t type = random_below(random, 6);
    struct value *v;

    if (type == 5) {
        return value_new_string(BYTES("key"), element(random), EXPIRES_NEVER);
    }
    v = value_new(types[type], BYTES("key"), EXPIRES_NEVER);
    for (uint64_t i = 1 + random_below(random, 8); i > 0; i--) {
        fill(random, v, 100 - i);
    }
    return v;
}

#define ZIPLIST                                                                                    \
    "\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01"                                                         \
    "f\x03\xf8\xff"
#define LISTPACK                                                                                   \
    "\x0c\x0c\0\0\0\x02\0\x81"                                                                     \
    "f\x02\x07\x01\xff"

static const struct bytes older[] = {
    BYTES("\x01\x02\x01"
          "a\x01"
          "b"),
    BYTES("\x03\x01\x01"
          "a\x03"
          "1.5"),
    BYTES("\x09\x07\x01\x01"
          "f\x01\0v\xff"),
    BYTES("\x0a" ZIPLIST),
    BYTES("\x0c\x10"
          "\x10\0\0\0\x0d\0\0\0\x02\0\0\x01"
          "a\x03\xf8\xff"),
    BYTES("\x0d" ZIPLIST),
    BYTES("\x0e\x01" ZIPLIST),
    BYTES("\x12\x02\x02" LISTPACK "\x01\x05"
          "plain"),
    BYTES("\x14" LISTPACK),
    BYTES("\x16\x01\x07\x01"
          "f\x01v"),
    BYTES("\x19\x05\0\0\0\0\0\0\0\x0f\x0f\0\0\0\x03\0\x81"
          "f\x02\x81v\x02\x07\x01\xff"),
};

/* Appends a type and a value. */
static void add_some(struct random *random, struct buf *out)
{
    struct value *v;
    BUF_LOCAL(dump);

    if (random_below(random, 4) == 0) {
        buf_add(out, older[random_below(random, sizeof older / sizeof older[0])]);
        return;
    }
    v = some_value(random);
    rdb_dump(v, random_below(random, 2) == 0, &dump);
    value_free(v);
    buf_add(out, (struct bytes){dump.at, dump.len - 10});
}

/* Appends keys, which differ in their first byte, and what may stand between them. */
static void add_keys(struct random *random, struct buf *out)
{
    BUF_LOCAL(value);

    for (size_t i = random_below(random, 4); i > 0; i--) {
        if (random_below(random, 3) == 0) {
            buf_add(out, BYTES("\xfc\xff\xff\0\0\0\0\0\0"));
        }
        if (random_below(random, 3) == 0) {
            buf_add(out, BYTES("\xfe\x01\xfb\x02\x01\xfa\x01"
                               "a\x01"
                               "b\xf5\x01l"));
        }
        value.len = 0;
        add_some(random, &value);
        buf_add_byte(out, value.at[0]);
        buf_add_byte(out, 1);
        buf_add_byte(out, (char)('a' + i));
        buf_add(out, (struct bytes){value.at + 1, value.len - 1});
    }
}

/* Now and then begins anew with something whole. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    struct random random;
    BUF_LOCAL(made);

    random_seed(&random, seed);
    if (random_below(&random, 20) > 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    buf_add_byte(&made, (char)random_below(&random, 2));
    if (made.at[0] == 0) {
        add_some(&random, &made);
    } else {
        add_keys(&random, &made);
    }
    size = made.len < max_size ? made.len : max_size;
    memcpy(data, made.at, size);
    return size;
}
