#include "server/config.h"

#include "server/config_file.h"
#include "test/lib/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Settings under test, with the last error. */
struct fixture {
    struct settings settings;
    struct buf error;
    char path[64]; /* Of a file with the content under test. */
};

static void start(struct fixture *f)
{
    *f = (struct fixture){.path = "/tmp/moonlatch-config-XXXXXX"};
    settings_init(&f->settings);
    close(mkstemp(f->path));
}

static void end(struct fixture *f)
{
    unlink(f->path);
    settings_clear(&f->settings);
    buf_clear(&f->error);
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "we");

    CHECK(file != NULL);
    CHECK(fputs(content, file) >= 0);
    CHECK(fclose(file) == 0);
}

static bool read_content(struct fixture *f, const char *content)
{
    write_file(f->path, content);
    f->error.len = 0;
    return config_read_file(&f->settings, f->path, &f->error);
}

static bool set(struct fixture *f, const char *name, const char *value)
{
    f->error.len = 0;
    return settings_set(&f->settings, options_find(bytes_of(name)), bytes_of(value), &f->error);
}

static bool is(const struct fixture *f, const char *name, const char *expected)
{
    BUF_LOCAL(value);

    settings_get(&f->settings, options_find(bytes_of(name)), &value);
    return bytes_equal(buf_bytes(&value), bytes_of(expected));
}

static bool error_is(const struct fixture *f, const char *expected)
{
    return bytes_equal(buf_bytes(&f->error), bytes_of(expected));
}

/* Whether the error is of this line of the file. */
static bool error_at(const struct fixture *f, int line, const char *expected)
{
    BUF_LOCAL(whole);

    buf_addf(&whole, "%s:%d: %s", f->path, line, expected);
    return bytes_equal(buf_bytes(&f->error), buf_bytes(&whole));
}

#define FLAGS(f, ...)                                                                              \
    ({                                                                                             \
        const char *argv_[] = {__VA_ARGS__};                                                       \
        (f)->error.len = 0;                                                                        \
        config_read_flags(&(f)->settings, sizeof argv_ / sizeof argv_[0], (char *const *)argv_,    \
                          &(f)->error);                                                            \
    })

TEST(values_are_initially_those_of_the_table)
{
    struct fixture f;

    start(&f);
    CHECK(f.settings.net.port == 6379);
    CHECK(f.settings.net.max_clients == 10000);
    CHECK(f.settings.net.protected_mode);
    CHECK(f.settings.engine.proto_max_bulk_len == 512 << 20);
    CHECK(f.settings.script.time_limit_ms == 5000);
    CHECK(is(&f, "client-output-buffer-limit",
             "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"));
    for (size_t i = 0; i < options_count; i++) {
        CHECK(settings_is_initial(&f.settings, &options[i]));
        CHECK(options_find(bytes_of(options[i].name)) == &options[i]);
    }
    end(&f);
}

TEST(a_value_that_was_got_can_be_set)
{
    struct fixture f;

    start(&f);
    for (size_t i = 0; i < options_count; i++) {
        BUF_LOCAL(before);
        BUF_LOCAL(after);
        settings_get(&f.settings, &options[i], &before);
        CHECK(settings_set(&f.settings, &options[i], buf_bytes(&before), &f.error));
        settings_get(&f.settings, &options[i], &after);
        CHECK(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
    }
    end(&f);
}

TEST(memory_has_units)
{
    static const char *const valid[][2] = {
        {"0", "0"},         {"12", "12"},         {"12b", "12"},
        {"3k", "3000"},     {"3kb", "3072"},      {"2M", "2000000"},
        {"2mb", "2097152"}, {"1g", "1000000000"}, {"1GB", "1073741824"},
    };
    static const char *const invalid[] = {"", "kb", "-1", "1 kb", "1zb", "1.5gb", "99999999999gb"};
    struct fixture f;

    start(&f);
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        CHECK(set(&f, "maxmemory", valid[i][0]));
        CHECK(is(&f, "maxmemory", valid[i][1]));
    }
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        CHECK(!set(&f, "maxmemory", invalid[i]));
        CHECK(error_is(&f, "argument must be a memory value"));
        CHECK(is(&f, "maxmemory", "1073741824"));
    }
    end(&f);
}

