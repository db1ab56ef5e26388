#include "replica/transfer.h"

#include "base/log.h"
#include "base/random.h"
#include "rdb/crc64.h"
#include "replica/frame.h"
#include "test/lib/check.h"
#include "test/lib/loopback.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>

enum { CRC = 8 };

/* A server that has a file, one that wants it, and how that goes. */
struct pair {
    struct peer *from, *to;
    char address[ADDRESS_TEXT_MAX + 1];
    char from_dir[64], to_dir[64];
    struct manifest file;
    char name[MANIFEST_NAME];

    int attempts;
    int fd;                             /* Of the last connection, at the server that sends. */
    uint64_t first_offset, last_offset; /* Asked for. */
    uint64_t progress;
    bool done;
    char error[64];
    bool from_closed, to_closed;
};

static uv_loop_t loop;

static void on_caller(void *context, const struct peer_caller *caller, uv_stream_t *stream)
{
    struct pair *p = context;
    struct transfer_request request;

    CHECK(caller->kind == PEER_FETCH);
    CHECK(caller->request.len == sizeof request);
    memcpy(&request, caller->request.at, sizeof request);
    p->last_offset = request.offset;
    if (p->attempts == 0) {
        p->first_offset = request.offset;
    }
    p->attempts++;
    CHECK(uv_fileno((uv_handle_t *)stream, &p->fd) == 0);
    transfer_send(p->from, p->from_dir, caller->request, stream);
}

static struct peer *new_peer(uint64_t id, const char *address)
{
    struct peer_settings settings = {
        .id = id, .group = 7, .address = bytes_of(address), .secret = BYTES("secret")};

    return peer_new(&loop, &settings);
}

static void write_file(const char *dir, const char *name, const void *content, size_t len)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fwrite(content, 1, len, file) == len);
    CHECK(fclose(file) == 0);
}

/* Makes the file at the server that has it: `len` bytes and their checksum. */
static void make_file(struct pair *p, size_t len)
{
    char *content = malloc(len + CRC);
    struct random random;

    random_seed(&random, len);
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = random_next(&random);
        memcpy(content + i, &word, len - i < 8 ? len - i : 8);
    }
    p->file = (struct manifest){.at.index = 42, .size = len + CRC};
    p->file.checksum = crc64(0, (struct bytes){content, len});
    memcpy(content + len, &p->file.checksum, CRC);
    manifest_name(p->file.at.index, p->name);
    write_file(p->from_dir, p->name, content, len + CRC);
    free(content);
}

static void begin(struct pair *p, size_t len)
{
    *p = (struct pair){0};
    uv_loop_init(&loop);
    strcpy(p->from_dir, "/tmp/transfer_test_XXXXXX");
    strcpy(p->to_dir, "/tmp/transfer_test_XXXXXX");
    CHECK(mkdtemp(p->from_dir) != NULL);
    CHECK(mkdtemp(p->to_dir) != NULL);
    snprintf(p->address, sizeof p->address, "127.0.0.1:1@%d", loopback_port());
    p->from = new_peer(1, p->address);
    p->to = new_peer(2, "127.0.0.1:1");
    CHECK(peer_listen(p->from, on_caller, p) == 0);
    make_file(p, len);
}

