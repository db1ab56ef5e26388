/* Changes in the form of the log: store/codec.c. */
#include "base/mem.h"
#include "store/bench.h"
#include "test/lib/check.h"

/* Encodes many changes, all of which were possible. */
static void make_redo(struct bench *b, struct buf *redo, size_t changes)
{
    for (size_t i = 0; i < changes; i++) {
        bench_change(b);
    }
    buf_add(redo, buf_bytes(&b->journal.redo));
    journal_commit(&b->journal);
}

/* Decodes as much as there is, and returns how many changes that was. What is refused
 * must have been left where it was. */
static size_t decode_all(const struct dataset *data, struct bytes in)
{
    size_t count = 0;

    while (in.len > 0) {
        struct bytes before = in;
        struct change c;

        if (!change_decode(&in, data, &c)) {
            CHECK(in.at == before.at && in.len == before.len);
            break;
        }
        CHECK(in.len < before.len);
        CHECK(c.db < data->count);
        change_drop(&c);
        count++;
    }
    return count;
}

TEST(a_decoded_change_encodes_to_the_same_bytes)
{
    struct bench b;
    struct bytes in;
    struct change c;
    BUF_LOCAL(redo);
    BUF_LOCAL(again);

    bench_open(&b, check_seed());
    b.data->limits =
        (struct value_limits){100, 100, 100, 100, 100, 100, 100}; /* Keeps elements in order. */
    make_redo(&b, &redo, 3000);
    in = buf_bytes(&redo);
    while (in.len > 0) {
        CHECK(change_decode(&in, b.data, &c));
        change_encode(&c, &again);
        change_drop(&c);
    }
    CHECK(bytes_equal(buf_bytes(&redo), buf_bytes(&again)));
    bench_close(&b);
}

/* Each in an allocation of its own, so that the sanitizers see a byte too many. */
static size_t decode_copy(const struct dataset *data, struct bytes in)
{
    char *copy = mem_alloc(in.len);
    size_t count;

    memcpy(copy, in.at, in.len);
    count = decode_all(data, (struct bytes){copy, in.len});
    mem_free(copy);
    return count;
}

TEST(a_cut_redo_is_read_up_to_the_cut)
{
    struct bench b;
    size_t before = 0;
    size_t used = mem_used();

    bench_open(&b, check_seed());
    BUF_LOCAL(redo);
    make_redo(&b, &redo, 40);
    if (redo.len > 5000) {
        buf_cut(&redo, 5000);
    }
    for (size_t len = 1; len <= redo.len; len++) {
        size_t count = decode_copy(b.data, (struct bytes){redo.at, len});

        CHECK(count == before || count == before + 1);
        before = count;
    }
    CHECK(before > 0);
    bench_close(&b);
    buf_clear(&redo);
    CHECK(mem_used() == used);
}

TEST(a_damaged_redo_is_refused_or_other_changes)
{
    struct bench b;
    size_t used = mem_used();

    bench_open(&b, check_seed());
    for (size_t i = 0; i < check_rounds(2000); i++) {
        BUF_LOCAL(redo);
        size_t flips = 1 + random_below(&b.random, 4);

        make_redo(&b, &redo, 1 + random_below(&b.random, 8));
        for (size_t flip = 0; flip < flips; flip++) {
            redo.at[random_below(&b.random, redo.len)] ^= (char)(1 << random_below(&b.random, 8));
        }
        decode_copy(b.data, buf_bytes(&redo));
    }
    bench_close(&b);
    CHECK(mem_used() == used);
}

static bool refuses(struct bytes in)
{
    struct dataset *data = dataset_new(2);
    struct change c;
    bool ok = change_decode(&in, data, &c);

    if (ok) {
        change_drop(&c);
    }
    dataset_free(data);
    return !ok;
}

TEST(what_is_no_change_is_refused)
{
    CHECK(!refuses(BYTES("\x09\x01")));                           /* FLUSH of database 1 */
    CHECK(refuses(BYTES("\x09\x02")));                            /* which there is not */
    CHECK(refuses(BYTES("\x08\x01\x02")));                        /* SWAP with such */
    CHECK(refuses(BYTES("\x0a\x00\x01k")));                       /* BODY: never encoded */
    CHECK(refuses(BYTES("\x0b\x00")));                            /* No kind. */
    CHECK(!refuses(BYTES("\x01\x00\x01k")));                      /* UNBIND */
    CHECK(refuses(BYTES("\x01\x00\x02k")));                       /* with too short a key */
    CHECK(!refuses(BYTES("\x00\x00\x01k\x00\x01\x00\x01v")));     /* BIND to a string */
    CHECK(refuses(BYTES("\x00\x00\x01k\x00\x01\x02\x01v")));      /* raw or not or what? */
    CHECK(refuses(BYTES("\x00\x00\x01k\x03\x01\x01v")));          /* of no type */
    CHECK(!refuses(BYTES("\x00\x00\x01k\x01\x01\x01\x01m")));     /* to a set */
    CHECK(refuses(BYTES("\x00\x00\x01k\x01\x01\x02\x01m\x01m"))); /* of two equal members */
    CHECK(refuses(BYTES("\x00\x00\x01k\x02\x01\x02\x01"
                        "f\x01v\x01"
                        "f\x01v"))); /* or fields */
    CHECK(!refuses(
        BYTES("\x00\x00\x01k\x04\x01\x01\x01m\0\0\0\0\0\0\xf0\x7f"))); /* to a sorted set */
    CHECK(refuses(BYTES("\x00\x00\x01k\x04\x01\x01\x01m\0\0\0\0\0\0\xf8\x7f"))); /* by NaN */
    CHECK(refuses(BYTES("\x0e\x00\x01k\x01m\0\0\0\0\0\0\xf8\x7f"))); /* SCORE_SET to NaN */
    CHECK(refuses(BYTES("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00"))); /* A long number. */
    CHECK(refuses(BYTES("\x03\x00\x01k\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x00")));
}

int main(void)
{
    return RUN(a_decoded_change_encodes_to_the_same_bytes, a_cut_redo_is_read_up_to_the_cut,
               a_damaged_redo_is_refused_or_other_changes, what_is_no_change_is_refused);
}
