#include "command/syntax.h"

#include <assert.h>
#include <ctype.h>

struct parser {
    struct arena *arena;
    const char *at;
};

/* Arguments in the order they were added. */
struct sequence {
    struct argument *first;
    struct argument **end; /* Where the next one is linked. */
    size_t count;
};

static void sequence_init(struct sequence *s)
{
    *s = (struct sequence){.end = &s->first};
}

static void sequence_add(struct sequence *s, struct argument *a)
{
    assert(a->next == NULL);
    *s->end = a;
    s->end = &a->next;
    s->count++;
}

/* Cuts off what begins at `link` and takes up the last `count` places. */
static void sequence_cut(struct sequence *s, struct argument **link, size_t count)
{
    *link = NULL;
    s->end = link;
    s->count -= count;
}

static struct argument *argument_new(struct parser *p, enum argument_kind kind)
{
    struct argument *a = arena_alloc(p->arena, sizeof *a);

    *a = (struct argument){.kind = kind};
    return a;
}

static size_t list_length(const struct argument *list)
{
    size_t length = 0;

    for (; list != NULL; list = list->next) {
        length++;
    }
    return length;
}

/* Returns the names of a list's arguments with underscores between them. */
static struct bytes join_names(struct arena *arena, const struct argument *list)
{
    size_t len = 0;
    char *at, *joined;

    for (const struct argument *a = list; a != NULL; a = a->next) {
        len += a->name.len + 1;
    }
    joined = arena_alloc(arena, len);
    at = joined;
    for (const struct argument *a = list; a != NULL; a = a->next) {
        memcpy(at, a->name.at, a->name.len);
        at += a->name.len;
        *at++ = '_';
    }
    return (struct bytes){joined, len - 1};
}

/* What a token can belong to. */
static bool takes_token(const struct argument *a)
{
    return a != NULL && a->kind != ARGUMENT_TOKEN && !a->optional && a->token.len == 0;
}

/* Makes a list one argument: itself if there is but one in it, or else a block. */
static struct argument *as_one(struct parser *p, struct argument *list)
{
    struct argument *block;

    assert(list != NULL);
    if (list->next == NULL) {
        return list;
    }
    block = argument_new(p, ARGUMENT_BLOCK);
    block->parts = list;
    block->name = join_names(p->arena, list);
    return block;
}

/* Gives a token the arguments that follow it. Returns what they are together, linked
 * to the rest of the list. */
static struct argument *bind_token(struct parser *p, struct argument *token)
{
    struct argument *last = token;
    struct argument *rest, *bound;

    while (takes_token(last->next)) {
        last = last->next;
    }
    if (last == token) {
        return token;
    }
    rest = last->next;
    last->next = NULL;
    bound = as_one(p, token->next);
    bound->token = token->token;
    bound->next = rest;
    return bound;
}

/* Gives all tokens of a list what belongs to them. It is done when the list is
 * complete, for until then it is compared with what might repeat its end. */
static struct argument *bind_tokens(struct parser *p, struct argument *list)
{
    for (struct argument **link = &list; *link != NULL; link = &(*link)->next) {
        if ((*link)->kind == ARGUMENT_TOKEN) {
            *link = bind_token(p, *link);
        }
    }
    return list;
}

static void skip_spaces(struct parser *p)
{
    p->at += strspn(p->at, " ");
}

static bool is_next(struct parser *p, const char *mark)
{
    skip_spaces(p);
    return strncmp(p->at, mark, strlen(mark)) == 0;
}

static bool accept(struct parser *p, const char *mark)
{
    bool found = is_next(p, mark);

    p->at += found ? strlen(mark) : 0;
    return found;
}

static void expect(struct parser *p, const char *mark)
{
    bool found = accept(p, mark);

    assert(found);
}

static bool has_lower(struct bytes word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (islower((unsigned char)word.at[i])) {
            return true;
        }
    }
    return false;
}

static struct bytes to_lower(struct arena *arena, struct bytes word)
{
    char *lower = arena_alloc(arena, word.len);

    for (size_t i = 0; i < word.len; i++) {
        lower[i] = (char)tolower((unsigned char)word.at[i]);
    }
    return (struct bytes){lower, word.len};
}

