#include "resp/reader.h"

#include "base/mem.h"
#include "base/number.h"

#include <assert.h>
#include <stdio.h>

enum {
    ARGV_FIRST = 16,           /* Room for arguments in the first allocation. */
    ARGV_KEPT = 1024,          /* The most room that is kept for the next request, */
    INLINE_KEPT = 16 * 1024,   /* and the most text. */
    PLAIN_DIGITS = 9,          /* Of a length that is read the short way. */
    UNAUTHENTICATED_ARGS = 10, /* These two are what AUTH and HELLO can need. */
    UNAUTHENTICATED_BULK = 16384,
    INLINE_MAX = 64 * 1024,
    BULK_MAX = 512 * 1024 * 1024,
};

const struct resp_limits resp_limits_default = {
    .bulk_max = BULK_MAX,
    .multibulk_max = INT32_MAX,
    .inline_max = INLINE_MAX,
};

const struct resp_limits resp_limits_unauthenticated = {
    .bulk_max = UNAUTHENTICATED_BULK,
    .multibulk_max = UNAUTHENTICATED_ARGS,
    .inline_max = INLINE_MAX,
    .unauthenticated = true,
};

/* The functions that look for a part of a request return RESP_REQUEST when they
 * have found it, and otherwise what resp_read() is to return. */

static enum resp_result fail(struct resp_request *out, const char *what)
{
    snprintf(out->error, sizeof out->error, "Protocol error: %s", what);
    return RESP_ERROR;
}

static enum resp_result more(struct resp_request *out, size_t need)
{
    out->need = need;
    return RESP_MORE;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_crlf(const char *at)
{
    return at[0] == '\r' && at[1] == '\n';
}

static void argv_grow(struct resp_reader *r)
{
    r->cap = r->cap == 0 ? ARGV_FIRST : 2 * r->cap;
    r->argv = mem_realloc(r->argv, r->cap * sizeof *r->argv);
}

static inline void argv_add(struct resp_reader *r, const char *at, size_t len)
{
    if (__builtin_expect(r->argc == r->cap, 0)) {
        argv_grow(r);
    }
    r->argv[r->argc++] = (struct bytes){at, len};
}

/* While a request is incomplete the buffer may move, so its arguments are kept
 * as offsets, in the place of their views' pointers. Each argument is turned
 * into an offset and back once at the most, however many pieces follow. */
static void argv_to_offsets(struct resp_reader *r, size_t from, const char *base)
{
    for (size_t i = from; i < r->argc; i++) {
        uintptr_t offset = (uintptr_t)(r->argv[i].at - base);
        r->argv[i].at = (const char *)offset; /* NOLINT(performance-no-int-to-ptr) */
    }
}

static void argv_to_views(struct resp_reader *r, size_t count, const char *base)
{
    for (size_t i = 0; i < count; i++) {
        r->argv[i].at = base + (uintptr_t)r->argv[i].at;
    }
}

/* What is said about a line that should tell a length and does not. */
struct header_errors {
    const char *too_long;
    const char *invalid;
    const char *unauthenticated;
};

static const struct header_errors multibulk_errors = {
    .too_long = "too big mbulk count string",
    .invalid = "invalid multibulk length",
    .unauthenticated = "unauthenticated multibulk length",
};

static const struct header_errors bulk_errors = {
    .too_long = "too big bulk count string",
    .invalid = "invalid bulk length",
    .unauthenticated = "unauthenticated bulk length",
};

/* Finds the end of the line at r->offset, which is to hold a type, a number and
 * CRLF, and goes behind it. The first byte that does not belong there is an
 * error at once: a line that goes on for ever is not waited for. */
static enum resp_result read_number(struct resp_reader *r, const struct resp_limits *limits,
                                    const struct header_errors *errors, struct bytes in,
                                    int64_t *number, struct resp_request *out)
{
    struct bytes line = {in.at + r->offset, in.len - r->offset};
    size_t len = r->scanned > 0 ? r->scanned : 1;

    while (len < line.len && len <= limits->inline_max &&
           (is_digit(line.at[len]) || line.at[len] == '-')) {
        len++;
    }
    r->scanned = len;
    if (len > limits->inline_max) {
        return fail(out, errors->too_long);
    }
    if (len == line.len || (len + 1 == line.len && line.at[len] == '\r')) {
        return more(out, len + 2 - line.len);
    }
    if (!is_crlf(line.at + len) ||
        !number_parse_int((struct bytes){line.at + 1, len - 1}, number)) {
        return fail(out, errors->invalid);
    }
    r->offset += len + 2;
    r->scanned = 0;
    return RESP_REQUEST;
}

static enum resp_result refuse_length(const struct resp_limits *limits,
                                      const struct header_errors *errors, struct resp_request *out)
{
    return fail(out, limits->unauthenticated ? errors->unauthenticated : errors->invalid);
}

static enum resp_result read_bulk_length(struct resp_reader *r, const struct resp_limits *limits,
                                         struct bytes in, struct resp_request *out)
{
    enum resp_result result;
    int64_t len;

