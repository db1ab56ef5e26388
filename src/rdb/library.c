#include "rdb/library.h"

#include "rdb/decode.h"
#include "rdb/encode.h"
#include "rdb/format.h"

void rdb_dump_libraries(const struct texts *texts, struct buf *out)
{
    struct rdb_writer w = {.file = RDB_NO_FILE, .compresses = true, .out = *out};
    size_t start = out->len;
    struct table_walk walk = {0};
    const struct text *text;

    while ((text = texts_next(texts, &walk)) != NULL) {
        rdb_write_byte(&w, RDB_FUNCTION);
        rdb_write_text(&w, text_content(text));
    }
    rdb_seal(&w, start, RDB_VERSION);
    *out = w.out;
}

const char *rdb_restore_libraries(struct bytes payload,
                                  bool (*take)(struct bytes text, void *context), void *context)
{
    RDB_TEXT_LOCAL(text);
    struct rdb_reader r;
    struct bytes content;
    uint8_t opcode;

    if (!rdb_unseal(payload, &content)) {
        return "DUMP payload version or checksum are wrong";
    }
    r = rdb_reader_of(content);
    while (rdb_left(&r) > 0) {
        if (!rdb_read_byte(&r, &opcode) || opcode != RDB_FUNCTION) {
            return "given type is not a function";
        }
        if (!rdb_read_text(&r, &text)) {
            return "Failed loading library data";
        }
        if (!take(text.bytes, context)) {
            return "";
        }
    }
    return NULL;
}
