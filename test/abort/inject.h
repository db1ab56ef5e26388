/* Faults, at a chosen point of a script that runs: what is linked in place of the
 * functions through which it calls commands and takes memory (-Wl,--wrap). */
#ifndef TEST_ABORT_INJECT_H
#define TEST_ABORT_INJECT_H

#include "script/runtime.h"

/* How a script is ended. */
enum fault {
    FAULT_NONE,
    FAULT_ERROR,      /* A call replies with an error. */
    FAULT_FULL,       /* From a call on, the data are over maxmemory. */
    FAULT_KILL,       /* During a call, SCRIPT KILL is served, */
    FAULT_TIME,       /* the time is up, */
    FAULT_STOP,       /* the server is told to end, */
    FAULT_STACK,      /* or the C stack overflows. */
    FAULT_UNDO,       /* The journal takes more than so many bytes. */
    FAULT_MEMORY,     /* A request for memory of the VM is beyond its limit. */
    FAULT_ALLOCATION, /* It fails: the VM raises an error. */
    FAULT_END,
};

enum { SIZES_MAX = 1024, COMMANDS_COUNTED = 1024 };

/* What there is one of, as there is one runtime. */
struct injection {
    struct runtime *runtime;
    struct script_settings *settings; /* Its own. */
    enum fault fault;
    size_t at;     /* Which call, or which request for memory: from 0 on. */
    bool happened; /* It has been reached. */

    /* Counted, in any run. */
    size_t calls;
    size_t allocations; /* Requests for memory since the VM was there. */
    size_t undo[SIZES_MAX];
    size_t undo_count;             /* Sizes of the journal, each more than the ones before. */
    bool makes_vm;                 /* Requests for the VM itself count, too. */
    bool called[COMMANDS_COUNTED]; /* Commands that scripts have called, by number. */
};
extern struct injection injection;

/* Begin and end a run with a fault. */
void inject_begin(enum fault fault, size_t at);
void inject_end(void);

#endif