    if (r->offset == in.len) {
        return more(out, 1);
    }
    if (in.at[r->offset] != '$') {
        snprintf(out->error, sizeof out->error, "Protocol error: expected '$', got '%c'",
                 in.at[r->offset]);
        return RESP_ERROR;
    }
    result = read_number(r, limits, &bulk_errors, in, &len, out);
    if (result != RESP_REQUEST) {
        return result;
    }
    if (len < 0) {
        return fail(out, bulk_errors.invalid);
    }
    if ((uint64_t)len > limits->bulk_max) {
        return refuse_length(limits, &bulk_errors, out);
    }
    r->bulk_len = (size_t)len;
    r->in_bulk = true;
    return RESP_REQUEST;
}

/* Reads one bulk step by step: one that comes in pieces, or is none. */
static enum resp_result read_bulk(struct resp_reader *r, const struct resp_limits *limits,
                                  struct bytes in, struct resp_request *out)
{
    enum resp_result result = RESP_REQUEST;
    const char *content;
    size_t have;

    if (!r->in_bulk) {
        result = read_bulk_length(r, limits, in, out);
    }
    if (result != RESP_REQUEST) {
        return result;
    }

    content = in.at + r->offset;
    have = in.len - r->offset;
    if (have < r->bulk_len + 2) {
        return more(out, r->bulk_len + 2 - have);
    }
    if (!is_crlf(content + r->bulk_len)) {
        return fail(out, "missing CRLF after bulk");
    }
    argv_add(r, content, r->bulk_len);
    r->offset += r->bulk_len + 2;
    r->in_bulk = false;
    return RESP_REQUEST;
}

/* The take functions are the short way through what has come whole and is as it
 * nearly always is. They look at lines only that nobody has looked at before.
 *
 * This one takes a length: a few digits, no zero in front, and CRLF. Returns
 * what is behind it, or NULL if the line deserves a closer look. */
static inline const char *take_length(const char *at, const char *end, size_t *len)
{
    const char *first = at;
    const char *stop = end - at > PLAIN_DIGITS ? at + PLAIN_DIGITS : end;
    size_t n = 0;

    while (at < stop && is_digit(*at)) {
        n = n * 10 + (size_t)(*at++ - '0');
    }
    if (end - at < 2 || !is_crlf(at) || at == first || (*first == '0' && at - first > 1)) {
        return NULL;
    }
    *len = n;
    return at + 2;
}

/* Takes the bulks that are there whole, most often all that the request has, and
 * stops before the first that needs read_bulk(). */
static inline void take_bulks(struct resp_reader *r, size_t bulk_max, struct bytes in)
{
    const char *at = in.at + r->offset;
    const char *end = in.at + in.len;
    size_t len;

    for (size_t left = r->arguments - r->argc; left > 0; left--) {
        const char *content = at < end && *at == '$' ? take_length(at + 1, end, &len) : NULL;
        if (content == NULL || len > bulk_max || (size_t)(end - content) < len + 2 ||
            !is_crlf(content + len)) {
            break;
        }
        argv_add(r, content, len);
        at = content + len + 2;
    }
    r->offset = (size_t)(at - in.at);
}

static enum resp_result read_bulks(struct resp_reader *r, const struct resp_limits *limits,
                                   struct bytes in, struct resp_request *out)
{
    size_t known = r->argc; /* These are offsets; what is found now are views. */
    enum resp_result result = RESP_REQUEST;

