#include "engine/command.h"

#include "test/lib/check.h"

/* Splits a request at its spaces. */
enum { WORDS_MAX = 16 };

static size_t split(const char *request, struct bytes argv[WORDS_MAX])
{
    size_t argc = 0;

    while (*request != '\0') {
        size_t len = strcspn(request, " ");

        CHECK(argc < WORDS_MAX);
        argv[argc++] = (struct bytes){request, len};
        request += len + (request[len] == ' ');
    }
    return argc;
}

struct seen {
    char text[64]; /* "1 3 ": the places of the keys. */
    unsigned flags;
};

static void see(size_t place, unsigned flags, void *context)
{
    struct seen *seen = context;
    size_t len = strlen(seen->text);

    snprintf(seen->text + len, sizeof seen->text - len, "%zu ", place);
    seen->flags |= flags;
}

/* Returns whether these are the places of the keys of a request. `places` NULL: the
 * request makes no sense. */
static bool keys_are(const struct command *cmd, const char *request, const char *places)
{
    struct bytes argv[WORDS_MAX];
    struct seen seen = {0};
    bool ok = command_keys(cmd, split(request, argv), argv, see, &seen);

    return ok == (places != NULL) && (!ok || strcmp(seen.text, places) == 0);
}

TEST(one_key_is_found)
{
    static const struct command get = {.keys = {ONE_KEY(KEY_RO)}};
    static const struct command object = {.keys = {KEY_AT(2, KEY_RO)}};
    static const struct command ping = {.name = "ping"};

    CHECK(keys_are(&get, "get k", "1 "));
    CHECK(keys_are(&get, "get k more", "1 "));
    CHECK(keys_are(&get, "get", NULL));
    CHECK(keys_are(&object, "object encoding k", "2 "));
    CHECK(keys_are(&object, "object encoding", NULL));
    CHECK(keys_are(&ping, "ping k", ""));
}

TEST(many_keys_are_found)
{
    static const struct command del = {.keys = {ALL_KEYS(KEY_RM)}};
    static const struct command mset = {
        .keys = {{.flags = KEY_OW, .index = 1, .last = -1, .step = 2}}};
    static const struct command blpop = {
        .keys = {{.flags = KEY_RW, .index = 1, .last = -2, .step = 1}}};
    static const struct command rename = {
        .keys = {{.flags = KEY_RW, .index = 1, .last = 1, .step = 1}}};
    static const struct command sdiffstore = {.keys = {ONE_KEY(KEY_OW), KEYS_FROM(2, KEY_RO)}};

    CHECK(keys_are(&del, "del a", "1 "));
    CHECK(keys_are(&del, "del a b c", "1 2 3 "));
    CHECK(keys_are(&mset, "mset a 1 b 2", "1 3 "));
    CHECK(keys_are(&blpop, "blpop a b 0", "1 2 "));
    CHECK(keys_are(&blpop, "blpop 0", ""));
    CHECK(keys_are(&rename, "rename a b", "1 2 "));
    CHECK(keys_are(&rename, "rename a", NULL));
    CHECK(keys_are(&sdiffstore, "sdiffstore to a b", "1 2 3 "));
    CHECK(keys_are(&sdiffstore, "sdiffstore to", NULL));
}

TEST(a_part_of_the_arguments_can_be_keys)
{
    static const struct command xread = {.keys = {{.flags = KEY_RO,
                                                   .index = 1,
                                                   .keyword = "streams",
                                                   .last = -1,
                                                   .step = 1,
                                                   .limit = 2}}};

    CHECK(keys_are(&xread, "xread streams a b 0 0", "2 3 "));
    CHECK(keys_are(&xread, "xread count 5 STREAMS a 0", "4 "));
    CHECK(keys_are(&xread, "xread count 5", ""));
    CHECK(keys_are(&xread, "xread streams", ""));
    CHECK(keys_are(&xread, "xread streams a", ""));
}

TEST(a_keyword_can_be_searched_from_the_end)
{
    static const struct command migrate = {
        .keys = {{.flags = KEY_RW, .index = -2, .keyword = "keys", .last = -1, .step = 1}}};

    CHECK(keys_are(&migrate, "migrate host port auth keys keys a b", "6 7 "));
    CHECK(keys_are(&migrate, "migrate host port x keys", ""));
    CHECK(keys_are(&migrate, "migrate", ""));
}

TEST(numbered_keys_are_found)
{
    static const struct command eval = {.keys = {NUMBERED_KEYS(2, KEY_RW)}};
    static const struct command zunionstore = {.keys = {ONE_KEY(KEY_OW), NUMBERED_KEYS(2, KEY_RO)}};
    static const struct command pairs = {.keys = {{.flags = KEY_RW,
                                                   .find = KEYS_NUMBERED,
                                                   .index = 1,
                                                   .count_at = 1,
                                                   .first = 2,
                                                   .key_step = 2}}};

    CHECK(keys_are(&eval, "eval script 2 a b argument", "3 4 "));
    CHECK(keys_are(&eval, "eval script 1 a", "3 "));
    CHECK(keys_are(&eval, "eval script 0", ""));
    CHECK(keys_are(&eval, "eval script 0 argument", ""));
    CHECK(keys_are(&zunionstore, "zunionstore to 2 a b weights 1 2", "1 3 4 "));
    CHECK(keys_are(&pairs, "pairs option 2 a 1 b 2", "3 5 "));
}

