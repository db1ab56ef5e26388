/* The simulation: servers of a group in virtual time, from a seed.
 *
 *     simulation [--seeds N] [--first S] [--nodes 3|5] [--verbose]
 *     simulation --mutants [--seeds N]
 *
 * Each seed is a run of its own, in a process of its own: for a while the servers are
 * crashed, cut off, paused and filled up while clients ask them for this and that, and then
 * everything is made whole. A run that has found something wrong says how to have it again;
 * with --verbose it tells all that happens, and with --here the first seed runs in the process
 * itself, for a debugger. With --mutants, mistakes are made on purpose, each
 * of which some run has to find. */
#include "test/simulation/client.h"
#include "test/simulation/fault.h"
#include "test/simulation/mutant.h"
#include "test/simulation/oracle.h"
#include "test/simulation/report.h"
#include "test/simulation/server.h"

#include "base/clock.h"

#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    AT_A_TIME = 2,
    LIMIT_S = 60, /* Of a run. */
    SHOWN = 10,
};

/* What a run tells, in one write to a pipe. */
struct report {
    struct totals totals;
    char problem[REPORT_TEXT]; /* Empty: none. */
};

static int report_to = -1;

void __real__exit(int status) __attribute__((noreturn));

void report_end(const char *problem)
{
    struct report r = {.totals = world.totals};

    r.totals.virtual_us = (uint64_t)world.now_us;
    if (report_to < 0) {
        puts(problem != NULL ? problem : "passed");
    }
    snprintf(r.problem, sizeof r.problem, "%s", problem != NULL ? problem : "");
    fflush(stdout);
    if (report_to >= 0 && write(report_to, &r, sizeof r) != sizeof r) {
        __real__exit(EXIT_FAILURE);
    }
    __real__exit(EXIT_SUCCESS);
}

struct options {
    uint64_t seeds, first;
    unsigned nodes;
    bool verbose;
    bool mutants;
    bool here;
    bool traces_raft;
};

/* A run. */

static bool never(void *context)
{
    (void)context;
    return false;
}

static void pass(int64_t us)
{
    world_run_until(never, NULL, world.now_us + us);
}

static bool has_written(void *context)
{
    size_t *before = context;

    return clients_acknowledged() > *before;
}

static bool is_settled(void *context)
{
    (void)context;
    if (!clients_have_ended()) {
        return false;
    }
    for (unsigned i = 0; i < server_count; i++) {
        struct server *s = &servers[i];
        if (server_is_to_follow(s) &&
            (!server_has_settled(s) || s->engine->group.applied_index < oracle_index())) {
            return false;
        }
    }
    return true;
}

static void tell_unsettled(void)
{
    servers_trace();
    for (unsigned i = 0; i < server_count; i++) {
        const struct server *s = &servers[i];
        if (server_is_to_follow(s) &&
            (!server_has_settled(s) || s->engine->group.applied_index < oracle_index())) {
            violation("server %u is at entry %" PRIu64 " (log thread: %" PRIu64 ") of %" PRIu64
                      " a minute later: role %d, %s%s",
                      s->number, s->engine->group.applied_index, s->node->core.machine.at.index,
                      oracle_index(), s->engine->group.role,
                      s->node->core.installing ? "installing " : "",
                      s->node->core.taking ? "taking" : "");
        }
    }
    violation("clients wait for replies for a minute");
}

static void draw_setting(unsigned nodes)
{
    static const uint64_t snapshots[] = {UINT64_MAX, 100 * 1024, 20 * 1024, 5 * 1024, 2 * 1024};

    bool changes = nodes == 0 && one_in(3);

    setting = (struct setting){
        .founders = changes      ? 1 + 2 * (unsigned)chance(2)
                    : nodes != 0 ? nodes
                    : one_in(3)  ? 5
                                 : 3,
        .servers = changes ? SERVERS : 0,
        .durability = one_in(10) ? DURABILITY_RELAXED : DURABILITY_STRICT,
        .election_ms = 300,
        .snapshot_bytes = snapshots[chance(sizeof snapshots / sizeof *snapshots)],
        .digest_each = 8,
    };
    if (!changes) {
        setting.servers = setting.founders;
    }
}

