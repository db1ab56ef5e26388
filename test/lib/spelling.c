#include "test/lib/spelling.h"

#include "base/mem.h"
#include "base/number.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Spelling replies. */

static void spell_text(struct bytes text, struct buf *out)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];

        switch (c) {
        case '\n':
            buf_add(out, BYTES("\\n"));
            break;
        case '\r':
            buf_add(out, BYTES("\\r"));
            break;
        case '\t':
            buf_add(out, BYTES("\\t"));
            break;
        case '"':
        case '\\':
            buf_add_byte(out, '\\');
            buf_add_byte(out, (char)c);
            break;
        default:
            buf_addf(out, c < ' ' || c > '~' ? "\\x%02x" : "%c", c);
        }
    }
    buf_add_byte(out, '"');
}

static bool take_line(struct bytes *in, struct bytes *line)
{
    const char *end = in->len > 0 ? memchr(in->at, '\r', in->len) : NULL;
    size_t len;

    if (end == NULL || end + 1 == in->at + in->len || end[1] != '\n') {
        return false;
    }
    len = (size_t)(end - in->at);
    *line = (struct bytes){in->at, len};
    drop(in, len + 2);
    return true;
}

static bool take_content(struct bytes *in, size_t len, struct bytes *content)
{
    if (in->len < len + 2 || memcmp(in->at + len, "\r\n", 2) != 0) {
        return false;
    }
    *content = (struct bytes){in->at, len};
    drop(in, len + 2);
    return true;
}

static bool spell_bulk(struct bytes *in, int64_t len, bool verbatim, struct buf *out)
{
    enum { FORMAT = 4 }; /* "txt:" */
    struct bytes content;

    if (!take_content(in, (size_t)len, &content) || (verbatim && content.len < FORMAT)) {
        return false;
    }
    if (verbatim) {
        buf_add(out, (struct bytes){content.at, FORMAT});
        content = (struct bytes){content.at + FORMAT, content.len - FORMAT};
    }
    spell_text(content, out);
    return true;
}

static bool spell_many(struct bytes *in, char type, int64_t len, struct buf *out)
{
    if (type == '~' || type == '>') {
        buf_add_byte(out, type);
    }
    buf_add_byte(out, type == '%' ? '{' : '[');
    for (int64_t i = 0; i < (type == '%' ? 2 * len : len); i++) {
        buf_add_byte(out, ' ');
        if (!spell(in, out)) {
            return false;
        }
    }
    buf_addf(out, " %c", type == '%' ? '}' : ']');
    return true;
}

/* Spells what is a line of its own. Returns false if it is not that. */
static bool spell_line(char type, struct bytes line, struct buf *out)
{
    switch (type) {
    case '-':
        buf_add_byte(out, '!');
        break;
    case '_':
        line = BYTES("nil");
        break;
    case '#':
        line = bytes_equal(line, BYTES("t")) ? BYTES("true") : BYTES("false");
        break;
    case '+':
    case ':':
    case ',':
    case '(':
        break;
    default:
        return false;
    }
    buf_add(out, line);
    return true;
}

bool spell(struct bytes *in, struct buf *out)
{
    struct bytes line;
    int64_t len;
    char type;

    if (!take_line(in, &line) || line.len == 0) {
        return false;
    }
    type = line.at[0];
    line = (struct bytes){line.at + 1, line.len - 1};
    if (spell_line(type, line, out)) {
        return true;
    }
    if (strchr("$=*~%>", type) == NULL || !number_parse_int(line, &len)) {
        return false;
    }
    if (len < 0) {
        buf_add(out, BYTES("nil"));
        return len == -1;
    }
    return type == '$' || type == '=' ? spell_bulk(in, len, type == '=', out)
                                      : spell_many(in, type, len, out);
}

/* Reading what is quoted. */

static bool take_hex(struct bytes *in, char *byte)
{
    char digits[3] = {0};

    if (in->len < 2 || !isxdigit((unsigned char)in->at[0]) || !isxdigit((unsigned char)in->at[1])) {
        return false;
    }
    memcpy(digits, in->at, 2);
    *byte = (char)strtoul(digits, NULL, 16);
    drop(in, 2);
    return true;
}

/* Takes what follows a backslash. */
static bool take_escape(struct bytes *in, char *byte)
{
    static const char names[] = "nrt\"\\";
    static const char meanings[] = "\n\r\t\"\\";
    const char *found = in->len > 0 ? memchr(names, in->at[0], sizeof names - 1) : NULL;

    if (found != NULL) {
        *byte = meanings[found - names];
        drop(in, 1);
        return true;
    }
    if (in->len == 0 || in->at[0] != 'x') {
        return false;
    }
    drop(in, 1);
    return take_hex(in, byte);
}

/* Takes a quoted text, with its quotes, off the front of *in. */
static enum quoted take_quoted(struct bytes *in, struct buf *out)
{
    char quote = in->at[0];

    drop(in, 1);
    while (in->len > 0 && in->at[0] != quote) {
        char c = in->at[0];

        drop(in, 1);
        if (c == '\\' && quote == '"' && !take_escape(in, &c)) {
            return NONSENSE;
        }
        buf_add_byte(out, c);
    }
    if (in->len == 0) {
        return UNENDED;
    }
    drop(in, 1);
    return QUOTED;
}

/* Expectations. */