    while (result == RESP_REQUEST) {
        if (!r->in_bulk && r->scanned == 0) {
            take_bulks(r, limits->bulk_max, in);
        }
        if (r->argc == r->arguments) {
            argv_to_views(r, known, in.at);
            out->used = r->offset;
            return RESP_REQUEST;
        }
        result = read_bulk(r, limits, in, out);
    }
    argv_to_offsets(r, known, in.at);
    return result;
}

/* Reads the header of a multibulk request. One without arguments is nothing. */
static enum resp_result read_count(struct resp_reader *r, const struct resp_limits *limits,
                                   struct bytes in, struct resp_request *out)
{
    enum resp_result result;
    int64_t count;

    result = read_number(r, limits, &multibulk_errors, in, &count, out);
    if (result != RESP_REQUEST) {
        return result;
    }
    if (count <= 0) {
        out->used = r->offset;
        return RESP_NOTHING;
    }
    if ((uint64_t)count > limits->multibulk_max) {
        return refuse_length(limits, &multibulk_errors, out);
    }
    r->arguments = (size_t)count;
    return RESP_REQUEST;
}

/* Takes the header as it nearly always comes. Returns false, and leaves it, if it
 * needs read_count(). */
static inline bool take_count(struct resp_reader *r, size_t multibulk_max, struct bytes in)
{
    size_t count;
    const char *behind = take_length(in.at + 1, in.at + in.len, &count);

    if (r->scanned > 0 || behind == NULL || count == 0 || count > multibulk_max) {
        return false;
    }
    r->arguments = count;
    r->offset = (size_t)(behind - in.at);
    return true;
}

static enum resp_result read_multibulk(struct resp_reader *r, const struct resp_limits *limits,
                                       struct bytes in, struct resp_request *out)
{
    enum resp_result result = RESP_REQUEST;

