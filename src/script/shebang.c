#include "script/shebang.h"

#include "base/number.h"
#include "script/run.h"

#include <ctype.h>
#include <stdio.h>

const char shebang_bad_name[] =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one "
    "character long";

bool shebang_is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!isalnum((unsigned char)name.at[i]) && name.at[i] != '_') {
            return false;
        }
    }
    return name.len > 0;
}

/* Words. */

static bool is_among(char c, const char *blanks)
{
    return c != '\0' && strchr(blanks, c) != NULL;
}

/* Takes the next word off the front of a line; empty at its end. */
static struct bytes take_word(struct bytes *line, const char *blanks)
{
    struct bytes word;

    while (line->len > 0 && is_among(line->at[0], blanks)) {
        *line = (struct bytes){line->at + 1, line->len - 1};
    }
    word = (struct bytes){line->at, 0};
    while (word.len < line->len && !is_among(word.at[word.len], blanks)) {
        word.len++;
    }
    *line = (struct bytes){line->at + word.len, line->len - word.len};
    return word;
}

/* If the word is "OPTION=VALUE", returns true with the value, which may be empty. */
static bool has_value(struct bytes word, struct bytes option, struct bytes *value)
{
    if (word.len < option.len || memcmp(word.at, option.at, option.len) != 0) {
        return false;
    }
    *value = (struct bytes){word.at + option.len, word.len - option.len};
    return true;
}

static bool has_shebang(struct bytes text)
{
    return text.len >= 2 && memcmp(text.at, "#!", 2) == 0;
}

/* Limits. */

enum quota_read {
    QUOTA_TAKEN,
    QUOTA_OTHER,   /* The word is of something else. */
    QUOTA_INVALID, /* It is one of these, and has no such value. */
};

/* An option without a value is a word that we do not know, as it is for Redis. */
static enum quota_read read_quota(struct quota *q, struct bytes word)
{
    struct bytes value;
    int64_t bytes;

    if (has_value(word, BYTES("timeout="), &value) && value.len > 0) {
        return number_parse_duration_ms(value, &q->time_ms) && q->time_ms > 0 ? QUOTA_TAKEN
                                                                              : QUOTA_INVALID;
    }
    if (has_value(word, BYTES("memory="), &value) && value.len > 0) {
        if (!number_parse_memory(value, &bytes) || bytes <= 0) {
            return QUOTA_INVALID;
        }
        q->memory = (size_t)bytes;
        return QUOTA_TAKEN;
    }
    return QUOTA_OTHER;
}

/* Scripts. */

static bool read_flag(struct shebang *s, struct bytes name, char *message, size_t size)
{
    unsigned flag = script_flag_of(name);

    if (flag == 0) {
        snprintf(message, size, "Unexpected flag in script shebang: %.*s", (int)name.len, name.at);
        return false;
    }
    s->flags |= flag;
    return true;
}

static bool read_flags(struct shebang *s, struct bytes flags, char *message, size_t size)
{
    bool more = flags.len > 0;

    while (more) {
        const char *comma = memchr(flags.at, ',', flags.len);
        struct bytes name = {flags.at, comma != NULL ? (size_t)(comma - flags.at) : flags.len};

        if (!read_flag(s, name, message, size)) {
            return false;
        }
        more = comma != NULL;
        if (more) {
            flags = (struct bytes){comma + 1, flags.len - name.len - 1};
        }
    }
    return true;
}

static bool read_script_option(struct shebang *s, struct bytes word, char *message, size_t size)
{
    struct bytes flags;

    if (has_value(word, BYTES("flags="), &flags)) {
        return read_flags(s, flags, message, size);
    }
    switch (read_quota(&s->quota, word)) {
    case QUOTA_TAKEN:
        return true;
    case QUOTA_INVALID:
        snprintf(message, size, "Invalid value of a lua shebang option: %.*s", (int)word.len,
                 word.at);
        return false;
    default:
        snprintf(message, size, "Unknown lua shebang option: %.*s", (int)word.len, word.at);
        return false;
    }
}

bool shebang_read_script(struct bytes text, struct shebang *s, char *message, size_t size)
{
    static const char blanks[] = " \r";
    const char *end = memchr(text.at, '\n', text.len);
    struct bytes line, word;

    *s = (struct shebang){.len = 0};
    if (!has_shebang(text)) {
        return true;
    }
    if (end == NULL) {
        snprintf(message, size, "Invalid script shebang");
        return false;
    }
    s->len = (size_t)(end - text.at);
    s->flags = SCRIPT_DECLARED;
    line = (struct bytes){text.at, s->len};
    word = take_word(&line, blanks);
    if (!bytes_equal(word, BYTES("#!lua"))) {
        snprintf(message, size, "Unexpected engine in script shebang: %.*s", (int)word.len,
                 word.at);
        return false;
    }
    while ((word = take_word(&line, blanks)).len > 0) {
        if (!read_script_option(s, word, message, size)) {
            return false;
        }
    }
    return true;
}

/* Libraries. */

/* A value may stand in quotes. */
static struct bytes without_quotes(struct bytes b)
{
    bool quoted = b.len >= 2 && (b.at[0] == '"' || b.at[0] == '\'') && b.at[b.len - 1] == b.at[0];

    return quoted ? (struct bytes){b.at + 1, b.len - 2} : b;
}

static bool read_name(struct bytes name, struct shebang *s, struct buf *error)
{
    if (s->name.len > 0) {
        buf_addf(error, "ERR Invalid metadata value, name argument was given multiple times");
        return false;
    }
    s->name = without_quotes(name);
    if (!shebang_is_name(s->name)) {
        buf_addf(error, "ERR %s", shebang_bad_name);
        return false;
    }
    return true;
}

static bool read_library_option(struct bytes word, struct shebang *s, struct buf *error)
{
    struct bytes name;

    if (has_value(word, BYTES("name="), &name)) {
        return read_name(name, s, error);
    }
    if (read_quota(&s->quota, word) != QUOTA_TAKEN) {
        buf_addf(error, "ERR Invalid metadata value given: %.*s", (int)word.len, word.at);
        return false;
    }
    return true;
}

bool shebang_read_library(struct bytes text, struct shebang *s, struct buf *error)
{
    static const char blanks[] = " \t\n\v\f\r";
    const char *end = memchr(text.at, '\n', text.len);
    struct bytes line, word;

    *s = (struct shebang){.len = 0};
    if (!has_shebang(text)) {
        buf_addf(error, "ERR Missing library metadata");
        return false;
    }
    if (end == NULL) {
        buf_addf(error, "ERR Invalid library metadata");
        return false;
    }
    s->len = (size_t)(end - text.at);
    line = (struct bytes){text.at + 2, s->len - 2};
    word = line.len > 0 && is_among(line.at[0], blanks) ? BYTES("") : take_word(&line, blanks);
    if (!bytes_is(word, "lua")) {
        buf_addf(error, "ERR Engine '%.*s' not found", (int)word.len, word.at);
        return false;
    }
    while ((word = take_word(&line, blanks)).len > 0) {
        if (!read_library_option(word, s, error)) {
            return false;
        }
    }
    if (s->name.len == 0) {
        buf_addf(error, "ERR Library name was not given");
    }
    return s->name.len > 0;
}
