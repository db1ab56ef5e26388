#include "engine/secret.h"

/* Where secrets are: behind the command's first `first` arguments if there is no word,
 * or in the `count` arguments behind a word, which is looked for from `first` on, every
 * `step` arguments. */
static const struct secret {
    const char *command;
    size_t first;
    const char *word;
    size_t count;
    size_t step;
} secrets[] = {
    {"auth", 1, NULL, 0, 0},
    {"acl|setuser", 2, NULL, 0, 0},
    {"acl|deluser", 2, NULL, 0, 0},
    {"acl|getuser", 2, NULL, 0, 0},
    {"hello", 2, "auth", 2, 1},
    {"migrate", 6, "auth", 1, 1},
    {"migrate", 6, "auth2", 2, 1},
    {"config|set", 2, "masterauth", 1, 2},
    {"config|set", 2, "masteruser", 1, 2},
    {"config|set", 2, "requirepass", 1, 2},
    {"config|set", 2, "tls-key-file-pass", 1, 2},
    {"config|set", 2, "tls-client-key-file-pass", 1, 2},
};

static bool is_named(const struct command *cmd, const char *name)
{
    size_t len;

    if (cmd->container == NULL) {
        return strcmp(cmd->name, name) == 0;
    }
    len = strlen(cmd->container->name);
    return strncmp(cmd->container->name, name, len) == 0 && name[len] == '|' &&
           strcmp(cmd->name, name + len + 1) == 0;
}

static bool is_secret(const struct secret *s, const struct bytes *argv, size_t i)
{
    if (s->word == NULL) {
        return i >= s->first;
    }
    for (size_t behind = 1; behind <= s->count && i >= s->first + behind; behind++) {
        size_t at = i - behind;

        if ((at - s->first) % s->step == 0 && bytes_is(argv[at], s->word)) {
            return true;
        }
    }
    return false;
}

bool secret_is_at(const struct command *cmd, size_t argc, const struct bytes *argv, size_t i)
{
    for (size_t s = 0; i < argc && s < sizeof secrets / sizeof secrets[0]; s++) {
        if (is_named(cmd, secrets[s].command) && is_secret(&secrets[s], argv, i)) {
            return true;
        }
    }
    return false;
}