static void run(uint64_t seed, const struct options *o, const char *dir)
{
    size_t before;

    world_begin(seed, o->verbose);
    world.traces_raft = o->traces_raft;
    draw_setting(o->nodes);
    oracle_begin();
    servers_begin(dir);
    clients_begin(4 + (unsigned)chance(9));
    faults_begin();
    pass(20 * SECOND);

    trace(NULL, "everything is made whole");
    servers_trace();
    faults_end();
    before = clients_acknowledged();
    if (!world_run_until(has_written, &before,
                         world.now_us + 10 * setting.election_ms * INT64_C(1000))) {
        servers_trace();
        violation("no write was acknowledged in 10 election timeouts");
    }
    pass(2 * SECOND);
    clients_end();
    if (!world_run_until(is_settled, NULL, world.now_us + 60 * SECOND)) {
        tell_unsettled();
    }
    for (unsigned i = 0; i < server_count; i++) {
        if (server_is_to_follow(&servers[i])) {
            oracle_compare(&servers[i], true);
        }
    }
    clients_check();
    report_end(NULL);
}

/* Processes. */

struct child {
    pid_t pid;
    uint64_t seed;
    int pipe;
    char dir[64];
};

struct sum {
    struct totals totals;
    uint64_t runs, problems;
    char problem[REPORT_TEXT]; /* The first. */
};

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static void launch(struct child *c, uint64_t seed, const struct options *o)
{
    int ends[2];

    snprintf(c->dir, sizeof c->dir, "%s/simulation-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(c->dir) == NULL || pipe(ends) != 0) {
        perror("simulation");
        exit(EXIT_FAILURE);
    }
    c->seed = seed;
    fflush(stdout);
    if (o->here) {
        run(seed, o, c->dir);
    }
    c->pid = fork();
    if (c->pid == 0) {
        close(ends[0]);
        report_to = ends[1];
        alarm(LIMIT_S);
        run(seed, o, c->dir);
    }
    close(ends[1]);
    c->pipe = ends[0];
}

static void add(struct sum *sum, const struct totals *t)
{
    uint64_t *to = (uint64_t *)&sum->totals;
    const uint64_t *from = (const uint64_t *)t;

    for (size_t i = 0; i < TOTALS; i++) {
        to[i] += from[i];
    }
}

