#include "server/config.h"

#include "base/mem.h"
#include "base/number.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* The table. */

const struct option *options_find(struct bytes name)
{
    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options[i];
        if (bytes_is(name, o->name) || (o->alias != NULL && bytes_is(name, o->alias))) {
            return o;
        }
    }
    return NULL;
}

enum { NAME_MAX_LEN = 64 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Returns how many letters have to be inserted, removed or replaced to make one
 * name the other (Levenshtein, 1966). */
static size_t distance(struct bytes a, struct bytes b)
{
    size_t row[NAME_MAX_LEN + 1]; /* From the first i letters of a to the first j of b. */
    size_t diagonal, above;

    assert(b.len <= NAME_MAX_LEN);
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a.at[i - 1] != b.at[j - 1]));
            diagonal = above;
        }
    }
    return row[b.len];
}

const char *options_suggest(struct bytes name)
{
    size_t best = 2 + name.len / 8; /* More mistakes than these nobody makes. */
    const char *found = NULL;

    if (name.len > NAME_MAX_LEN) {
        return NULL;
    }
    for (size_t i = 0; i < 2 * options_count; i++) {
        const struct option *o = &options[i / 2];
        const char *candidate = i % 2 == 0 ? o->name : o->alias;
        size_t mistakes = candidate == NULL ? best + 1 : distance(name, bytes_of(candidate));
        if (mistakes <= best && (found == NULL || mistakes < best)) {
            best = mistakes;
            found = candidate;
        }
    }
    return found;
}

/* Numbers. All types but the texts and client-output-buffer-limit are kept as such. */

__attribute__((format(printf, 2, 3))) static bool fail(struct buf *error, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_add(error, bytes_of(text));
    return false;
}

static bool parse_octal(struct bytes text, int64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '7' || i == 20) {
            return false;
        }
        *number = *number * 8 + text.at[i] - '0';
    }
    return text.len > 0;
}

/* Parses one of `words` to its place among them. */
static bool parse_word(const char *const *words, struct bytes text, int64_t *number)
{
    for (int64_t i = 0; words[i] != NULL; i++) {
        if (bytes_is(text, words[i])) {
            *number = i;
            return true;
        }
    }
    return false;
}

static const char *const no_yes[] = {"no", "yes", NULL};

static bool fail_word(struct buf *error, const char *const *words)
{
    fail(error, "argument(s) must be one of the following: %s", words[0]);
    for (size_t i = 1; words[i] != NULL; i++) {
        fail(error, ", %s", words[i]);
    }
    return false;
}

static bool parse_events(struct bytes text, int64_t *number)
{
    unsigned classes;

    if (!event_parse_classes(text, &classes)) {
        return false;
    }
    *number = classes;
    return true;
}

static bool parse_any_number(const struct option *o, struct bytes text, int64_t *number,
                             struct buf *error)
{
    switch (o->type) {
    case OPTION_MEMORY:
    case OPTION_SHARE:
        return number_parse_memory(text, number) || fail(error, "argument must be a memory value");
    case OPTION_OCTAL:
        return parse_octal(text, number) ||
               fail(error, "argument couldn't be parsed as an octal number");
    case OPTION_BOOL:
        return parse_word(no_yes, text, number) || fail(error, "argument must be 'yes' or 'no'");
    case OPTION_ENUM:
        return parse_word(o->words, text, number) || fail_word(error, o->words);
    case OPTION_EVENTS:
        return parse_events(text, number) ||
               fail(error, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    default:
        return number_parse_int(text, number) ||
               fail(error, "argument couldn't be parsed into an integer");
    }
}

static bool is_bounded(const struct option *o)
{
    return o->type == OPTION_INTEGER || o->type == OPTION_MEMORY || o->type == OPTION_SHARE ||
           o->type == OPTION_OCTAL;
}

static int64_t max_of(const struct option *o)
{
    if (o->max != 0) {
        return o->max;
    }
    return o->type == OPTION_MEMORY || o->type == OPTION_SHARE ? INT64_MAX : INT32_MAX;
}

static bool parse_number(const struct option *o, struct bytes text, int64_t *number,
                         struct buf *error)
{
    int64_t max = max_of(o);

