/* The runtime: the Lua VM, and the right to interrupt it.
 *
 * Whatever a script does, it can be ended: work inside runtime_run() may be left at
 * any *safe point* by siglongjmp(). A safe point is an instruction of libluajit, or
 * of the copying and searching that it has the C library do, or a call of
 * runtime_poll(), while no command of the engine is at work. What is left then is in
 * no known state, so the whole Lua heap is thrown away and a new VM is made when the
 * next script comes. For that to be right, code that runs inside runtime_run() owns
 * nothing but memory of the VM: no buffers, no locks. */
#ifndef SCRIPT_RUNTIME_H
#define SCRIPT_RUNTIME_H

#include "engine/call.h"
#include "script/heap.h"
#include "script/script.h"
#include "script/shebang.h"
#include "script/tally.h"

#include <lua.h>
#include <setjmp.h>
#include <signal.h>
#include <time.h>

struct cache;
struct libraries;
struct loading;
struct profile;
struct use;

enum runtime_end {
    RUNTIME_DONE,    /* The work has come to its end. */
    RUNTIME_KILLED,  /* SCRIPT KILL. */
    RUNTIME_TIME,    /* script-time-limit. */
    RUNTIME_MEMORY,  /* script-memory-limit. */
    RUNTIME_UNDO,    /* script-undo-limit. */
    RUNTIME_STACK,   /* The C stack is full. */
    RUNTIME_STOPPED, /* SHUTDOWN. */
    RUNTIME_FAILED,  /* The VM raised an error where nothing catches it: see `failure`. */
};

/* A sink whose values go onto the Lua stack. */
enum { LUA_SINK_DEPTH = 16 };
struct lua_sink {
    struct sink sink;
    struct runtime *runtime;
    lua_State *lua;
    int base;  /* The stack's height when the reply began. */
    int depth; /* Aggregates that are open. */
    bool full; /* The heap is: nothing more is pushed, and the script will end. */
    struct lua_frame {
        enum resp_kind kind;
        size_t left; /* Values that are still to come. */
        int next;    /* Index of the next one in an array. */
        bool has_key;
    } frame[LUA_SINK_DEPTH];
};

enum { RUNTIME_ARGS = 32 };

struct runtime {
    struct engine *engine;
    const struct script_settings *settings;
    struct heap heap;
    lua_State *lua;      /* NULL: to be made when the next script comes. */
    uint64_t generation; /* Of the VM, from 1 on; functions of an older one are gone. */
    struct cache *cache;
    struct libraries *libraries;
    struct outcomes outcomes; /* Of all scripts and functions. */

    /* The running script. */
    struct session session; /* What its calls run in. */
    struct lua_sink sink;
    struct use *use;         /* What it runs for. */
    struct loading *loading; /* The library that registers functions now; or NULL. */
    size_t loaded;           /* Bytes of heap reserved when the last one had. */
    bool has_arguments;      /* KEYS and ARGV are not empty. */
    uint64_t random_state;   /* math.random(). */
    unsigned names;          /* That objects were given: see script/names.h. */

    /* The arguments of a redis.call. */
    struct bytes *argv;
    char (*text)[NUMBER_DOUBLE_MAX]; /* Numbers among them. */
    size_t args_cap;

    /* Interrupts. The signal handler reads and writes these. */
    volatile sig_atomic_t running;
    volatile sig_atomic_t in_call; /* A command, or something else that must end first. */
    volatile sig_atomic_t pending; /* Something is due at the next safe point. */
    volatile sig_atomic_t hungry;  /* A collection is due at the next instruction. */
    volatile sig_atomic_t kill;
    volatile sig_atomic_t overflow; /* The C stack's. */
    volatile uint64_t started;      /* clock_ticks() */
    struct quota quota;             /* That hold now; `memory` counts from the start. */
    volatile sig_atomic_t idle_ticks;
    volatile sig_atomic_t ticking;
    size_t undo_start; /* journal_memory() when it began, */
    size_t held_start; /* what of it was held, */
    size_t data_start; /* and what everything but the VM took up. */
    size_t heap_start; /* What the VM held. */
    bool fast;

    struct profile *profile;
    volatile sig_atomic_t profiling;
    volatile unsigned samples;         /* Ticks for the profile that have not been counted, */
    volatile unsigned samples_in_call; /* those among them that fell into commands. */
    timer_t timer;
    sigjmp_buf leave;
    enum runtime_end end;
    char failure[128];
};

struct runtime *runtime_new(struct engine *e, const struct script_settings *settings);
void runtime_free(struct runtime *r);

/* Runs `work` on the VM under the server's limits, or tighter ones of its own, and tells
 * how it ended. After anything but RUNTIME_DONE the VM is gone. */
enum runtime_end runtime_run(struct runtime *r, const struct quota *own,
                             void (*work)(struct runtime *r, void *context), void *context);

/* How long ago the script began that runs or has run last. */
uint64_t runtime_elapsed_ticks(const struct runtime *r);
int64_t runtime_elapsed_ms(const struct runtime *r);

/* Returns the bytes of memory that it takes to be able to undo the running script: what
 * the journal has written, and what it holds of the data, as far as these have grown. */
size_t runtime_undo_size(const struct runtime *r);

/* Behind a call: sees to it that a script which has outgrown script-undo-limit ends. */
static inline void runtime_limit_undo(struct runtime *r)
{
    size_t limit = r->settings->undo_limit;

    if (limit != 0 && journal_memory(&r->engine->journal) - r->undo_start > limit) {
        r->pending = 1;
    }
}

/* Ends the work of runtime_run() now. Does not return. */
__attribute__((noreturn)) void runtime_leave(struct runtime *r, enum runtime_end end);

/* A safe point in our own code: does what is due. May not return. */
void runtime_interrupt(struct runtime *r);
static inline void runtime_poll(struct runtime *r)
{
    if (__builtin_expect(r->pending, 0)) {
        runtime_interrupt(r);
    }
}

/* Begins or ends to take samples for the profile. */
void runtime_profile(struct runtime *r, bool on);

/* Returns the runtime that a VM belongs to. */
struct runtime *runtime_of(lua_State *lua);

/* Lets go of a function in the registry of the VM, if that still is the one of this
 * generation. Not inside runtime_run(). */
void runtime_drop_function(struct runtime *r, int function, uint64_t generation);

/* Throws the VM away, with all functions in it. Not inside runtime_run(). */
void runtime_drop_lua(struct runtime *r);

#endif