    if (r->arguments == 0 && !take_count(r, limits->multibulk_max, in)) {
        result = read_count(r, limits, in, out);
    }
    return result == RESP_REQUEST ? read_bulks(r, limits, in, out) : result;
}

/* More bytes can stand between two words of a line than can end an unquoted one:
 * Redis has it so. */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool ends_word(char c)
{
    return is_space(c) && c != '\v' && c != '\f';
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

/* Returns the value of a hexadecimal digit, or -1. */
static int hex_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    c |= 'a' ^ 'A';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char escaped(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/* Appends what one byte or escape between double quotes stands for, and returns
 * what is behind it. */
static const char *unescape(const char *at, const char *end, struct buf *text)
{
    if (*at != '\\' || end - at < 2) {
        buf_add_byte(text, *at);
        return at + 1;
    }
    if (end - at >= 4 && at[1] == 'x' && hex_value(at[2]) >= 0 && hex_value(at[3]) >= 0) {
        buf_add_byte(text, (char)(hex_value(at[2]) * 16 + hex_value(at[3])));
        return at + 4;
    }
    buf_add_byte(text, escaped(at[1]));
    return at + 2;
}

/* Between single quotes only these themselves can be escaped. */
static const char *unescape_single(const char *at, const char *end, struct buf *text)
{
    if (*at == '\\' && end - at >= 2 && at[1] == '\'') {
        at++;
    }
    buf_add_byte(text, *at);
    return at + 1;
}

/* Appends what is quoted. Returns what is behind the closing quote, or NULL if
 * there is none or the word goes on behind it. */
static const char *unquote(const char *at, const char *end, struct buf *text)
{
    char quote = *at++;

    while (at < end && *at != quote) {
        at = quote == '"' ? unescape(at, end, text) : unescape_single(at, end, text);
    }
    if (at == end || (at + 1 < end && !is_space(at[1]))) {
        return NULL;
    }
    return at + 1;
}

/* Takes a word that starts at `at` and has a quote in it. The first such word of
 * a line reserves what all of them can need, so that the text does not move
 * under the views of the earlier ones. */
static const char *take_quoted(struct resp_reader *r, const char *at, const char *quote,
                               const char *end)
{
    struct buf *text = &r->inline_text;
    size_t start = text->len;
    const char *behind;

    buf_reserve(text, (size_t)(end - at));
    buf_add(text, (struct bytes){at, (size_t)(quote - at)});
    behind = unquote(quote, end, text);
    if (behind != NULL) {
        argv_add(r, text->at + start, text->len - start);
    }
    return behind;
}

/* Takes the word at `at`. Returns what is behind it, or NULL if its quotes are
 * unbalanced. */
static const char *take_word(struct resp_reader *r, const char *at, const char *end)
{
    const char *start = at;

    while (at < end && !ends_word(*at) && !is_quote(*at)) {
        at++;
    }
    if (at < end && is_quote(*at)) {
        return take_quoted(r, start, at, end);
    }
    argv_add(r, start, (size_t)(at - start));
    return at;
}

/* Takes all words of a line. Returns false if quotes in it are unbalanced. */
static bool take_words(struct resp_reader *r, struct bytes line)
{
    const char *at = line.at;
    const char *end = line.at + line.len;

    buf_cut(&r->inline_text, 0);
    while (at != NULL) {
        while (at < end && is_space(*at)) {
            at++;
        }
        if (at == end) {
            return true;
        }
        at = take_word(r, at, end);
    }
    return false;
}

/* A CR before the LF needs no care: it is a space, and spaces are skipped. */
static enum resp_result read_inline(struct resp_reader *r, const struct resp_limits *limits,
                                    struct bytes in, struct resp_request *out)
{
    size_t window = in.len <= limits->inline_max ? in.len : limits->inline_max + 1;
    const char *newline = memchr(in.at + r->scanned, '\n', window - r->scanned);

    r->scanned = window;
    if (newline == NULL) {
        return window > limits->inline_max ? fail(out, "too big inline request") : more(out, 1);
    }
    if (!take_words(r, (struct bytes){in.at, (size_t)(newline - in.at)})) {
        return fail(out, "unbalanced quotes in request");
    }
    out->used = (size_t)(newline + 1 - in.at);
    return r->argc > 0 ? RESP_REQUEST : RESP_NOTHING;
}

/* Memory that one huge request needed is not left to an idle connection. */
static void shrink(struct resp_reader *r)
{
    if (r->cap > ARGV_KEPT) {
        mem_free(r->argv);
        r->argv = NULL;
        r->cap = 0;
    }
    if (r->inline_text.cap > INLINE_KEPT) {
        buf_clear(&r->inline_text);
    }
}

void resp_reader_forget(struct resp_reader *r)
{
    r->offset = 0;
    r->scanned = 0;
    r->arguments = 0;
    r->in_bulk = false;
    r->argc = 0;
}

enum resp_result resp_read(struct resp_reader *r, const struct resp_limits *limits, struct bytes in,
                           struct resp_request *out)
{
    enum resp_result result;

    assert(in.len >= r->offset + r->scanned);
    if (r->offset + r->scanned == 0) {
        shrink(r);
    }
    if (in.len == 0) {
        return more(out, 1);
    }

    result = in.at[0] == '*' ? read_multibulk(r, limits, in, out) : read_inline(r, limits, in, out);
    if (result != RESP_MORE) {
        out->argc = r->argc;
        out->argv = r->argv;
        resp_reader_forget(r);
    }
    return result;
}

void resp_reader_clear(struct resp_reader *r)
{
    mem_free(r->argv);
    buf_clear(&r->inline_text);
    *r = (struct resp_reader){0};
}