    if (!parse_any_number(o, text, number, error)) {
        return false;
    }
    if (is_bounded(o) && (*number < o->min || *number > max)) {
        return fail(error,
                    o->type == OPTION_OCTAL ? "argument must be between %llo and %llo inclusive"
                                            : "argument must be between %lld and %lld inclusive",
                    (long long)o->min, (long long)max);
    }
    return true;
}

static void format_number(const struct option *o, int64_t number, struct buf *out)
{
    switch (o->type) {
    case OPTION_OCTAL:
        buf_addf(out, "%llo", (long long)number);
        break;
    case OPTION_BOOL:
        buf_addf(out, "%s", no_yes[number]);
        break;
    case OPTION_ENUM:
        buf_addf(out, "%s", o->words[number]);
        break;
    case OPTION_EVENTS:
        event_add_classes((unsigned)number, out);
        break;
    default:
        buf_addf(out, "%lld", (long long)number);
    }
}

static void store_number(void *field, size_t size, int64_t number)
{
    switch (size) {
    case sizeof(bool):
        *(bool *)field = number != 0;
        break;
    case sizeof(int):
        *(int *)field = (int)number;
        break;
    default:
        assert(size == sizeof(int64_t));
        *(int64_t *)field = number;
    }
}

static int64_t load_number(const void *field, size_t size)
{
    switch (size) {
    case sizeof(bool):
        return *(const bool *)field;
    case sizeof(int):
        return *(const int *)field;
    default:
        assert(size == sizeof(int64_t));
        return *(const int64_t *)field;
    }
}

/* client-output-buffer-limit. */

static struct output_limit *outputs_find(struct output_limits *o, struct bytes class)
{
    if (bytes_is(class, "normal")) {
        return &o->normal;
    }
    if (bytes_is(class, "slave") || bytes_is(class, "replica")) {
        return &o->replica;
    }
    return bytes_is(class, "pubsub") ? &o->pubsub : NULL;
}

/* Splits the first word off *text. Returns one of no bytes if there is none. */
static struct bytes split_word(struct bytes *text)
{
    struct bytes word;