static void on_closed(void *context)
{
    bool *closed = context;

    *closed = true;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void end(struct pair *p)
{
    peer_close(p->to, on_closed, &p->to_closed);
    peer_close(p->from, on_closed, &p->from_closed);
    CHECK(loopback_run(&loop, &p->from_closed, 10000));
    CHECK(loopback_run(&loop, &p->to_closed, 10000));
    peer_free(p->from);
    peer_free(p->to);
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0);
    nftw(p->from_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    nftw(p->to_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void on_progress(void *context, uint64_t have, uint64_t size)
{
    struct pair *p = context;

    CHECK(size == p->file.size);
    CHECK(have <= size);
    p->progress = have;
}

static void on_done(void *context, const char *error)
{
    struct pair *p = context;

    CHECK(!p->done);
    p->done = true;
    snprintf(p->error, sizeof p->error, "%s", error != NULL ? error : "");
}

static struct transfer *fetch(struct pair *p)
{
    struct transfer_settings settings = {.dir = p->to_dir,
                                         .file = p->file,
                                         .from = 1,
                                         .address = bytes_of(p->address),
                                         .progress = on_progress,
                                         .done = on_done,
                                         .context = p};

    return transfer_fetch(p->to, &settings);
}

static bool is_there(const struct pair *p, const char *suffix)
{
    char path[256];
    struct stat status;

    snprintf(path, sizeof path, "%s/%s%s", p->to_dir, p->name, suffix);
    return stat(path, &status) == 0;
}

/* Whether the file has come, and is the same. */
static bool has_come(const struct pair *p)
{
    char command[512];

    snprintf(command, sizeof command, "cmp -s %s/%s %s/%s", p->from_dir, p->name, p->to_dir,
             p->name);
    return p->done && p->error[0] == '\0' && !is_there(p, ".part") && system(command) == 0;
}

TEST(files_of_all_sizes_arrive)
{
    static const size_t lens[] = {
        0,
        1,
        TRANSFER_CHUNK - CRC - 1,
        TRANSFER_CHUNK - CRC,
        TRANSFER_CHUNK - CRC + 1,
        2 * TRANSFER_CHUNK - CRC,
        3 * TRANSFER_CHUNK + 100,
        50 * 1024 * 1024,
    };

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct pair p;

        begin(&p, lens[i]);
        fetch(&p);
        CHECK(loopback_run(&loop, &p.done, 30000));
        CHECK(has_come(&p));
        CHECK(p.progress == p.file.size);
        CHECK(p.attempts == 1);
        end(&p);
    }
}

/* Ends the connection when so many more bytes have been written; what has arrived by then
 * is not sent again. */
static void interrupt(struct pair *p, uint64_t after)
{
    uint64_t until = p->progress + after;
    int attempt = p->attempts;

    while (!p->done && p->progress < until) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    until = p->progress;
    shutdown(p->fd, SHUT_RDWR);
    while (!p->done && p->attempts == attempt) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    CHECK(p->done || p->last_offset >= until);
}

TEST(what_is_interrupted_goes_on)
{
    struct random random;
    struct pair p;

    random_seed(&random, check_seed());
    begin(&p, 20 * 1024 * 1024);
    fetch(&p);
    while (p.attempts == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    for (int i = 0; i < 10; i++) {
        interrupt(&p, random_below(&random, 1024 * 1024));
    }
    CHECK(loopback_run(&loop, &p.done, 10000));
    CHECK(has_come(&p));
    CHECK(p.attempts > 5);
    end(&p);
}

/* A caller is sent this much, and no more. */
enum { MORSEL = 60000 };

static void on_caller_of_little(void *context, const struct peer_caller *caller,
                                uv_stream_t *stream)
{
    struct pair *p = context;
    struct transfer_answer answer = {.size = p->file.size};
    struct transfer_request request;
    char path[256], morsel[MORSEL];
    uv_buf_t out;
    FILE *file;

    memcpy(&request, caller->request.at, sizeof request);
    snprintf(path, sizeof path, "%s/%s", p->from_dir, p->name);
    file = fopen(path, "r");
    CHECK(fseek(file, (long)request.offset, SEEK_SET) == 0);
    out = uv_buf_init(morsel, (unsigned)fread(morsel, 1, sizeof morsel, file));
    fclose(file);
    p->attempts++;
    frame_send(stream, (struct bytes){(char *)&answer, sizeof answer}, NULL);
    CHECK(uv_try_write(stream, &out, 1) == (int)out.len);
    peer_hang_up(stream);
}

static void serve_by(struct pair *p, peer_accepted accepted)
{
    peer_close(p->from, on_closed, &p->from_closed);
    CHECK(loopback_run(&loop, &p->from_closed, 1000));
    peer_free(p->from);
    p->from_closed = false;
    p->from = new_peer(1, p->address);
    CHECK(peer_listen(p->from, accepted, p) == 0);
}

/* Also what is less than a chunk. */
TEST(however_little_arrives_is_kept)
{
    struct pair p;

    begin(&p, 5 * MORSEL - CRC);
    serve_by(&p, on_caller_of_little);
    fetch(&p);
    CHECK(loopback_run(&loop, &p.done, 5000));
    CHECK(has_come(&p));
    CHECK(p.attempts == 5);
    end(&p);
}

TEST(what_an_earlier_process_got_is_gone_on_from)
{
    char part[MANIFEST_NAME + 8], command[512];
    struct pair p;

    begin(&p, 1000000);
    snprintf(part, sizeof part, "%s.part", p.name);
    snprintf(command, sizeof command, "head -c 700000 %s/%s > %s/%s", p.from_dir, p.name, p.to_dir,
             part);
    CHECK(system(command) == 0);
    write_file(p.to_dir, "data-00000000000000000041.rdb.part", "old", 3);
    write_file(p.to_dir, "mine.part", "mine", 4);
    fetch(&p);
    CHECK(loopback_run(&loop, &p.done, 5000));
    CHECK(has_come(&p));
    CHECK(p.first_offset == 700000);
    snprintf(command, sizeof command, "%s/data-00000000000000000041.rdb.part", p.to_dir);
    CHECK(access(command, F_OK) != 0);
    snprintf(command, sizeof command, "%s/mine.part", p.to_dir);
    CHECK(access(command, F_OK) == 0);
    end(&p);
}

/* In the part that was there, or all of it being there. */
TEST(what_is_wrong_is_fetched_anew)
{
    static const size_t lens[] = {1, 300000, 400000 + CRC, 500000};

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        char part[MANIFEST_NAME + 8];
        char *garbage = calloc(1, lens[i]);
        struct pair p;

        begin(&p, 400000);
        snprintf(part, sizeof part, "%s.part", p.name);
        write_file(p.to_dir, part, garbage, lens[i]);
        fetch(&p);
        CHECK(loopback_run(&loop, &p.done, 5000));
        CHECK(has_come(&p));
        CHECK(p.last_offset == 0);
        end(&p);
        free(garbage);
    }
}

TEST(a_file_that_stays_wrong_gets_no_name)
{
    struct transfer *t;
    struct pair p;

    begin(&p, 400000);
    p.file.checksum ^= 1;
    t = fetch(&p);
    CHECK(!loopback_run(&loop, &p.done, 1500));
    CHECK(p.attempts >= 3);
    CHECK(p.attempts <= 5);
    CHECK(!is_there(&p, ""));
    transfer_cancel(t);
    end(&p);
    CHECK(!p.done);
}

TEST(a_file_that_is_not_there_is_waited_for)
{
    char path[256];
    struct pair p;

    begin(&p, 5000);
    snprintf(path, sizeof path, "%s/%s", p.from_dir, p.name);
    CHECK(unlink(path) == 0);
    fetch(&p);
    CHECK(!loopback_run(&loop, &p.done, 500));
    CHECK(p.attempts > 1);
    make_file(&p, 5000);
    CHECK(loopback_run(&loop, &p.done, 5000));
    CHECK(has_come(&p));
    end(&p);
}

TEST(another_file_of_the_same_name_is_refused)
{
    struct transfer *t;
    struct pair p;

    begin(&p, 5000);
    p.file.size++;
    t = fetch(&p);
    CHECK(!loopback_run(&loop, &p.done, 300));
    CHECK(p.attempts > 0);
    CHECK(p.progress == 0);
    transfer_cancel(t);
    end(&p);
}

TEST(a_folder_that_is_not_there_is_an_error_that_lasts)
{
    struct transfer *t;
    struct pair p;

    begin(&p, 5000);
    CHECK(rmdir(p.to_dir) == 0);
    t = fetch(&p);
    CHECK(!loopback_run(&loop, &p.done, 300));
    CHECK(p.attempts == 0);
    CHECK(mkdir(p.to_dir, 0700) == 0);
    CHECK(loopback_run(&loop, &p.done, 5000));
    CHECK(has_come(&p));
    (void)t;
    end(&p);
}

/* Wherever it is. */
TEST(a_transfer_may_be_canceled_or_closed_at_any_time)
{
    for (int steps = 0; steps < 60; steps++) {
        struct transfer *t;
        struct pair p;

        begin(&p, 1000000);
        t = fetch(&p);
        for (int i = 0; i < steps && !p.done; i++) {
            uv_run(&loop, UV_RUN_ONCE);
        }
        if (!p.done && steps % 3 == 0) {
            transfer_cancel(t);
            end(&p);
            CHECK(!p.done);
        } else {
            end(&p);
            CHECK(p.done);
        }
    }
}

/* Requests that ask for anything but a file of ours. */

static char answer_error[64];
static bool answered;

static void on_replied(void *context, struct bytes reply, const char *error)
{
    struct transfer_answer answer;

    (void)context;
    CHECK(error == NULL);
    CHECK(reply.len == sizeof answer);
    memcpy(&answer, reply.at, sizeof answer);
    strcpy(answer_error, answer.error);
    answered = true;
}

static void on_any_caller(void *context, const struct peer_caller *caller, uv_stream_t *stream)
{
    struct pair *p = context;

    transfer_send(p->from, p->from_dir, caller->request, stream);
}

static const char *answer_to(struct pair *p, const void *request, size_t len)
{
    answered = false;
    peer_call(p->to, bytes_of(p->address), PEER_FETCH, (struct bytes){request, len}, on_replied, p);
    CHECK(loopback_run(&loop, &answered, 3000));
    return answer_error;
}

static const char *answer_to_name(struct pair *p, const char *name, uint64_t offset)
{
    struct transfer_request request = {.offset = offset};

    memcpy(request.name, name, strlen(name) + 1);
    return answer_to(p, &request, sizeof request);
}

TEST(only_files_of_snapshots_are_sent)
{
    static const char no_request[] = "that is no request for a file";
    struct transfer_request endless;
    struct pair p;

    begin(&p, 5000);
    serve_by(&p, on_any_caller);
    write_file(p.from_dir, "metadata1", "x", 1);
    CHECK(strcmp(answer_to_name(&p, "metadata1", 0), no_request) == 0);
    CHECK(strcmp(answer_to_name(&p, "../etc/passwd", 0), no_request) == 0);
    CHECK(strcmp(answer_to_name(&p, "data-1.rdb", 0), no_request) == 0);
    CHECK(strcmp(answer_to_name(&p, "", 0), no_request) == 0);
    CHECK(strcmp(answer_to(&p, "x", 1), no_request) == 0);
    CHECK(strcmp(answer_to(&p, "", 0), no_request) == 0);
    memset(&endless, 'x', sizeof endless);
    CHECK(strcmp(answer_to(&p, &endless, sizeof endless), no_request) == 0);
    CHECK(strstr(answer_to_name(&p, "data-00000000000000000001.rdb", 0), "no such file") != NULL);
    CHECK(strstr(answer_to_name(&p, p.name, 5009), "too large") != NULL);
    CHECK(strstr(answer_to_name(&p, p.name, UINT64_MAX), "too large") != NULL);
    end(&p);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    log_set_file("/dev/null");
    return RUN(files_of_all_sizes_arrive, what_is_interrupted_goes_on,
               however_little_arrives_is_kept, what_an_earlier_process_got_is_gone_on_from,
               what_is_wrong_is_fetched_anew, a_file_that_stays_wrong_gets_no_name,
               a_file_that_is_not_there_is_waited_for, another_file_of_the_same_name_is_refused,
               a_folder_that_is_not_there_is_an_error_that_lasts,
               a_transfer_may_be_canceled_or_closed_at_any_time, only_files_of_snapshots_are_sent);
}
