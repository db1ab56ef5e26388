#include "command/syntax.h"

#include "base/buf.h"
#include "command/families.h"
#include "test/lib/check.h"

static const struct command *const families[] = {COMMAND_FAMILIES, NULL};

static void write_list(struct buf *out, const struct argument *list);

/* Writes an argument as NAME, with "=TOKEN" if it has one, a list of its parts if it
 * has any, and ? for optional, + for multiple, * if its token is, too. */
static void write_argument(struct buf *out, const struct argument *a)
{
    if (a->kind == ARGUMENT_ONEOF || a->kind == ARGUMENT_BLOCK) {
        buf_add_byte(out, a->kind == ARGUMENT_ONEOF ? '|' : '&');
        write_list(out, a->parts);
    } else {
        buf_add(out, a->name);
    }
    if (a->token.len > 0) {
        buf_add_byte(out, '=');
        buf_add(out, a->token);
    }
    buf_addf(out, "%s%s%s", a->optional ? "?" : "", a->multiple ? "+" : "",
             a->multiple_token ? "*" : "");
}

static void write_list(struct buf *out, const struct argument *list)
{
    buf_add_byte(out, '(');
    for (const struct argument *a = list; a != NULL; a = a->next) {
        write_argument(out, a);
        buf_addf(out, "%s", a->next != NULL ? " " : "");
    }
    buf_add_byte(out, ')');
}

static bool parses_to(const char *syntax, const char *expected)
{
    struct arena arena = {0};
    BUF_LOCAL(written);

    write_list(&written, syntax_parse(&arena, syntax));
    arena_free(&arena);
    if (!bytes_equal(buf_bytes(&written), bytes_of(expected))) {
        printf("%s\n  is      %.*s\n  not     %s\n", syntax, (int)written.len, written.at,
               expected);
        return false;
    }
    return true;
}

TEST(no_text_is_no_argument)
{
    CHECK(parses_to("", "()"));
    CHECK(parses_to("  ", "()"));
}

TEST(words_are_names_or_tokens)
{
    CHECK(parses_to("key value", "(key value)"));
    CHECK(parses_to("ip:port unix-time-seconds", "(ip:port unix-time-seconds)"));
    CHECK(parses_to("* $", "(*=* $=$)"));
}

TEST(a_token_takes_the_names_that_follow)
{
    CHECK(parses_to("EX seconds", "(seconds=EX)"));
    CHECK(parses_to("LIMIT offset count", "(&(offset count)=LIMIT)"));
    CHECK(parses_to("key BY radius unit STORE key", "(key &(radius unit)=BY key=STORE)"));
    CHECK(parses_to("TYPE <A | B>", "(|(a=A b=B)=TYPE)"));
    CHECK(parses_to("COUNT count [ANY]", "(count=COUNT any=ANY?)"));
}

TEST(brackets_make_optional)
{
    CHECK(parses_to("[message]", "(message?)"));
    CHECK(parses_to("key [GET] [EX seconds]", "(key get=GET? seconds=EX?)"));
    CHECK(parses_to("[protover [AUTH username password] [SETNAME clientname]]",
                    "(&(protover &(username password)=AUTH? clientname=SETNAME?)?)"));
    CHECK(parses_to("key [count [WITHVALUES]]", "(key &(count withvalues=WITHVALUES?)?)"));
}

TEST(bars_separate_choices)
{
    CHECK(parses_to("[NX|XX]", "(|(nx=NX xx=XX)?)"));
    CHECK(parses_to("A | b", "(|(a=A b))"));
    CHECK(parses_to("<BYBOX width height | BYRADIUS radius>",
                    "(|(&(width height)=BYBOX radius=BYRADIUS))"));
    CHECK(parses_to("a <b | <C c | D ...>>", "(a |(b |(c=C d=D)+))"));
}

TEST(what_repeats_the_end_is_one_argument)
{
    CHECK(parses_to("key [key ...]", "(key+)"));
    CHECK(parses_to("key field value [field value ...]", "(key &(field value)+)"));
    CHECK(parses_to("STREAMS key [key ...] id [id ...]", "(&(key+ id+)=STREAMS)"));
    CHECK(parses_to("[ID client-id [client-id ...]]", "(client-id=ID?+)"));
    CHECK(parses_to("key [GET pattern [GET pattern ...]]", "(key pattern=GET?+*)"));
    CHECK(parses_to("FIELDS numfields field [field ...]", "(&(numfields field+)=FIELDS)"));
}

TEST(what_repeats_nothing_is_any_number)
{
    CHECK(parses_to("[command-name ...]", "(command-name?+)"));
    CHECK(parses_to("key [field value ...]", "(key &(field value)?+)"));
    CHECK(parses_to("key [element key ...]", "(key &(element key)?+)"));
}

TEST(a_group_is_named_by_its_parts)
{
    struct arena arena = {0};
    const struct argument *a = syntax_parse(&arena, "[LIMIT offset count]");

    CHECK(bytes_equal(a->name, BYTES("offset_count")));
    CHECK(bytes_equal(a->token, BYTES("LIMIT")));
    arena_free(&arena);
}

/* Also parses the syntax, which asserts that it is well-formed. */
static void check_row(const struct command *row)
{
    struct arena arena = {0};

    CHECK(row->arity != 0);
    CHECK(row->run != NULL || row->subcommands != NULL);
    CHECK(row->group != NULL);
    CHECK(row->since != NULL);
    CHECK(row->complexity != NULL);
    CHECK(row->summary != NULL);
    CHECK(row->summary[strlen(row->summary) - 1] != '.');
    CHECK(row->syntax != NULL);
    syntax_parse(&arena, row->syntax);
    arena_free(&arena);
}

TEST(every_row_is_documented)
{
    for (size_t i = 0; families[i] != NULL; i++) {
        for (const struct command *row = families[i]; row->name != NULL; row++) {
            check_row(row);
            for (const struct command *sub = row->subcommands; sub && sub->name; sub++) {
                check_row(sub);
            }
        }
    }
}

int main(void)
{
    return RUN(no_text_is_no_argument, words_are_names_or_tokens,
               a_token_takes_the_names_that_follow, brackets_make_optional, bars_separate_choices,
               what_repeats_the_end_is_one_argument, what_repeats_nothing_is_any_number,
               a_group_is_named_by_its_parts, every_row_is_documented);
}