static struct argument *parse_word(struct parser *p)
{
    struct bytes word = {p->at, strcspn(p->at, " []<>|")};
    struct argument *a = argument_new(p, has_lower(word) ? ARGUMENT_NAMED : ARGUMENT_TOKEN);

    assert(word.len > 0);
    p->at += word.len;
    a->name = word;
    if (a->kind == ARGUMENT_TOKEN) {
        a->token = word;
        a->name = to_lower(p->arena, word);
    }
    return a;
}

static void parse_sequence(struct parser *p, struct sequence *s);

/* Reads what is between brackets. What there is no choice in is returned as it
 * stands, its tokens not bound; a choice is one argument. */
static struct argument *parse_alternatives(struct parser *p)
{
    struct argument *oneof = argument_new(p, ARGUMENT_ONEOF);
    struct sequence sequence, choices;

    parse_sequence(p, &sequence);
    if (!is_next(p, "|")) {
        return sequence.first;
    }
    sequence_init(&choices);
    sequence_add(&choices, as_one(p, bind_tokens(p, sequence.first)));
    while (accept(p, "|")) {
        parse_sequence(p, &sequence);
        sequence_add(&choices, as_one(p, bind_tokens(p, sequence.first)));
    }
    oneof->parts = choices.first;
    oneof->name = join_names(p->arena, choices.first);
    return oneof;
}

static bool lists_equal(const struct argument *a, const struct argument *b)
{
    while (a != NULL && b != NULL && a->kind == b->kind && bytes_equal(a->name, b->name) &&
           bytes_equal(a->token, b->token) && lists_equal(a->parts, b->parts)) {
        a = a->next;
        b = b->next;
    }
    return a == NULL && b == NULL;
}

/* Returns the link to the last `count` arguments of a sequence. */
static struct argument **last_of(struct sequence *s, size_t count)
{
    struct argument **link = &s->first;

    for (size_t i = count; i < s->count; i++) {
        link = &(*link)->next;
    }
    return link;
}

static void set_multiple(struct argument *a)
{
    a->multiple = true;
    a->multiple_token = a->token.len > 0 && a->kind != ARGUMENT_TOKEN;
}

/* Takes "[a ...]" as that `a` at the end of the sequence may be repeated, if that is
 * what is there. */
static bool repeats_end(struct parser *p, struct sequence *s, const struct argument *list)
{
    size_t count = list_length(list);
    struct argument **link;
    struct argument *end;

    if (count > s->count) {
        return false;
    }
    link = last_of(s, count);
    end = *link;
    if (!lists_equal(end, list)) {
        return false;
    }
    sequence_cut(s, link, count);
    end = as_one(p, bind_tokens(p, end));
    set_multiple(end);
    sequence_add(s, end);
    return true;
}

static void parse_optional(struct parser *p, struct sequence *s)
{
    struct argument *list = parse_alternatives(p);
    bool repeats = accept(p, "...");

    expect(p, "]");
    if (repeats && repeats_end(p, s, list)) {
        return;
    }
    list = as_one(p, bind_tokens(p, list));
    list->optional = true;
    if (repeats) {
        set_multiple(list);
    }
    sequence_add(s, list);
}

static void parse_choice(struct parser *p, struct sequence *s)
{
    struct argument *choice = parse_alternatives(p);
    bool repeats = accept(p, "...");

    expect(p, ">");
    choice = as_one(p, bind_tokens(p, choice));
    if (repeats) {
        set_multiple(choice);
    }
    sequence_add(s, choice);
}

/* Reads up to what ends an alternative; strchr() finds the end of the text, too. */
static void parse_sequence(struct parser *p, struct sequence *s)
{
    sequence_init(s);
    while (!is_next(p, "...") && strchr("|]>", *p->at) == NULL) {
        if (accept(p, "[")) {
            parse_optional(p, s);
        } else if (accept(p, "<")) {
            parse_choice(p, s);
        } else {
            sequence_add(s, parse_word(p));
        }
    }
}

const struct argument *syntax_parse(struct arena *arena, const char *syntax)
{
    struct parser p = {arena, syntax};
    struct argument *list = bind_tokens(&p, parse_alternatives(&p));

    assert(*p.at == '\0');
    return list;
}