TEST(errors_are_those_of_redis)
{
    static const char *const cases[][3] = {
        {"tcp-keepalive", "x", "argument couldn't be parsed into an integer"},
        {"tcp-keepalive", "-1", "argument must be between 0 and 2147483647 inclusive"},
        {"port", "65536", "argument must be between 0 and 65535 inclusive"},
        {"proto-max-bulk-len", "1025mb",
         "argument must be between 1048576 and 1073741824 inclusive"},
        {"protected-mode", "1", "argument must be 'yes' or 'no'"},
        {"unixsocketperm", "9", "argument couldn't be parsed as an octal number"},
        {"unixsocketperm", "1000", "argument must be between 0 and 777 inclusive"},
        {"loglevel", "loud",
         "argument(s) must be one of the following: debug, verbose, notice, warning"},
        {"maxmemory-policy", "all",
         "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, "
         "volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"},
        {"save", "60", "Invalid save parameters"},
        {"save", "0 1", "Invalid save parameters"},
        {"save", "60 -1", "Invalid save parameters"},
        {"dbfilename", "../dump.rdb", "dbfilename can't be a path, just a filename"},
        {"dbfilename", "", "dbfilename can't be a path, just a filename"},
        {"client-output-buffer-limit", "normal 0 0",
         "Wrong number of arguments in buffer limit configuration."},
        {"client-output-buffer-limit", "normal 1 1 1 others 0 0 0",
         "Invalid client class specified in buffer limit configuration."},
        {"client-output-buffer-limit", "normal 1mb x 0",
         "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
    };
    struct fixture f;

    start(&f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK(!set(&f, cases[i][0], cases[i][1]));
        CHECK(error_is(&f, cases[i][2]));
        CHECK(settings_is_initial(&f.settings, options_find(bytes_of(cases[i][0]))));
    }
    end(&f);
}

TEST(an_option_without_a_field_keeps_its_value_in_canonical_form)
{
    struct fixture f;

    start(&f);
    CHECK(set(&f, "repl-backlog-size", "2mb"));
    CHECK(is(&f, "repl-backlog-size", "2097152"));
    CHECK(set(&f, "appendonly", "YES"));
    CHECK(is(&f, "appendonly", "yes"));
    CHECK(!set(&f, "slowlog-max-len", "-1"));
    CHECK(is(&f, "slowlog-max-len", "128"));
    end(&f);
}

TEST(output_limits_of_other_classes_stay)
{
    struct fixture f;

    start(&f);
    CHECK(set(&f, "client-output-buffer-limit", "normal 1mb 512kb 10  replica 5 4 3"));
    CHECK(f.settings.net.outputs.normal.hard == 1 << 20);
    CHECK(f.settings.net.outputs.normal.soft == 512 << 10);
    CHECK(f.settings.net.outputs.normal.soft_s == 10);
    CHECK(is(&f, "client-output-buffer-limit",
             "normal 1048576 524288 10 slave 5 4 3 pubsub 33554432 8388608 60"));
    end(&f);
}

TEST(points_to_save_at_add_up_in_a_file)
{
    struct fixture f;

    start(&f);
    CHECK(read_content(&f, "save 3600 1\nsave 60 10000  10 100000\n"));
    CHECK(is(&f, "save", "3600 1 60 10000 10 100000"));
    CHECK(read_content(&f, "save \"\"\nsave 5 6\n"));
    CHECK(is(&f, "save", "5 6"));
    CHECK(FLAGS(&f, "--save", "7", "8"));
    CHECK(is(&f, "save", "7 8"));
    CHECK(config_rewrite_file(&f.settings, f.path, false) == 0);
    settings_clear(&f.settings);
    settings_init(&f.settings);
    CHECK(config_read_file(&f.settings, f.path, &f.error));
    CHECK(is(&f, "save", "7 8"));
    end(&f);
}

TEST(aliases_are_the_same_option)
{
    struct fixture f;

    start(&f);
    CHECK(set(&f, "lua-time-limit", "70"));
    CHECK(f.settings.script.busy_threshold_ms == 70);
    CHECK(set(&f, "HASH-MAX-ZIPLIST-ENTRIES", "7"));
    CHECK(is(&f, "hash-max-listpack-entries", "7"));
    end(&f);
}

TEST(a_file_has_comments_quotes_and_any_spaces)
{
    struct fixture f;

    start(&f);
    CHECK(read_content(&f, "# port 1\n"
                           "\n"
                           "  port   7000\t\r\n"
                           "requirepass \"a \\\"b\\\"\\x41\\n\"\n"
                           "bind 127.0.0.1   ::1\n"
                           "save \"\"\n"
                           "pidfile 'it\\'s \\n'\n"
                           "logfile '#'"));
    CHECK(is(&f, "port", "7000"));
    CHECK(is(&f, "requirepass", "a \"b\"A\n"));
    CHECK(is(&f, "bind", "127.0.0.1 ::1"));
    CHECK(is(&f, "save", ""));
    CHECK(is(&f, "pidfile", "it's \\n"));
    CHECK(is(&f, "logfile", "#"));
    end(&f);
}

TEST(errors_in_a_file_tell_the_line)
{
    struct fixture f;

    start(&f);
    CHECK(!read_content(&f, "\nprot 1\n"));
    CHECK(error_at(&f, 2, "unknown option 'prot'; did you mean 'port'?"));
    CHECK(!read_content(&f, "nothing-like-any-option 1\n"));
    CHECK(error_at(&f, 1, "unknown option 'nothing-like-any-option'"));
    CHECK(!read_content(&f, "port 1 2\n"));
    CHECK(error_at(&f, 1, "'port' takes one value"));
    CHECK(!read_content(&f, "save\n"));
    CHECK(error_at(&f, 1, "'save' takes a value"));
    CHECK(!read_content(&f, "port \"1\n"));
    CHECK(error_at(&f, 1, "a quote has no end, or no space behind it"));
    CHECK(!read_content(&f, "port \"1\"2\n"));
    CHECK(error_at(&f, 1, "a quote has no end, or no space behind it"));
    CHECK(!read_content(&f, "port 99999\n"));
    CHECK(error_at(&f, 1, "'port': argument must be between 0 and 65535 inclusive"));
    end(&f);
}

TEST(files_include_others)
{
    struct fixture f, other;
    char content[256];

    start(&f);
    start(&other);
    write_file(other.path, "port 7001\n");
    snprintf(content, sizeof content, "include %s\ninclude /tmp/moonlatch-none-*.conf\n",
             other.path);
    CHECK(read_content(&f, content));
    CHECK(is(&f, "port", "7001"));

    snprintf(content, sizeof content, "include %s\n", f.path);
    CHECK(!read_content(&f, content));
    CHECK(error_at(&f, 1, "too many files that include each other"));
    CHECK(!read_content(&f, "include /tmp/moonlatch-none\n"));
    CHECK(error_at(&f, 1, "there is no file '/tmp/moonlatch-none'"));
    end(&other);
    end(&f);
}

TEST(flags_take_the_words_up_to_the_next)
{
    struct fixture f;

    start(&f);
    CHECK(FLAGS(&f, "--port", "7000", "--save", "", "--client-output-buffer-limit", "normal", "1",
                "2", "3", "--bind", "127.0.0.1", "-::1", "--save"));
    CHECK(is(&f, "port", "7000"));
    CHECK(is(&f, "save", ""));
    CHECK(is(&f, "bind", "127.0.0.1 -::1"));
    CHECK(f.settings.net.outputs.normal.soft == 2);
    CHECK(!FLAGS(&f, "--prot", "7000"));
    CHECK(error_is(&f, "unknown option '--prot'; did you mean '--port'?"));
    CHECK(!FLAGS(&f, "--port"));
    CHECK(error_is(&f, "'port' takes a value"));
    CHECK(!FLAGS(&f, "7000"));
    CHECK(error_is(&f, "'7000' belongs to no option"));
    end(&f);
}

static bool content_is(const char *path, const char *expected)
{
    char content[1024];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, content, sizeof content);

    close(fd);
    return len >= 0 && bytes_equal((struct bytes){content, (size_t)len}, bytes_of(expected));
}