TEST(a_number_of_keys_must_make_sense)
{
    static const struct command eval = {.keys = {NUMBERED_KEYS(2, KEY_RW)}};

    CHECK(keys_are(&eval, "eval script 3 a b", NULL));
    CHECK(keys_are(&eval, "eval script -1 a", NULL));
    CHECK(keys_are(&eval, "eval script x a", NULL));
    CHECK(keys_are(&eval, "eval script 9223372036854775807 a", NULL));
    CHECK(keys_are(&eval, "eval script 99999999999999999999 a", NULL));
    CHECK(keys_are(&eval, "eval script", NULL));
}

TEST(what_is_no_key_is_passed_over)
{
    static const struct command spublish = {
        .keys = {ONE_KEY(KEY_NOT_KEY), KEY_AT(2, KEY_RW | KEY_UPDATE)}};
    struct bytes argv[WORDS_MAX];
    struct seen seen = {0};

    CHECK(keys_are(&spublish, "spublish channel k", "2 "));
    CHECK(command_keys(&spublish, split("spublish channel k", argv), argv, see, &seen));
    CHECK(seen.flags == (KEY_RW | KEY_UPDATE));
}

static const struct command subcommands[] = {{.name = "list", .arity = 2}, {0}};
static const struct command some[] = {
    {.name = "get", .arity = 2},
    {.name = "client", .arity = -2, .subcommands = subcommands},
    {0},
};
static const struct command others[] = {{.name = "set", .arity = -3}, {0}};
static const struct command *const families[] = {some, others, NULL};

static bool is_found(const struct registry *r, struct bytes name, const char *as)
{
    const struct command *cmd = registry_find(r, name);

    return cmd == NULL ? as == NULL : as != NULL && strcmp(cmd->name, as) == 0;
}

TEST(commands_are_found_by_name_in_any_case)
{
    struct registry *r = registry_new(families);
    const struct command *client = registry_find(r, BYTES("client"));

    CHECK(is_found(r, BYTES("get"), "get"));
    CHECK(is_found(r, BYTES("GeT"), "get"));
    CHECK(is_found(r, BYTES("SET"), "set"));
    CHECK(is_found(r, BYTES(""), NULL));
    CHECK(is_found(r, BYTES("ge"), NULL));
    CHECK(is_found(r, BYTES("get\0"), NULL));
    CHECK(is_found(r, BYTES("gets"), NULL));
    CHECK(is_found(r, BYTES("list"), NULL));
    CHECK(strcmp(registry_find_sub(client, BYTES("LIST"))->name, "list") == 0);
    CHECK(registry_find_sub(client, BYTES("get")) == NULL);
    CHECK(registry_find_sub(registry_find(r, BYTES("get")), BYTES("list")) == NULL);
    registry_free(r);
}

TEST(all_commands_can_be_listed)
{
    struct registry *r = registry_new(families);
    BUF_LOCAL(names);

    CHECK(registry_count(r) == 3);
    for (size_t i = 0; i < registry_count(r); i++) {
        buf_addf(&names, "%s ", registry_at(r, i)->name);
    }
    CHECK(bytes_equal(buf_bytes(&names), BYTES("get client set ")));
    registry_free(r);
}

TEST(all_rows_have_a_number_and_know_their_container)
{
    struct registry *r = registry_new(families);
    unsigned before = 0;
    BUF_LOCAL(names);

    for (const struct command *row = registry_next(r, NULL); row != NULL;
         row = registry_next(r, row)) {
        CHECK(row->number < registry_numbers(r));
        CHECK(names.len == 0 || row->number > before);
        before = row->number;
        command_add_name(row, &names);
        buf_add_byte(&names, ' ');
    }
    CHECK(bytes_equal(buf_bytes(&names), BYTES("get client client|list set ")));
    registry_free(r);
}

TEST(an_arity_is_a_number_of_arguments_or_the_least_of_them)
{
    CHECK(command_arity_fits(&some[0], 2));
    CHECK(!command_arity_fits(&some[0], 1));
    CHECK(!command_arity_fits(&some[0], 3));
    CHECK(!command_arity_fits(&others[0], 2));
    CHECK(command_arity_fits(&others[0], 3));
    CHECK(command_arity_fits(&others[0], 30));
}

int main(void)
{
    return RUN(one_key_is_found, many_keys_are_found, a_part_of_the_arguments_can_be_keys,
               a_keyword_can_be_searched_from_the_end, numbered_keys_are_found,
               a_number_of_keys_must_make_sense, what_is_no_key_is_passed_over,
               commands_are_found_by_name_in_any_case, all_commands_can_be_listed,
               all_rows_have_a_number_and_know_their_container,
               an_arity_is_a_number_of_arguments_or_the_least_of_them);
}
