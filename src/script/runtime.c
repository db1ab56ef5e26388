#include "script/runtime.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "script/profile.h"
#include "script/sandbox.h"
#include "script/stack.h"

#include <assert.h>
#include <dlfcn.h>
#include <lauxlib.h>
#include <link.h>
#include <luajit.h>
#include <pthread.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    TICK_MS = 10,        /* How often a running script is looked at, */
    FAST_TICK_MS = 1,    /* and how often when something is due. */
    IDLE_TICKS = 4,      /* Without a script, after which the timer stops. */
    HEAP_KEPT = 8 << 20, /* A VM that has reserved more is not kept. */
    GC_PAUSE = 170,      /* Garbage may be two thirds of what lives, */
    GC_SPEED = 1000,     /* and little more until a collection that has begun has ended. */
};

#define TICK_SIGNAL SIGRTMIN

/* There is one executor in a process, and signal handlers cannot be told for whom
 * they work. */
static struct runtime *executor;

/* The text of libluajit: the only code in which a script may be left, */
static uintptr_t text_low, text_high;

/* but for what it calls of the C library to go through memory: leaf functions, which
 * hold nothing. They are short, but nobody tells how short: what is taken for one of
 * them must also be about to return to libluajit. */
enum { HELPERS = 5, HELPER_SIZE = 2048 };
static uintptr_t helper[HELPERS];

static int find_text(struct dl_phdr_info *info, size_t size, void *context)
{
    uintptr_t inside = *(uintptr_t *)context;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t low = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) && low <= inside &&
            inside < low + segment->p_memsz) {
            text_low = low;
            text_high = low + segment->p_memsz;
            return 1;
        }
    }
    return 0;
}

static uintptr_t program_counter(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
#error "Say where the program counter is."
#endif
}

/* Returns where a function that has put nothing on the stack will return to. */
static uintptr_t return_address(const ucontext_t *context)
{
#if defined(__x86_64__)
    const uintptr_t *top = (const uintptr_t *)context->uc_mcontext.gregs[REG_RSP];

    return *top;
#else
    return (uintptr_t)context->uc_mcontext.regs[30];
#endif
}

static bool in_text(uintptr_t at)
{
    return text_low <= at && at < text_high;
}

static void find_helpers(void)
{
    static const char *const name[HELPERS] = {"memchr", "memcmp", "memcpy", "memmove", "memset"};

    for (size_t i = 0; i < HELPERS; i++) {
        helper[i] = (uintptr_t)dlsym(RTLD_DEFAULT, name[i]);
    }
}

/* A search in a long string spends nearly all of its time in the C library. */
static bool in_helper(uintptr_t at, const ucontext_t *context)
{
    for (size_t i = 0; i < HELPERS; i++) {
        if (helper[i] <= at && at < helper[i] + HELPER_SIZE) {
            return in_text(return_address(context));
        }
    }
    return false;
}

static bool at_safe_point(const struct runtime *r, const ucontext_t *context)
{
    uintptr_t at = program_counter(context);

    return r->running && !r->in_call && (in_text(at) || in_helper(at, context));
}

/* The hook: what must wait for the next instruction of the script. */

/* The signal handler sets it too, but never while this is at work. */
static void set_hook(struct runtime *r, lua_Hook hook)
{
    sig_atomic_t in_call = r->in_call;

    if (r->lua != NULL) {
        r->in_call = 1;
        lua_sethook(r->lua, hook, LUA_MASKCOUNT, 1);
        r->in_call = in_call;
    }
}

/* LuaJIT does not collect when memory runs short. */
static void collect(struct runtime *r)
{
    r->hungry = 0;
    lua_gc(r->lua, LUA_GCCOLLECT, 0);
    r->heap.soft = r->heap.used + (r->heap.limit - r->heap.used) / 2;
}

static void on_hook(lua_State *lua, lua_Debug *unused)
{
    struct runtime *r = runtime_of(lua);

    (void)unused;
    set_hook(r, NULL);
    if (r->hungry) {
        collect(r);
    }
    profile_count(r, lua);
}

