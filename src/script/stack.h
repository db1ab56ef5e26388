/* The guarded stack: below the C stack of the executor lies a reserve that is
 * closed. A script that recurses through C functions (callbacks of gsub, coroutines
 * in coroutines) runs into it; the fault handler opens a step of it and reports, so
 * that the script can be ended at the next point where that is safe. */
#ifndef SCRIPT_STACK_H
#define SCRIPT_STACK_H

#include <stdbool.h>

/* Is called by the fault handler, on a signal stack, with the ucontext of the fault
 * when the reserve is touched. May leave by siglongjmp(). */
extern void (*stack_on_overflow)(void *ucontext);

/* Closes the reserve again. To be called when the stack has been left. */
void stack_close_reserve(void);

#endif
