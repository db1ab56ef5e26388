#include "test/abort/corpus.h"

#include "base/mem.h"
#include "base/number.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    char part[4096];
    size_t len;

    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    while ((len = fread(part, 1, sizeof part, file)) > 0) {
        buf_add(out, (struct bytes){part, len});
    }
    fclose(file);
    return true;
}

static bool take_line(struct bytes *text, struct bytes *line)
{
    const char *end = text->len > 0 ? memchr(text->at, '\n', text->len) : NULL;

    if (end == NULL) {
        return false;
    }
    *line = (struct bytes){text->at, (size_t)(end - text->at)};
    drop(text, line->len + 1);
    return true;
}

static bool begins(struct bytes *line, const char *with)
{
    struct bytes word = bytes_of(with);

    if (line->len < word.len || memcmp(line->at, word.at, word.len) != 0) {
        return false;
    }
    drop(line, word.len);
    return true;
}

static struct preparation *add_preparation(struct corpus_case *c)
{
    struct preparation *p = mem_zalloc(sizeof *p);

    if (c->last != NULL) {
        c->last->next = p;
    } else {
        c->first = p;
    }
    c->last = p;
    return p;
}

static void add_case(struct corpus_script *script, struct corpus_case *c)
{
    if (script->last != NULL) {
        script->last->next = c;
    } else {
        script->first = c;
    }
    script->last = c;
}

/* Understands a line of the comment. A reply ends the case, and *c becomes NULL. */
static bool understand(struct corpus_script *script, struct corpus_case **c, struct bytes line)
{
    int64_t ms;

    if (begins(&line, "-- > ")) {
        return words_take(line, &add_preparation(*c)->request) == QUOTED;
    }
    if (begins(&line, "-- advance ")) {
        add_preparation(*c)->advance_ms = number_parse_int(line, &ms) ? ms : 0;
        return (*c)->last->advance_ms > 0;
    }
    if (begins(&line, "-- KEYS ")) {
        return words_take(line, &(*c)->keys) == QUOTED;
    }
    if (begins(&line, "-- ARGV ")) {
        return words_take(line, &(*c)->arguments) == QUOTED;
    }
    if (begins(&line, "-- FUNCTION ")) {
        buf_add(&script->function, line);
        return line.len > 0;
    }
    if (begins(&line, "-- < ")) {
        add_case(script, *c);
        return spell_expected(line, &TAKE(*c)->reply);
    }
    return true;
}

static bool contains(struct bytes text, const char *word)
{
    return memmem(text.at, text.len, word, strlen(word)) != NULL;
}

static void free_case(struct corpus_case *c)
{
    while (c->first != NULL) {
        struct preparation *p = c->first;

        c->first = p->next;
        buf_clear(&p->request.text);
        mem_free(p);
    }
    buf_clear(&c->keys.text);
    buf_clear(&c->arguments.text);
    buf_clear(&c->reply);
    mem_free(c);
}

static bool read_comment(struct corpus_script *script, struct bytes text)
{
    struct corpus_case *c = NULL;
    struct bytes line;
    unsigned number = 0;
    bool good = true;

    while (good && take_line(&text, &line)) {
        bool is_comment = line.len >= 2 && memcmp(line.at, "--", 2) == 0;

        number++;
        if (!is_comment && !(number == 1 && line.len > 0 && line.at[0] == '#')) {
            break;
        }
        if (c == NULL) {
            c = mem_zalloc(sizeof *c);
        }
        c->line = number;
        good = !is_comment || understand(script, &c, line);
    }
    if (c != NULL) {
        good = good && c->first == NULL && c->keys.count == 0 && c->arguments.count == 0;
        free_case(c);
    }
    if (!good || script->first == NULL) {
        fprintf(stderr, "%s:%u: this is no case with a reply\n", script->path, number);
    }
    return good && script->first != NULL;
}

bool corpus_read(struct corpus_script *script, const char *path)
{
    *script = (struct corpus_script){.path = path};
    if (!read_file(path, &script->text)) {
        return false;
    }
    script->catches =
        contains(buf_bytes(&script->text), "pcall") || contains(buf_bytes(&script->text), "resume");
    return read_comment(script, buf_bytes(&script->text));
}

void corpus_clear(struct corpus_script *script)
{
    while (script->first != NULL) {
        struct corpus_case *c = script->first;

        script->first = c->next;
        free_case(c);
    }
    buf_clear(&script->text);
    buf_clear(&script->function);
}