/* The timer. It runs on for a little while behind a script, so that under load it
 * costs no system call a script. */

static void set_timer(struct runtime *r, int ms)
{
    struct itimerspec every = {
        .it_interval = {.tv_nsec = ms * 1000000L},
        .it_value = {.tv_nsec = ms * 1000000L},
    };

    timer_settime(r->timer, 0, &every, NULL);
    r->ticking = ms > 0;
    r->fast = ms == FAST_TICK_MS;
}

/* While it is on the timer does not stop: it would begin anew with each script, and never
 * find a short one at work. */
void runtime_profile(struct runtime *r, bool on)
{
    r->profiling = on;
    if (on) {
        set_timer(r, FAST_TICK_MS);
    }
}

/* The counter of another processor may be a little behind. */
uint64_t runtime_elapsed_ticks(const struct runtime *r)
{
    int64_t ticks = (int64_t)(clock_ticks() - r->started);

    return ticks > 0 ? (uint64_t)ticks : 0;
}

int64_t runtime_elapsed_ms(const struct runtime *r)
{
    return (int64_t)(clock_ticks_to_ns(runtime_elapsed_ticks(r)) / 1000000);
}

static bool is_over_time(const struct runtime *r)
{
    return r->quota.time_ms > 0 && runtime_elapsed_ms(r) >= r->quota.time_ms;
}

static bool is_busy(const struct runtime *r)
{
    return r->settings->busy_threshold_ms > 0 &&
           runtime_elapsed_ms(r) >= r->settings->busy_threshold_ms;
}