TEST(rewriting_keeps_a_file_and_changes_values)
{
    struct fixture f;
    struct stat status;

    start(&f);
    CHECK(read_content(&f, "# About the port.\nport 1\n\nlua-time-limit 5\nport 2\n"
                           "maxmemory 1gb\nscript-memory-limit 2mb\n"
                           "client-output-buffer-limit normal 0 0 0\n"
                           "client-output-buffer-limit pubsub 1 1 1\nhz 10"));
    CHECK(chmod(f.path, 0640) == 0);
    CHECK(set(&f, "port", "3"));
    CHECK(set(&f, "script-memory-limit", "1mb"));
    CHECK(set(&f, "requirepass", "a \"b\n"));
    CHECK(set(&f, "bind", "127.0.0.1 ::1"));
    CHECK(config_rewrite_file(&f.settings, f.path, false) == 0);
    CHECK(content_is(f.path, "# About the port.\nport 3\n\nlua-time-limit 5\n"
                             "maxmemory 1gb\nscript-memory-limit 1048576\n"
                             "client-output-buffer-limit normal 0 0 0\n"
                             "client-output-buffer-limit pubsub 1 1 1\nhz 10\n"
                             "bind 127.0.0.1 ::1\nrequirepass \"a \\\"b\\x0a\"\n"));
    CHECK(stat(f.path, &status) == 0);
    CHECK((status.st_mode & 0777) == 0640);

    CHECK(config_read_file(&f.settings, f.path, &f.error));
    CHECK(is(&f, "requirepass", "a \"b\n"));
    CHECK(config_rewrite_file(&f.settings, "/tmp/moonlatch-none/file", false) == -ENOENT);
    end(&f);
}

int main(void)
{
    return RUN(values_are_initially_those_of_the_table, a_value_that_was_got_can_be_set,
               memory_has_units, errors_are_those_of_redis,
               an_option_without_a_field_keeps_its_value_in_canonical_form,
               output_limits_of_other_classes_stay, points_to_save_at_add_up_in_a_file,
               aliases_are_the_same_option, a_file_has_comments_quotes_and_any_spaces,
               errors_in_a_file_tell_the_line, files_include_others,
               flags_take_the_words_up_to_the_next, rewriting_keeps_a_file_and_changes_values);
}