static void collect(struct child *c, int status, struct sum *sum, const struct options *o)
{
    struct report r = {0};

    if (read(c->pipe, &r, sizeof r) != sizeof r) {
        snprintf(r.problem, sizeof r.problem, "it ended by signal %d", WTERMSIG(status));
    }
    close(c->pipe);
    nftw(c->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    c->pid = 0;
    add(sum, &r.totals);
    sum->runs++;
    if (r.problem[0] == '\0') {
        return;
    }
    if (sum->problems++ == 0) {
        memcpy(sum->problem, r.problem, sizeof sum->problem);
    }
    if (sum->problems <= SHOWN && !o->mutants) {
        printf("Seed %" PRIu64 ": %s.\n    Again: simulation --first %" PRIu64 " --seeds 1",
               c->seed, r.problem, c->seed);
        if (o->nodes != 0) {
            printf(" --nodes %u", o->nodes);
        }
        printf(" --verbose\n");
    }
}

static void await_one(struct child *children, struct sum *sum, const struct options *o)
{
    int status;
    pid_t pid = wait(&status);

    for (size_t i = 0; i < AT_A_TIME; i++) {
        if (children[i].pid == pid) {
            collect(&children[i], status, sum, o);
        }
    }
}

/* Returns whether one is still at work. */
static bool are_any(const struct child *children)
{
    for (size_t i = 0; i < AT_A_TIME; i++) {
        if (children[i].pid != 0) {
            return true;
        }
    }
    return false;
}

static struct sum run_all(const struct options *o)
{
    struct child children[AT_A_TIME] = {0};
    struct sum sum = {0};
    uint64_t seed = o->first;

    while (seed < o->first + o->seeds || are_any(children)) {
        bool is_free = false;
        for (size_t i = 0; i < AT_A_TIME && seed < o->first + o->seeds; i++) {
            if (children[i].pid == 0) {
                launch(&children[i], seed++, o);
                is_free = true;
            }
        }
        if (!is_free) {
            await_one(children, &sum, o);
        }
        if (o->mutants && sum.problems > 0) {
            seed = o->first + o->seeds;
        }
    }
    return sum;
}

static void print_sum(const struct sum *sum, double took_s)
{
    static const char *const names[] = {
        "virtual us", "operations",  "acknowledged",
        "failed",     "uncertain",   "reads",
        "entries",    "crashes",     "stops",
        "pauses",     "partitions",  "breaks",
        "full disks", "clock jumps", "leaps",
        "tenures",    "transfers",   "joins",
        "removals",   "saves",       "saves with pending",
        "installs",   "reopened",    "digests",
        "scripts",
    };
    const uint64_t *of = (const uint64_t *)&sum->totals;

    _Static_assert(sizeof names / sizeof *names == TOTALS, "each total has a name");
    printf("%" PRIu64 " runs, %.0f virtual seconds in %.1f:", sum->runs,
           (double)sum->totals.virtual_us / 1e6, took_s);
    for (size_t i = 1; i < TOTALS; i++) {
        printf("%s %s %" PRIu64, i > 1 ? "," : "", names[i], of[i]);
    }
    printf("\n%" PRIu64 " passed, %" PRIu64 " failed\n", sum->runs - sum->problems, sum->problems);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Each mistake has to be found. */
static int run_mutants(struct options *o)
{
    unsigned found = 0;

    for (int i = MUTANT_NONE + 1; i < MUTANTS; i++) {
        struct sum sum;
        mutant = (enum mutant)i;
        sum = run_all(o);
        printf("%-36s%s after %" PRIu64 " runs%s%s\n", mutant_names[i],
               sum.problems > 0 ? "found" : "NOT FOUND", sum.runs, sum.problems > 0 ? ": " : "",
               sum.problem);
        found += sum.problems > 0;
    }
    printf("%u passed, %u failed\n", found, MUTANTS - 1 - found);
    return found == MUTANTS - 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--verbose") == 0) {
            o->verbose = true;
        } else if (strcmp(argv[i], "--trace") == 0) {
            o->verbose = true;
            o->traces_raft = true;
        } else if (strcmp(argv[i], "--here") == 0) {
            o->here = true;
        } else if (strcmp(argv[i], "--mutants") == 0) {
            o->mutants = true;
        } else if (strcmp(argv[i], "--seeds") == 0 && has_value) {
            o->seeds = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--first") == 0 && has_value) {
            o->first = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--nodes") == 0 && has_value) {
            o->nodes = (unsigned)strtoul(argv[++i], NULL, 10);
        } else {
            return false;
        }
    }
    return o->nodes <= SERVERS;
}

int main(int argc, char **argv)
{
    struct options o = {.seeds = 100, .first = 1};
    double start_s = now_s();
    struct sum sum;

    if (!read_options(argc, argv, &o)) {
        fprintf(stderr, "usage: simulation [--mutants] [--seeds N] [--first S] [--nodes 3|5] "
                        "[--verbose]\n");
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    clock_calibrate();
    if (o.mutants) {
        return run_mutants(&o);
    }
    sum = run_all(&o);
    print_sum(&sum, now_s() - start_s);
    return sum.problems == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