__attribute__((noreturn)) void runtime_leave(struct runtime *r, enum runtime_end end)
{
    sigset_t ours;

    r->end = end;
    sigemptyset(&ours); /* We may be in the handlers of these. */
    sigaddset(&ours, TICK_SIGNAL);
    sigaddset(&ours, SIGSEGV);
    sigaddset(&ours, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    siglongjmp(r->leave, 1);
}

static size_t data_size(const struct runtime *r)
{
    return mem_used() - r->heap.reserved;
}

size_t runtime_undo_size(const struct runtime *r)
{
    const struct journal *j = &r->engine->journal;
    size_t size = data_size(r);
    size_t growth = size > r->data_start ? size - r->data_start : 0;
    size_t held = j->held - r->held_start;

    return journal_memory(j) - r->undo_start - held + (held < growth ? held : growth);
}

static bool is_over_undo(const struct runtime *r)
{
    return r->settings->undo_limit != 0 && runtime_undo_size(r) > r->settings->undo_limit;
}

static void leave_if_due(struct runtime *r)
{
    if (r->overflow) {
        runtime_leave(r, RUNTIME_STACK);
    }
    if (r->kill) {
        runtime_leave(r, RUNTIME_KILLED);
    }
    if (r->engine->stop) {
        runtime_leave(r, RUNTIME_STOPPED);
    }
    if (r->sink.full || (r->heap.limit != 0 && r->heap.used > r->heap.limit)) {
        runtime_leave(r, RUNTIME_MEMORY);
    }
    if (is_over_undo(r)) {
        runtime_leave(r, RUNTIME_UNDO);
    }
    if (is_over_time(r)) {
        runtime_leave(r, RUNTIME_TIME);
    }
}

/* Others are served from here: by the same code as always, but that the script
 * must not be left from inside it. */
static void open_door(struct runtime *r)
{
    struct engine *e = r->engine;

    e->running.is_busy = true;
    if (e->door.serve != NULL) {
        r->in_call = 1;
        e->door.serve(e->door.context);
        r->in_call = 0;
    }
}

void runtime_interrupt(struct runtime *r)
{
    r->pending = 0;
    leave_if_due(r);
    if (r->samples > 0) {
        set_hook(r, on_hook);
    }
    if (is_busy(r)) {
        open_door(r);
        leave_if_due(r);
    }
}

/* Takes a sample, to be counted when the VM is in a known state. */
static void sample(struct runtime *r)
{
    r->samples++;
    r->samples_in_call += r->in_call != 0;
    r->pending = 1;
    if (!r->in_call) { /* Else it is seen to behind the command. */
        set_hook(r, on_hook);
    }
}

static void on_tick(int signal_number, siginfo_t *info, void *context)
{
    struct runtime *r = executor;

    (void)signal_number;
    (void)info;
    if (!r->running) {
        if (!r->profiling && ++r->idle_ticks >= IDLE_TICKS) {
            set_timer(r, 0);
        }
        return;
    }
    r->idle_ticks = 0;
    if (r->profiling) {
        sample(r);
    }
    if (!r->kill && !r->overflow && !r->engine->stop && !is_over_time(r) && !is_busy(r)) {
        return;
    }
    if (at_safe_point(r, context)) {
        runtime_interrupt(r);
        return;
    }
    r->pending = 1;
    if (!r->fast) {
        set_timer(r, FAST_TICK_MS);
    }
}

static void on_overflow(void *context)
{
    struct runtime *r = executor;

    r->overflow = 1;
    if (at_safe_point(r, context)) {
        runtime_leave(r, RUNTIME_STACK);
    }
    r->pending = 1;
    if (!r->fast) {
        set_timer(r, FAST_TICK_MS);
    }
}

/* The heap. */

static void on_over(void *context)
{
    struct runtime *r = context;

    if (!r->running) {
        return;
    }
    if (r->in_call) { /* The command ends first. */
        r->pending = 1;
        return;
    }
    runtime_leave(r, RUNTIME_MEMORY);
}

/* Is called inside an allocation, before garbage reaches the limit. */
static void on_hungry(void *context)
{
    struct runtime *r = context;

    r->heap.soft = 0;
    r->hungry = 1;
    set_hook(r, on_hook);
}

static void set_memory_limit(struct runtime *r, size_t limit)
{
    r->heap.limit = limit;
    r->heap.soft = limit / 2;
    if (r->heap.soft < r->heap.used) {
        r->heap.soft = r->heap.used + (limit - r->heap.used) / 2;
    }
}

/* What a script allows itself counts from where it begins: what is in the heap then is
 * not its own. */
static void tighten_memory_limit(struct runtime *r)
{
    size_t own = r->quota.memory;

    if (own != 0 && r->heap.used + own < r->heap.limit) {
        set_memory_limit(r, r->heap.used + own);
    } else {
        r->quota.memory = 0;
    }
}

static void set_limits(struct runtime *r, const struct quota *own)
{
    int64_t time_ms = r->settings->time_limit_ms;

    r->quota = *own;
    if (time_ms > 0 && (own->time_ms == 0 || own->time_ms > time_ms)) {
        r->quota.time_ms = time_ms;
    }
    set_memory_limit(r, r->settings->memory_limit);
}

/* The VM. */

struct runtime *runtime_of(lua_State *lua)
{
    (void)lua;
    return executor;
}

void runtime_drop_lua(struct runtime *r)
{
    heap_drop(&r->heap);
    r->loaded = 0;
    r->hungry = 0;
    r->lua = NULL;
    r->generation++;
}

void runtime_drop_function(struct runtime *r, int function, uint64_t generation)
{
    if (r->lua != NULL && generation == r->generation) {
        luaL_unref(r->lua, LUA_REGISTRYINDEX, function);
    }
}

/* An error that no pcall() catches. The VM would end the process. */
static int on_panic(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);
    const char *message = lua_tostring(lua, -1);

    if (lua_istable(lua, -1)) {
        lua_pushliteral(lua, "err");
        lua_rawget(lua, -2);
        message = lua_tostring(lua, -1);
    }
    bytes_to_string(bytes_of(message != NULL ? message : "ERR unknown error"), r->failure,
                    sizeof r->failure);
    runtime_leave(r, RUNTIME_FAILED);
}

static void mark_heap(struct runtime *r)
{
    r->heap_start = r->heap.used;
    r->heap.peak = r->heap.used;
}

