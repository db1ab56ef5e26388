/* ACL. There is one user, "default", who may do everything; requirepass is his
 * password. What would make others is refused. */
#include "base/sha1.h"
#include "command/category.h"
#include "command/families.h"
#include "engine/call.h"

#include <assert.h>

static const char USER[] = "default";

static bool is_user(struct bytes name)
{
    return bytes_equal(name, bytes_of(USER));
}

/* ACL CAT. */

static void list_categories(struct call *c)
{
    reply_array(c, categories_count);
    for (size_t i = 0; i < categories_count; i++) {
        reply_status(c, categories[i].name + 1);
    }
}

static void list_members(struct call *c, uint32_t category)
{
    const struct registry *commands = c->engine->commands;
    size_t place = reply_late(c);
    size_t count = 0;
    BUF_LOCAL(name);

    for (const struct command *cmd = registry_next(commands, NULL); cmd != NULL;
         cmd = registry_next(commands, cmd)) {
        if (category_of(cmd) & category) {
            name.len = 0;
            command_add_name(cmd, &name);
            reply_bytes(c, buf_bytes(&name));
            count++;
        }
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

static void acl_cat(struct call *c)
{
    uint32_t category;

    if (c->argc > 3) {
        call_fail_usage(c);
    } else if (c->argc == 2) {
        list_categories(c);
    } else if ((category = category_find(c->argv[2])) == 0) {
        call_fail(c, "ERR Unknown category '%.*s'",
                  c->argv[2].len < 128 ? (int)c->argv[2].len : 128, c->argv[2].at);
    } else {
        list_members(c, category);
    }
}

/* The user. */

/* Appends the SHA-256 of the password; nothing if there is none. */
static void add_password(const struct engine *e, struct buf *out)
{
    char hex[SHA256_HEX + 1];

    if (e->settings.requirepass.len > 0) {
        sha256_hex(buf_bytes(&e->settings.requirepass), hex);
        buf_addf(out, "%s", hex);
    }
}

static void acl_list(struct call *c)
{
    bool is_open = c->engine->settings.requirepass.len == 0;
    BUF_LOCAL(line);

    buf_addf(&line, "user %s on %s", USER, is_open ? "nopass" : "#");
    add_password(c->engine, &line);
    buf_addf(&line, " ~* &* +@all");
    reply_array(c, 1);
    reply_bytes(c, buf_bytes(&line));
}

static void acl_users(struct call *c)
{
    reply_array(c, 1);
    reply_string(c, USER);
}

static void acl_whoami(struct call *c)
{
    reply_string(c, USER);
}

static void reply_user_flags(struct call *c)
{
    bool is_open = c->engine->settings.requirepass.len == 0;

    reply_string(c, "flags");
    reply_set(c, is_open ? 2 : 1);
    reply_string(c, "on");
    if (is_open) {
        reply_string(c, "nopass");
    }
}

static void reply_passwords(struct call *c)
{
    BUF_LOCAL(password);

    add_password(c->engine, &password);
    reply_string(c, "passwords");
    reply_array(c, password.len > 0);
    if (password.len > 0) {
        reply_bytes(c, buf_bytes(&password));
    }
}

static void reply_pair(struct call *c, const char *name, const char *text)
{
    reply_string(c, name);
    reply_string(c, text);
}

static void acl_getuser(struct call *c)
{
    if (!is_user(c->argv[2])) {
        reply_nil(c);
        return;
    }
    reply_map(c, 6);
    reply_user_flags(c);
    reply_passwords(c);
    reply_pair(c, "commands", "+@all");
    reply_pair(c, "keys", "~*");
    reply_pair(c, "channels", "&*");
    reply_string(c, "selectors");
    reply_array(c, 0);
}

static void acl_setuser(struct call *c)
{
    call_fail(c, "ERR ACL SETUSER is not available: there is the user 'default' only, whose "
                 "password is requirepass");
}

static void acl_deluser(struct call *c)
{
    for (size_t i = 2; i < c->argc; i++) {
        if (is_user(c->argv[i])) {
            call_fail(c, "ERR The 'default' user cannot be removed");
            return;
        }
    }
    reply_int(c, 0);
}

static void acl_dryrun(struct call *c)
{
    const struct command *container;
    const struct command *cmd =
        engine_find_command(c->engine, c->argc - 3, c->argv + 3, &container);

    if (!is_user(c->argv[2])) {
        call_fail(c, "ERR User '%.*s' not found", c->argv[2].len < 128 ? (int)c->argv[2].len : 128,
                  c->argv[2].at);
    } else if (cmd == NULL) {
        call_fail(c, "ERR Command '%.*s' not found",
                  c->argv[3].len < 128 ? (int)c->argv[3].len : 128, c->argv[3].at);
    } else if (!command_arity_fits(cmd, c->argc - 3)) {
        BUF_LOCAL(name);
        command_add_name(cmd, &name);
        call_fail(c, "ERR wrong number of arguments for '%.*s' command", (int)name.len, name.at);
    } else {
        reply_ok(c);
    }
}

/* Others. */

static void acl_genpass(struct call *c)
{
    enum { BITS_MAX = 4096 };
    unsigned char secret[BITS_MAX / 8];
    int64_t bits = 256;
    BUF_LOCAL(hex);

    if (c->argc > 3) {
        call_fail_usage(c);
        return;
    }
    if (c->argc == 3 && !call_int(c, 2, &bits)) {
        return;
    }
    if (bits <= 0 || bits > BITS_MAX) {
        call_fail(c,
                  "ERR ACL GENPASS argument must be the number of bits for the output password, a "
                  "positive number up to %d",
                  BITS_MAX);
        return;
    }
    random_secret(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++) {
        buf_addf(&hex, "%02x", secret[i]);
    }
    reply_bytes(c, (struct bytes){hex.at, ((size_t)bits + 3) / 4});
}

/* Who may do everything is refused nothing. */
static void acl_log(struct call *c)
{
    int64_t count;

    if (c->argc > 3) {
        call_fail_usage(c);
    } else if (call_is(c, 2, "reset")) {
        reply_ok(c);
    } else if (c->argc == 2 || call_int(c, 2, &count)) {
        reply_array(c, 0);
    }
}

static void acl_file(struct call *c)
{
    call_fail(c, "ERR This Redis instance is not configured to use an ACL file.");
}

/* clang-format off */
enum {
    ANY_TIME = COMMAND_LOADING | COMMAND_STALE,
    ANYONE   = ANY_TIME | COMMAND_NOSCRIPT,
    ADMINS   = ANYONE | COMMAND_ADMIN,
};

static const struct command subcommands[] = {
    {.name = "cat",     .arity = -2, .flags = ANYONE,   .run = acl_cat,     .group = "server", .since = "6.0.0", .complexity = "O(N) with N commands", .summary = "Returns the categories, or the commands in one of them", .syntax = "[category]"},
    {.name = "deluser", .arity = -3, .flags = ADMINS,   .run = acl_deluser, .group = "server", .since = "6.0.0", .complexity = "O(1)", .summary = "Returns 0: there are no users to remove", .syntax = "username [username ...]"},
    {.name = "dryrun",  .arity = -4, .flags = ADMINS,   .run = acl_dryrun,  .group = "server", .since = "7.0.0", .complexity = "O(1)", .summary = "Tells whether a user may make a request", .syntax = "username command [arg [arg ...]]"},
    {.name = "genpass", .arity = -2, .flags = ANYONE,   .run = acl_genpass, .group = "server", .since = "6.0.0", .complexity = "O(1)", .summary = "Returns a password that nobody can guess", .syntax = "[bits]"},
    {.name = "getuser", .arity = 3,  .flags = ADMINS,   .run = acl_getuser, .group = "server", .since = "6.0.0", .complexity = "O(1)", .summary = "Describes a user", .syntax = "username"},
    {.name = "help",    .arity = 2,  .flags = ANY_TIME, .run = reply_help,  .group = "server", .since = "6.0.0", .complexity = "O(1)", .summary = "Returns this text", .syntax = ""},
    {.name = "list",    .arity = 2,  .flags = ADMINS,   .run = acl_list,    .group = "server", .since = "6.0.0", .complexity = "O(1)", .summary = "Describes all users, one a line", .syntax = ""},
    {.name = "load",    .arity = 2,  .flags = ADMINS,   .run = acl_file,    .group = "server", .since = "6.0.0", .complexity = "O(1)", .summary = "Is refused: there is no file of users", .syntax = ""},
    {.name = "log",     .arity = -2, .flags = ADMINS,   .run = acl_log,     .group = "server", .since = "6.0.0", .complexity = "O(1)", .summary = "Returns what was refused to users: nothing", .syntax = "[count | RESET]"},
    {.name = "save",    .arity = 2,  .flags = ADMINS,   .run = acl_file,    .group = "server", .since = "6.0.0", .complexity = "O(1)", .summary = "Is refused: there is no file of users", .syntax = ""},
    {.name = "setuser", .arity = -3, .flags = ADMINS,   .run = acl_setuser, .group = "server", .since = "6.0.0", .complexity = "O(1)", .summary = "Is refused: there are no other users", .syntax = "username [rule [rule ...]]"},
    {.name = "users",   .arity = 2,  .flags = ADMINS,   .run = acl_users,   .group = "server", .since = "6.0.0", .complexity = "O(1)", .summary = "Returns the names of all users", .syntax = ""},
    {.name = "whoami",  .arity = 2,  .flags = ANYONE,   .run = acl_whoami,  .group = "server", .since = "6.0.0", .complexity = "O(1)", .summary = "Returns the name of the user of this connection", .syntax = ""},
    {0},
};

const struct command acl_commands[] = {
    {.name = "acl", .arity = -2, .subcommands = subcommands, .group = "server", .since = "6.0.0", .complexity = "Depends on the subcommand", .summary = "Tells about users and what they may do", .syntax = ""},
    {0},
};
/* clang-format on */
