#include "server/durability.h"

#include "base/clock.h"
#include "base/log.h"
#include "replica/replica.h"
#include "server/loop.h"
#include "server/server.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the log asks for. */

/* Writes the changes that empty the data. */
static void encode_emptying(const struct dataset *data, struct buf *redo)
{
    for (unsigned db = 0; db < data->count; db++) {
        if (keyspace_count(data->db[db]) > 0) {
            struct change flush = change_flush(db);
            change_encode(&flush, redo);
        }
    }
    for (unsigned kind = 0; kind < TEXT_KIND_END; kind++) {
        struct table_walk walk = {0};
        const struct text *text;
        while ((text = texts_next(data->texts[kind], &walk)) != NULL) {
            struct change remove = change_text_remove((enum text_kind)kind, text_name(text));
            change_encode(&remove, redo);
        }
    }
}

static bool load(void *context, const char *path, struct buf *error)
{
    struct server *s = context;
    struct rdb_loaded loaded = {0};
    BUF_LOCAL(redo);

    persist_stop(s);
    encode_emptying(s->engine->data, &redo);
    commit_follow(s->engine, buf_bytes(&redo));
    return path == NULL || loading_read_all(s, path, 0, &loaded, error);
}

static int save(void *context, const char *path)
{
    struct server *s = context;

    return s->persist.child != 0 ? -EBUSY : persist_fork_for_log(s, path);
}

/* The data of a server that had no log are in a file. They become the log's as its first
 * snapshot, and until it is stored nobody may change them. */
static void import(struct server *s, const char *path)
{
    struct engine *e = s->engine;
    struct rdb_loaded loaded = {0};
    BUF_LOCAL(error);

    log_write(LOG_NOTICE, "The log is new: it begins with the data in '%s'", path);
    e->group.role = GROUP_LOADING;
    if (!loading_read_all(s, path, 0, &loaded, &error)) {
        log_write(LOG_WARNING, "Cannot load '%s': %.*s", path, (int)error.len, error.at);
        e->stop = true;
        return;
    }
    e->commit.wants_barrier = true;
    s->importing = true;
    replica_want_snapshot(s->replica);
}

static void lead(void *context)
{
    struct server *s = context;
    const struct group *g = &s->engine->group;
    char path[PATH_MAX];

    log_write(LOG_NOTICE, "This server leads");
    persist_path(s, path, sizeof path);
    if (g->count == 1 && g->snapshot_index == 0 && s->engine->journal.changes == 0 &&
        access(path, R_OK) == 0) {
        import(s, path);
    }
}

/* The server's side. */

/* A server that others cannot reach anyway goes by the address of this machine for itself. */
static void choose_address(const struct server *s, struct node_settings *to)
{
    const struct raft_settings *raft = &s->settings.raft;
    struct address address = {.host = "127.0.0.1"};

    if (raft->announce.len > 0) {
        bytes_to_string(buf_bytes(&raft->announce), address.host, sizeof address.host);
    }
    address.port = (uint16_t)s->settings.net.port;
    address.peer_port = (uint16_t)raft->port;
    to->is_deaf = address.port == 0 && address.peer_port == 0;
    if (address.port == 0) { /* An address has ports, whether somebody listens there or not. */
        address.port = to->is_deaf ? 1 : address.peer_port;
    }
    if (address.peer_port == 0) {
        address.peer_port = address_peer_port(address.port);
    }
    address_format(&address, to->address);
}

static bool settle_node(const struct server *s, struct node_settings *to)
{
    const struct raft_settings *raft = &s->settings.raft;
    char name[NAME_MAX + 1];

    *to = (struct node_settings){
        .election_ms = (unsigned)raft->election_ms,
        .heartbeat_ms = (unsigned)raft->heartbeat_ms,
        .snapshot_bytes = raft->log_size,
        .is_to_join = !raft->bootstrap,
    };
    bytes_to_string(buf_bytes(&raft->dir), name, sizeof name);
    bytes_to_string(buf_bytes(&raft->secret), to->secret, sizeof to->secret);
    snprintf(to->dir, sizeof to->dir, "%.*s/%s", (int)s->settings.dir.len, s->settings.dir.at,
             name);
    bytes_to_string(buf_bytes(&s->settings.net.bind), to->bind, sizeof to->bind);
    choose_address(s, to);
    if (mkdir(to->dir, 0700) != 0 && errno != EEXIST) {
        log_write(LOG_WARNING, "Cannot make the directory '%s': %s", to->dir, strerror(errno));
        return false;
    }
    return true;
}

int durability_start(struct server *s)
{
    struct replica_hooks hooks = {load, save, lead, s};
    struct node_settings settings;

    persist_begin(s);
    if (s->settings.durability == DURABILITY_NONE) {
        return persist_start(s);
    }
    if (!settle_node(s, &settings)) {
        return -1;
    }
    s->replica = replica_open(s->engine, loop_uv(s->loop), &settings, &hooks);
    return s->replica == NULL ? -1 : 0;
}

void durability_end(struct server *s)
{
    if (s->replica != NULL) {
        replica_close(s->replica);
    }
}

void durability_free(struct server *s)
{
    replica_free(s->replica);
}

const char *durability_apply(struct server *s)
{
    struct commit *c = &s->engine->commit;
    enum durability wanted = (enum durability)s->settings.durability;

    if (s->is_up && (wanted == DURABILITY_NONE) != (c->durability == DURABILITY_NONE)) {
        return "Whether there is a log is decided when the server starts";
    }
    c->durability = wanted;
    return NULL;
}

/* The time of a leader that writes nothing is in no entry; so that the next one goes on
 * from it, there is one now and then. */
static void write_time(struct server *s)
{
    enum { EACH_US = 5 * 1000 * 1000 };
    struct commit *c = &s->engine->commit;
    int64_t now_us = s->engine->time.now_us;

    if (c->entries != s->entries_then) {
        s->entries_then = c->entries;
        s->entry_us = now_us;
    } else if (s->engine->group.count > 1 && group_leads(&s->engine->group) &&
               now_us - s->entry_us >= EACH_US) {
        c->wants_barrier = true;
    }
}

void durability_tick(struct server *s)
{
    struct group *g = &s->engine->group;

    write_time(s);

    if (s->importing && g->snapshot_index > 0) {
        s->importing = false;
        g->role = GROUP_LEADER;
        log_write(LOG_NOTICE, "The data are in the log now");
    }
}

void durability_settle(struct server *s)
{
    enum { MOST_US = 1000 * 1000, STEP_US = 1000 };
    int64_t end_us = clock_monotonic_us() + MOST_US;

    if (s->replica == NULL) {
        return;
    }
    commit_seal(s->engine);
    while (commit_is_pending(s->engine) && clock_monotonic_us() < end_us) {
        usleep(STEP_US);
        replica_serve(s->replica);
        commit_seal(s->engine);
    }
}
