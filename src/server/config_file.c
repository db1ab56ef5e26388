#include "server/config_file.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INCLUDES_MAX = 16 }; /* Files in files. */

/* What is being read. */
struct source {
    struct settings *settings;
    const char *path; /* NULL: flags. */
    int line;
    int depth; /* Of includes. */
    struct buf *error;
};

__attribute__((format(printf, 2, 3))) static bool fail(const struct source *from,
                                                       const char *format, ...)
{
    char text[512];
    va_list args;

    if (from->path != NULL) {
        buf_addf(from->error, "%s:%d: ", from->path, from->line);
    }
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_add(from->error, bytes_of(text));
    return false;
}

/* Words. */

static char byte_of_escape(struct bytes *in)
{
    static const char letters[] = "nrtba";
    static const char meanings[] = "\n\r\t\b\a";
    const char *letter;
    char digits[3] = {0};
    char c = *in->at;
    bool is_hex = in->len >= 3 && c == 'x' && isxdigit((unsigned char)in->at[1]) &&
                  isxdigit((unsigned char)in->at[2]);

    if (is_hex) {
        memcpy(digits, in->at + 1, 2);
        c = (char)strtol(digits, NULL, 16);
    } else if ((letter = memchr(letters, c, sizeof letters - 1)) != NULL) {
        c = meanings[letter - letters];
    }
    in->at += is_hex ? 3 : 1;
    in->len -= is_hex ? 3 : 1;
    return c;
}

static char take(struct bytes *in)
{
    in->len--;
    return *in->at++;
}

/* Reads what is in quotes, behind the first one. Returns false if there is no
 * second, or no space behind it. */
static bool read_quoted(struct bytes *in, char quote, struct buf *word)
{
    while (in->len > 0) {
        char c = take(in);
        if (c == quote) {
            return in->len == 0 || isspace((unsigned char)*in->at);
        }
        if (c == '\\' && in->len > 0 && quote == '"') {
            c = byte_of_escape(in);
        } else if (c == '\\' && in->len > 0 && *in->at == '\'') {
            c = take(in);
        }
        buf_add_byte(word, c);
    }
    return false;
}

static void skip_space(struct bytes *in)
{
    while (in->len > 0 && isspace((unsigned char)*in->at)) {
        take(in);
    }
}

/* Appends the next word. Returns false if its quotes are wrong. */
static bool read_word(struct bytes *in, struct buf *word)
{
    skip_space(in);
    while (in->len > 0 && !isspace((unsigned char)*in->at)) {
        char c = take(in);
        if (c != '"' && c != '\'') {
            buf_add_byte(word, c);
        } else if (!read_quoted(in, c, word)) {
            return false;
        }
    }
    skip_space(in);
    return true;
}

/* Appends all words, with a space between each and the next. */
static bool read_words(struct bytes in, struct buf *words, size_t *count)
{
    *count = 0;
    skip_space(&in);
    while (in.len > 0) {
        if ((*count)++ > 0) {
            buf_add_byte(words, ' ');
        }
        if (!read_word(&in, words)) {
            return false;
        }
    }
    return true;
}

/* Reading. */

static bool read_file(const struct source *from, const char *path);

static bool include(const struct source *from, struct bytes pattern)
{
    char path[4096];
    glob_t found;
    bool read = true;

    bytes_to_string(pattern, path, sizeof path);
    if (from->depth == INCLUDES_MAX) {
        return fail(from, "too many files that include each other");
    }
    if (glob(path, 0, NULL, &found) != 0) {
        return strpbrk(path, "*?[") != NULL || fail(from, "there is no file '%s'", path);
    }
    for (size_t i = 0; i < found.gl_pathc && read; i++) {
        read = read_file(from, found.gl_pathv[i]);
    }
    globfree(&found);
    return read;
}

static bool fail_unknown(const struct source *from, struct bytes name)
{
    const char *prefix = from->path == NULL ? "--" : "";
    const char *meant = options_suggest(name);
    char shown[128];

    bytes_to_string(name, shown, sizeof shown);
    if (meant == NULL) {
        return fail(from, "unknown option '%s%s'", prefix, shown);
    }
    return fail(from, "unknown option '%s%s'; did you mean '%s%s'?", prefix, shown, prefix, meant);
}

