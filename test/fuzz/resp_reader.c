/* Fuzzes the reader of requests: however a stream is cut into pieces, the same
 * requests must be found in it, and the same error at its end. */
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "resp/reader.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Limits so low that the fuzzer gets to them. */
static const struct resp_limits low_limits = {
    .bulk_max = 300,
    .multibulk_max = 40,
    .inline_max = 50,
};

/* The first byte of the input chooses. */
static const struct resp_limits *const choices[] = {
    &resp_limits_default,
    &resp_limits_unauthenticated,
    &low_limits,
};

/* Notes all there is to know of a request, so that no two of them look alike. */
static void note_request(struct buf *notes, const struct resp_request *request)
{
    buf_addf(notes, "%zu arguments, %zu bytes:", request->argc, request->used);
    for (size_t i = 0; i < request->argc; i++) {
        buf_addf(notes, " %zu ", request->argv[i].len);
        buf_add(notes, request->argv[i]);
    }
    buf_add_byte(notes, '\n');
}

/* Reads what it can from `received`, and drops it there. The reader sees a copy
 * that has no byte to spare, and is gone when it is called again. */
static enum resp_result drain(struct resp_reader *r, const struct resp_limits *limits,
                              struct buf *received, struct buf *notes)
{
    enum resp_result result;
    struct resp_request request;

    do {
        BUF_LOCAL(in);
        buf_add(&in, buf_bytes(received));
        result = resp_read(r, limits, buf_bytes(&in), &request);
        if (result == RESP_REQUEST) {
            assert(request.argc > 0);
            note_request(notes, &request);
        } else if (result == RESP_NOTHING) {
            buf_addf(notes, "nothing, %zu bytes\n", request.used);
        } else if (result == RESP_ERROR) {
            buf_addf(notes, "%s\n", request.error);
        }
        if (result == RESP_REQUEST || result == RESP_NOTHING) {
            assert(request.used > 0);
            assert(request.used <= received->len);
            buf_drop_front(received, request.used);
        }
    } while (result == RESP_REQUEST || result == RESP_NOTHING);
    assert(result != RESP_MORE || request.need > 0);
    return result;
}

static void read_stream(const struct resp_limits *limits, struct bytes stream, size_t piece_max,
                        struct random *random, struct buf *notes)
{
    struct resp_reader r = {0};
    struct buf received = {0};
    enum resp_result result = RESP_MORE;

    while (result == RESP_MORE && stream.len > 0) {
        size_t len = 1 + random_below(random, piece_max);
        len = len < stream.len ? len : stream.len;
        buf_add(&received, (struct bytes){stream.at, len});
        stream.at += len;
        stream.len -= len;
        result = drain(&r, limits, &received, notes);
    }
    buf_clear(&received);
    resp_reader_clear(&r);
}

static void read_whole(const struct resp_limits *limits, struct bytes stream, struct buf *notes)
{
    struct resp_reader r = {0};
    struct buf received = {0};

    buf_add(&received, stream);
    drain(&r, limits, &received, notes);
    buf_clear(&received);
    resp_reader_clear(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t piece_max[] = {1, 3, 20, 1000};
    struct bytes stream = {(const char *)data + 1, size - 1};
    size_t before = mem_used();
    const struct resp_limits *limits;
    struct random random;

    if (size == 0) {
        return 0;
    }
    limits = choices[data[0] % (sizeof choices / sizeof choices[0])];
    random_seed(&random, hash_keyed(stream, 0, 0));
    {
        BUF_LOCAL(whole);
        read_whole(limits, stream, &whole);
        for (size_t i = 0; i < sizeof piece_max / sizeof piece_max[0]; i++) {
            BUF_LOCAL(pieces);
            read_stream(limits, stream, piece_max[i], &random, &pieces);
            assert(bytes_equal(buf_bytes(&whole), buf_bytes(&pieces)));
        }
    }
    assert(mem_used() == before);
    return 0;
}