static void need_lua(struct runtime *r)
{
    lua_State *lua;
    int ok;

    if (r->lua != NULL) {
        return;
    }
    lua = lua_newstate(heap_alloc, &r->heap);
    assert(lua != NULL);
    ok = luaJIT_setmode(lua, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    assert(ok == 1); /* Compiled code could not be left. */
    r->lua = lua;    /* From here on hooks may be set. */
    lua_atpanic(lua, on_panic);
    lua_gc(lua, LUA_GCSETPAUSE, GC_PAUSE);
    lua_gc(lua, LUA_GCSETSTEPMUL, GC_SPEED);
    sandbox_open(lua);
    mark_heap(r); /* A new VM is not what the script takes. */
}

/* A script leaves nothing but garbage, and much of that is not kept. What a library has
 * loaded is not garbage. */
static bool is_worth_keeping(struct runtime *r)
{
    if (r->loading != NULL) {
        r->loaded = r->heap.reserved;
        return true;
    }
    return r->heap.reserved <= r->loaded + HEAP_KEPT &&
           r->heap.used <= r->settings->memory_limit / 2;
}

static void end(struct runtime *r)
{
    r->running = 0;
    r->in_call = 0;
    r->engine->running = (struct running){0};
    stack_close_reserve();
    if (r->end != RUNTIME_DONE || !is_worth_keeping(r)) {
        runtime_drop_lua(r);
    }
}

enum runtime_end runtime_run(struct runtime *r, const struct quota *own,
                             void (*work)(struct runtime *r, void *context), void *context)
{
    assert(!r->running);
    r->kill = 0;
    r->pending = 0;
    r->overflow = 0;
    r->sink.full = false;
    r->started = clock_ticks();
    r->undo_start = journal_memory(&r->engine->journal);
    r->held_start = r->engine->journal.held;
    r->data_start = data_size(r);
    mark_heap(r);
    r->end = RUNTIME_DONE;
    r->engine->running = (struct running){.is_script = true};
    set_limits(r, own);
    r->idle_ticks = 0; /* First: the timer must not stop behind the look at it. */
    if (!r->ticking || r->fast != r->profiling) {
        set_timer(r, r->profiling ? FAST_TICK_MS : TICK_MS);
    }
    if (sigsetjmp(r->leave, 0) == 0) {
        r->running = 1;
        need_lua(r);
        tighten_memory_limit(r);
        work(r, context);
    }
    end(r);
    return r->end;
}

static void start_timer(struct runtime *r)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TICK_SIGNAL};
    struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    int err;

    sigemptyset(&action.sa_mask);
    sigaction(TICK_SIGNAL, &action, NULL);
    event._sigev_un._tid = gettid();
    err = timer_create(CLOCK_MONOTONIC, &event, &r->timer);
    assert(err == 0);
}

struct runtime *runtime_new(struct engine *e, const struct script_settings *settings)
{
    struct runtime *r = mem_zalloc(sizeof *r);
    uintptr_t inside = (uintptr_t)dlsym(RTLD_DEFAULT, "lua_newstate");

    assert(executor == NULL);
    dl_iterate_phdr(find_text, &inside);
    assert(text_low < text_high);
    find_helpers();

    r->engine = e;
    r->settings = settings;
    r->heap.over = on_over;
    r->heap.hungry = on_hungry;
    r->heap.context = r;
    r->generation = 1;
    r->args_cap = RUNTIME_ARGS;
    r->argv = mem_alloc(r->args_cap * sizeof *r->argv);
    r->text = mem_alloc(r->args_cap * sizeof *r->text);
    session_init(&r->session, e);
    r->session.in_script = true;
    r->session.authenticated = true;
    executor = r;
    start_timer(r);
    stack_on_overflow = on_overflow;
    return r;
}

void runtime_free(struct runtime *r)
{
    if (r == NULL) {
        return;
    }
    timer_delete(r->timer);
    signal(TICK_SIGNAL, SIG_IGN);
    stack_on_overflow = NULL;
    executor = NULL;
    runtime_drop_lua(r);
    session_clear(&r->session);
    mem_free(r->argv);
    mem_free(r->text);
    mem_free(r);
}