/* Sets an option. The points of several lines add up; no words take all of them back. */
static bool assign(const struct source *from, const struct option *o, struct bytes value,
                   struct buf *error)
{
    BUF_LOCAL(sum);

    if (o->type != OPTION_POINTS || from->path == NULL || value.len == 0) {
        return settings_set(from->settings, o, value, error);
    }
    settings_get(from->settings, o, &sum);
    buf_add_byte(&sum, ' ');
    buf_add(&sum, value);
    return settings_set(from->settings, o, buf_bytes(&sum), error);
}

/* Sets an option to `count` words. */
static bool set_option(const struct source *from, struct bytes name, struct bytes value,
                       size_t count)
{
    const struct option *o = options_find(name);
    BUF_LOCAL(error);

    if (count == 1 && bytes_is(name, "include")) {
        return include(from, value);
    }
    if (o == NULL) {
        return fail_unknown(from, name);
    }
    if (option_has_words(o) ? count == 0 && from->path != NULL : count != 1) {
        return fail(from, "'%s' takes %s", o->name, count == 0 ? "a value" : "one value");
    }
    if (!assign(from, o, value, &error)) {
        return fail(from, "'%s': %.*s", o->name, (int)error.len, error.at);
    }
    return true;
}

static bool read_line(const struct source *from, struct bytes line)
{
    BUF_LOCAL(name);
    BUF_LOCAL(value);
    size_t count;

    skip_space(&line);
    if (line.len == 0 || *line.at == '#') {
        return true;
    }
    if (!read_word(&line, &name) || !read_words(line, &value, &count)) {
        return fail(from, "a quote has no end, or no space behind it");
    }
    return set_option(from, buf_bytes(&name), buf_bytes(&value), count);
}

static bool read_lines(struct source *from, FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    bool read = true;

    while (read && (len = getline(&line, &size, file)) >= 0) {
        from->line++;
        read = read_line(from, (struct bytes){line, (size_t)len});
    }
    if (read && ferror(file)) {
        read = fail(from, "%s", strerror(errno));
    }
    free(line);
    return read;
}

static bool read_file(const struct source *parent, const char *path)
{
    bool is_input = strcmp(path, "-") == 0;
    struct source from = {
        parent->settings, is_input ? "standard input" : path, 0, parent->depth + 1, parent->error,
    };
    FILE *file = is_input ? stdin : fopen(path, "re");
    bool read;

    if (file == NULL) {
        buf_addf(from.error, "cannot read '%s': %s", path, strerror(errno));
        return false;
    }
    read = read_lines(&from, file);
    if (!is_input) {
        fclose(file);
    }
    return read;
}

bool config_read_file(struct settings *s, const char *path, struct buf *error)
{
    return read_file(&(struct source){.settings = s, .error = error}, path);
}

static bool is_flag(const char *arg)
{
    return arg[0] == '-' && arg[1] == '-' && arg[2] != '\0';
}

bool config_read_flags(struct settings *s, size_t argc, char *const *argv, struct buf *error)
{
    struct source from = {.settings = s, .error = error};
    BUF_LOCAL(value);
    size_t end;

    for (size_t i = 0; i < argc; i = end) {
        if (!is_flag(argv[i])) {
            return fail(&from, "'%s' belongs to no option", argv[i]);
        }
        value.len = 0;
        for (end = i + 1; end < argc && !is_flag(argv[end]); end++) {
            if (end > i + 1) {
                buf_add_byte(&value, ' ');
            }
            buf_add(&value, bytes_of(argv[end]));
        }
        if (!set_option(&from, bytes_of(argv[i] + 2), buf_bytes(&value), end - i - 1)) {
            return false;
        }
    }
    return true;
}

/* Rewriting. */

static bool is_plain(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!isgraph((unsigned char)text.at[i]) || strchr("\"'\\#", text.at[i]) != NULL) {
            return false;
        }
    }
    return text.len > 0;
}

static void add_quoted(struct buf *out, struct bytes text)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '"' || c == '\\') {
            buf_addf(out, "\\%c", c);
        } else if (isprint(c)) {
            buf_add_byte(out, (char)c);
        } else {
            buf_addf(out, "\\x%02x", c);
        }
    }
    buf_add_byte(out, '"');
}

