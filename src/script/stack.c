#include "script/stack.h"

#include "script/script.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

enum {
    USABLE = 16 * 1024 * 1024,
    RESERVE = 4 * 1024 * 1024,
    STEP = 64 * 1024,    /* More than any frame takes. */
    GUARD = 1024 * 1024, /* Never opened. */
    FRAME = 16 * 1024,   /* More than the kernel puts on the stack for a signal. */
    SIGNAL_STACK = 64 * 1024,
};

void (*stack_on_overflow)(void *ucontext);

/* A signal handler has no other way to learn these. */
static char *reserve;    /* Its low end; NULL while there is no guarded stack. */
static char *reserve_at; /* The low end of what is open of it. */

static void die(int signal_number)
{
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static char *stack_pointer(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (char *)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    return (char *)context->uc_mcontext.sp;
#else
#error "Say where the stack pointer is."
#endif
}

/* Returns where the stack was touched. A signal that has no room on the stack becomes
 * a fault of the kernel's own, which tells no address. */
static char *touched_at(const siginfo_t *info, const ucontext_t *context)
{
    return info->si_code == SI_KERNEL ? stack_pointer(context) - FRAME : info->si_addr;
}

static void on_fault(int signal_number, siginfo_t *info, void *ucontext)
{
    char *at = touched_at(info, ucontext);

    if (reserve == NULL || at < reserve || at >= reserve_at || stack_on_overflow == NULL) {
        die(signal_number);
        return;
    }
    while (reserve_at > at) {
        reserve_at -= STEP;
    }
    if (mprotect(reserve_at, (size_t)(reserve + RESERVE - reserve_at), PROT_READ | PROT_WRITE) !=
        0) {
        die(signal_number);
        return;
    }
    stack_on_overflow(ucontext);
}

void stack_close_reserve(void)
{
    if (reserve != NULL && reserve_at != reserve + RESERVE) {
        mprotect(reserve, RESERVE, PROT_NONE);
        reserve_at = reserve + RESERVE;
    }
}

static void catch_faults(void *signal_stack)
{
    stack_t stack = {.ss_sp = signal_stack, .ss_size = SIGNAL_STACK};
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    sigaltstack(&stack, NULL);
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

struct start {
    void (*work)(void *context);
    void *context;
    void *signal_stack;
};

static void *thread_main(void *context)
{
    struct start *start = context;
    stack_t off = {.ss_flags = SS_DISABLE};

    catch_faults(start->signal_stack);
    start->work(start->context);
    sigaltstack(&off, NULL);
    return NULL;
}

void script_run_on_guarded_stack(void (*work)(void *context), void *context)
{
    size_t size = GUARD + RESERVE + USABLE;
    char *low = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    struct start start = {work, context, malloc(SIGNAL_STACK)};
    pthread_attr_t attributes;
    pthread_t thread;
    int err;

    assert(low != MAP_FAILED);
    assert(start.signal_stack != NULL);
    mprotect(low, GUARD + RESERVE, PROT_NONE);
    reserve = low + GUARD;
    reserve_at = reserve + RESERVE;

    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, low + GUARD + RESERVE, USABLE);
    err = pthread_create(&thread, &attributes, thread_main, &start);
    assert(err == 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);

    reserve = NULL;
    munmap(low, size);
    free(start.signal_stack);
}