    while (text->len > 0 && *text->at == ' ') {
        text->at++;
        text->len--;
    }
    word = (struct bytes){text->at, 0};
    while (text->len > 0 && *text->at != ' ') {
        text->at++;
        text->len--;
        word.len++;
    }
    return word;
}

static bool parse_output(struct bytes word[4], struct output_limits *outputs, struct buf *error)
{
    struct output_limit *limit = outputs_find(outputs, word[0]);
    int64_t hard, soft, soft_s;

    if (limit == NULL) {
        return fail(error, "Invalid client class specified in buffer limit configuration.");
    }
    if (!number_parse_memory(word[1], &hard) || !number_parse_memory(word[2], &soft) ||
        !number_parse_int(word[3], &soft_s) || soft_s < 0 || soft_s > INT32_MAX) {
        return fail(error,
                    "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    }
    *limit = (struct output_limit){(size_t)hard, (size_t)soft, (int)soft_s};
    return true;
}

/* Classes that are not named keep their limits. */
static bool set_outputs(struct settings *s, struct bytes text, struct buf *error)
{
    struct output_limits outputs = s->net.outputs;
    struct bytes word[4];

    while ((word[0] = split_word(&text)).len > 0) {
        for (size_t i = 1; i < 4; i++) {
            word[i] = split_word(&text);
        }
        if (word[3].len == 0) {
            return fail(error, "Wrong number of arguments in buffer limit configuration.");
        }
        if (!parse_output(word, &outputs, error)) {
            return false;
        }
    }
    s->net.outputs = outputs;
    return true;
}

static void get_outputs(const struct settings *s, struct buf *out)
{
    const struct output_limits *o = &s->net.outputs;

    buf_addf(out, "normal %zu %zu %d slave %zu %zu %d pubsub %zu %zu %d", o->normal.hard,
             o->normal.soft, o->normal.soft_s, o->replica.hard, o->replica.soft, o->replica.soft_s,
             o->pubsub.hard, o->pubsub.soft, o->pubsub.soft_s);
}

/* Any option. */

static bool is_text(const struct option *o)
{
    return o->type == OPTION_TEXT || o->type == OPTION_WORDS || o->type == OPTION_PERCENTILES ||
           o->type == OPTION_POINTS || o->type == OPTION_FILE;
}

static void *field_of(const struct settings *s, const struct option *o)
{
    return (char *)s + o->place;
}

static struct buf *text_of(const struct settings *s, const struct option *o)
{
    return o->size == 0 ? &s->texts[o - options] : field_of(s, o);
}

static void assign(struct buf *b, struct bytes text)
{
    b->len = 0;
    buf_add(b, text);
}

static bool set_number(struct settings *s, const struct option *o, struct bytes text,
                       struct buf *error)
{
    BUF_LOCAL(canonical);
    int64_t number;

    if (!parse_number(o, text, &number, error)) {
        return false;
    }
    if (o->size > 0) {
        store_number(field_of(s, o), o->size, number);
    } else {
        format_number(o, number, &canonical);
        assign(text_of(s, o), buf_bytes(&canonical));
    }
    return true;
}

/* Appends a number as "%f" writes it, without the zeros that say nothing. */
static void add_trimmed(struct buf *out, double number)
{
    buf_addf(out, "%f", number);
    while (out->at[out->len - 1] == '0') {
        out->len--;
    }
    if (out->at[out->len - 1] == '.') {
        out->len--;
    }
}

/* There is no field for a share: nothing goes by one. */
static bool set_share(struct settings *s, const struct option *o, struct bytes text,
                      struct buf *error)
{
    struct bytes digits = {text.at, text.len - 1};
    int64_t percent;

    if (text.len == 0 || text.at[text.len - 1] != '%') {
        return set_number(s, o, text, error);
    }
    if (!number_parse_int(digits, &percent) || percent < 0) {
        return fail(error, "argument must be a memory or percent value");
    }
    if (percent > 100) {
        return fail(error, "percentage argument must be less or equal to 100");
    }
    assign(text_of(s, o), text);
    return true;
}

static bool set_percentiles(struct settings *s, const struct option *o, struct bytes text,
                            struct buf *error)
{
    BUF_LOCAL(canonical);
    struct bytes word;
    double number;

    while ((word = split_word(&text)).len > 0) {
        if (!number_parse_double(word, &number)) {
            return fail(error, "Invalid %s parameters", o->name);
        }
        if (!(number >= 0 && number <= 100)) {
            return fail(error, "%s parameters should sit between [0.0,100.0]", o->name);
        }
        if (canonical.len > 0) {
            buf_add_byte(&canonical, ' ');
        }
        add_trimmed(&canonical, number);
    }
    assign(text_of(s, o), buf_bytes(&canonical));
    return true;
}

static bool set_points(struct settings *s, const struct option *o, struct bytes text,
                       struct buf *error)
{
    BUF_LOCAL(canonical);
    struct bytes seconds, changes;
    int64_t seconds_number, changes_number;

    while ((seconds = split_word(&text)).len > 0) {
        changes = split_word(&text);
        if (!number_parse_int(seconds, &seconds_number) || seconds_number < 1 ||
            !number_parse_int(changes, &changes_number) || changes_number < 0) {
            return fail(error, "Invalid save parameters");
        }
        buf_addf(&canonical, "%s%lld %lld", canonical.len > 0 ? " " : "", (long long)seconds_number,
                 (long long)changes_number);
    }
    assign(text_of(s, o), buf_bytes(&canonical));
    return true;
}

static bool set_file(struct settings *s, const struct option *o, struct bytes text,
                     struct buf *error)
{
    if (text.len == 0 || memchr(text.at, '/', text.len) != NULL) {
        return fail(error, "%s can't be a path, just a filename", o->name);
    }
    assign(text_of(s, o), text);
    return true;
}

bool settings_set(struct settings *s, const struct option *o, struct bytes text, struct buf *error)
{
    if (o->type == OPTION_OUTPUTS) {
        return set_outputs(s, text, error);
    }
    if (o->type == OPTION_SHARE) {
        return set_share(s, o, text, error);
    }
    if (o->type == OPTION_PERCENTILES) {
        return set_percentiles(s, o, text, error);
    }
    if (o->type == OPTION_POINTS) {
        return set_points(s, o, text, error);
    }
    if (o->type == OPTION_FILE) {
        return set_file(s, o, text, error);
    }
    if (is_text(o)) {
        assign(text_of(s, o), text);
        return true;
    }
    return set_number(s, o, text, error);
}

void settings_get(const struct settings *s, const struct option *o, struct buf *out)
{
    if (o->type == OPTION_OUTPUTS) {
        get_outputs(s, out);
    } else if (is_text(o) || o->size == 0) {
        buf_add(out, buf_bytes(text_of(s, o)));
    } else {
        format_number(o, load_number(field_of(s, o), o->size), out);
    }
}

void settings_init(struct settings *s)
{
    BUF_LOCAL(error);

    *s = (struct settings){.limits = value_limits_default};
    s->texts = mem_zalloc(options_count * sizeof *s->texts);
    for (size_t i = 0; i < options_count; i++) {
        settings_set(s, &options[i], bytes_of(options[i].initial), &error);
        assert(error.len == 0);
    }
}

void settings_clear(struct settings *s)
{
    for (size_t i = 0; i < options_count; i++) {
        if (is_text(&options[i]) || options[i].size == 0) {
            buf_clear(text_of(s, &options[i]));
        }
    }
    mem_free(s->texts);
}

bool settings_is_initial(const struct settings *s, const struct option *o)
{
    struct settings initial;
    BUF_LOCAL(now);
    BUF_LOCAL(first);

    settings_init(&initial);
    settings_get(s, o, &now);
    settings_get(&initial, o, &first);
    settings_clear(&initial);
    return bytes_equal(buf_bytes(&now), buf_bytes(&first));
}