static void add_line(struct buf *out, const struct settings *s, const struct option *o)
{
    BUF_LOCAL(value);

    settings_get(s, o, &value);
    buf_addf(out, "%s ", o->name);
    if (is_plain(buf_bytes(&value)) || (option_has_words(o) && value.len > 0)) {
        buf_add(out, buf_bytes(&value));
    } else {
        add_quoted(out, buf_bytes(&value));
    }
    buf_add_byte(out, '\n');
}

/* What became of an option in the file that is being rewritten. */
enum fate {
    ABSENT,
    KEPT,
    RENEWED,
};

/* Returns whether the option would keep its value if it were set to these words. So
 * what somebody wrote in his own way, with units or line by line, may stay. */
static bool changes_nothing(const struct settings *s, struct settings *scratch,
                            const struct option *o, struct bytes words)
{
    BUF_LOCAL(value);
    BUF_LOCAL(now);
    BUF_LOCAL(then);
    BUF_LOCAL(error);
    size_t count;

    settings_get(s, o, &now);
    settings_set(scratch, o, buf_bytes(&now), &error);
    if (!read_words(words, &value, &count) ||
        !settings_set(scratch, o, buf_bytes(&value), &error)) {
        return false;
    }
    settings_get(scratch, o, &then);
    return bytes_equal(buf_bytes(&now), buf_bytes(&then));
}

/* Appends a line of the file as it is to be. */
static void renew_line(const struct settings *s, struct settings *scratch, struct bytes line,
                       enum fate *fates, struct buf *out)
{
    struct bytes rest = line;
    const struct option *o = NULL;
    BUF_LOCAL(name);

    if (read_word(&rest, &name)) {
        o = options_find(buf_bytes(&name));
    }
    if (o == NULL) {
        buf_add(out, line);
    } else if (fates[o - options] != RENEWED && changes_nothing(s, scratch, o, rest)) {
        fates[o - options] = KEPT;
        buf_add(out, line);
    } else if (fates[o - options] != RENEWED) {
        fates[o - options] = RENEWED;
        add_line(out, s, o);
    }
}

static void renew_lines(FILE *file, const struct settings *s, enum fate *fates, struct buf *out)
{
    struct settings scratch;
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    settings_init(&scratch);
    while ((len = getline(&line, &size, file)) >= 0) {
        renew_line(s, &scratch, (struct bytes){line, (size_t)len}, fates, out);
    }
    settings_clear(&scratch);
    free(line);
}

static void add_others(const struct settings *s, const enum fate *fates, bool all, struct buf *out)
{
    if (out->len > 0 && out->at[out->len - 1] != '\n') {
        buf_add_byte(out, '\n');
    }
    for (size_t i = 0; i < options_count; i++) {
        if (fates[i] == ABSENT && (all || !settings_is_initial(s, &options[i]))) {
            add_line(out, s, &options[i]);
        }
    }
}

static int write_all(int fd, struct bytes content)
{
    while (content.len > 0) {
        ssize_t put = write(fd, content.at, content.len);
        if (put < 0 && errno != EINTR) {
            return -errno;
        }
        if (put > 0) {
            content.at += put;
            content.len -= (size_t)put;
        }
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

/* Puts a file in place of another, with the same permissions. */
static int replace_file(const char *path, mode_t mode, struct bytes content)
{
    char fresh[4096];
    int fd;
    int err;

    if (snprintf(fresh, sizeof fresh, "%s.XXXXXX", path) >= (int)sizeof fresh) {
        return -ENAMETOOLONG;
    }
    fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    err = write_all(fd, content);
    if (err == 0 && (fchmod(fd, mode) != 0 || rename(fresh, path) != 0)) {
        err = -errno;
    }
    if (err != 0) {
        unlink(fresh);
    }
    close(fd);
    return err;
}

int config_rewrite_file(const struct settings *s, const char *path, bool all)
{
    FILE *file = fopen(path, "re");
    struct stat status;
    BUF_LOCAL(content);
    enum fate *fates;

    if (file == NULL) {
        return -errno;
    }
    if (fstat(fileno(file), &status) != 0) {
        fclose(file);
        return -errno;
    }
    fates = mem_zalloc(options_count * sizeof *fates);
    renew_lines(file, s, fates, &content);
    add_others(s, fates, all, &content);
    mem_free(fates);
    fclose(file);
    return replace_file(path, status.st_mode & 07777, buf_bytes(&content));
}