bool spell_expected(struct bytes want, struct buf *out)
{
    BUF_LOCAL(text);

    if (want.len > 0 && want.at[0] == '!') {
        buf_add(out, want);
        return true;
    }
    while (want.len > 0) {
        if (want.at[0] == '"') {
            text.len = 0;
            if (take_quoted(&want, &text) != QUOTED) {
                return false;
            }
            spell_text(buf_bytes(&text), out);
        } else {
            buf_add_byte(out, want.at[0]);
            drop(&want, 1);
        }
    }
    return true;
}

/* Takes a word off the front of a spelled reply: all up to a space that is not
 * quoted. */
static struct bytes take_token(struct bytes *in)
{
    struct bytes token;
    bool quoted = false;

    while (in->len > 0 && in->at[0] == ' ') {
        drop(in, 1);
    }
    token = (struct bytes){in->at, 0};
    while (in->len > 0 && (quoted || in->at[0] != ' ')) {
        size_t len = quoted && in->at[0] == '\\' && in->len > 1 ? 2 : 1;

        quoted ^= in->at[0] == '"';
        token.len += len;
        drop(in, len);
    }
    return token;
}

static bool opens(struct bytes token)
{
    return token.len > 0 && token.len <= 2 && strchr("[{", token.at[token.len - 1]) != NULL;
}

static bool closes(struct bytes token)
{
    return bytes_equal(token, BYTES("]")) || bytes_equal(token, BYTES("}"));
}

static int compare_units(const void *a, const void *b)
{
    return bytes_compare(buf_bytes(a), buf_bytes(b));
}

static bool take_sorted(struct bytes *in, size_t unit, struct buf *out);

/* Sorts what is up to the end of an array, `together` elements at a time. */
static void take_sorted_elements(struct bytes *in, size_t together, size_t unit, struct buf *out)
{
    struct buf *units = mem_zalloc((in->len + 1) * sizeof *units);
    size_t count = 0;

    while (take_sorted(in, unit, &units[count / together])) {
        count++;
    }
    count = (count + together - 1) / together;
    qsort(units, count, sizeof *units, compare_units);
    for (size_t i = 0; i < count; i++) {
        buf_add(out, buf_bytes(&units[i]));
        buf_clear(&units[i]);
    }
    mem_free(units);
}

/* Takes one element off the front of a spelled reply, and sorts what is in it: in
 * arrays, `unit` elements at a time. Returns false at the end of an array. */
static bool take_sorted(struct bytes *in, size_t unit, struct buf *out)
{
    struct bytes token = take_token(in);

    if (token.len == 0 || closes(token)) {
        return false;
    }
    buf_add_byte(out, ' ');
    buf_add(out, token);
    if (opens(token)) {
        take_sorted_elements(in, token.at[token.len - 1] == '{' ? 2 : unit, unit, out);
        buf_add(out, BYTES(" ]"));
    }
    return true;
}

static bool equal_sorted(struct bytes a, struct bytes b, size_t unit)
{
    BUF_LOCAL(sorted_a);
    BUF_LOCAL(sorted_b);

    take_sorted(&a, unit, &sorted_a);
    take_sorted(&b, unit, &sorted_b);
    return a.len == 0 && b.len == 0 && bytes_equal(buf_bytes(&sorted_a), buf_bytes(&sorted_b));
}

static bool cut_suffix(struct bytes *text, struct bytes suffix)
{
    if (text->len < suffix.len ||
        !bytes_equal((struct bytes){text->at + text->len - suffix.len, suffix.len}, suffix)) {
        return false;
    }
    text->len -= suffix.len;
    return true;
}

bool spelled_fits(struct bytes want, struct bytes got)
{
    if (bytes_equal(want, BYTES("*"))) {
        return true;
    }
    if (want.len > 0 && want.at[0] == '!') {
        return got.len >= want.len && memcmp(got.at, want.at, want.len) == 0;
    }
    if (cut_suffix(&want, BYTES(" (any order)"))) {
        return equal_sorted(want, got, 1);
    }
    if (cut_suffix(&want, BYTES(" (pairs in any order)"))) {
        return equal_sorted(want, got, 2);
    }
    return bytes_equal(want, got);
}

/* Words. */

static enum quoted take_word(struct bytes *in, struct words *words)
{
    enum quoted quoted = QUOTED;

    if (in->at[0] == '"' || in->at[0] == '\'') {
        quoted = take_quoted(in, &words->text);
        if (quoted == QUOTED && in->len > 0 && in->at[0] != ' ') {
            return NONSENSE;
        }
    } else {
        while (in->len > 0 && in->at[0] != ' ') {
            buf_add_byte(&words->text, in->at[0]);
            drop(in, 1);
        }
    }
    words->end[words->count++] = words->text.len;
    return quoted;
}

enum quoted words_take(struct bytes in, struct words *words)
{
    enum quoted quoted = QUOTED;

    words->count = 0;
    words->text.len = 0;
    for (;;) {
        while (in.len > 0 && in.at[0] == ' ') {
            drop(&in, 1);
        }
        if (in.len == 0 || quoted != QUOTED) {
            return quoted;
        }
        if (words->count == WORDS_MAX) {
            return NONSENSE;
        }
        quoted = take_word(&in, words);
    }
}

void words_view(const struct words *words, struct bytes *argv)
{
    size_t start = 0;

    for (size_t i = 0; i < words->count; i++) {
        argv[i] = (struct bytes){words->text.at + start, words->end[i] - start};
        start = words->end[i];
    }
}
