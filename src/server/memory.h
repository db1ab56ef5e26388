/* What the memory is used for. */
#ifndef SERVER_MEMORY_H
#define SERVER_MEMORY_H

#include "base/mem.h"
#include "server/server.h"

/* In bytes. */
struct memory_report {
    size_t used;     /* Allocated by us, all together. */
    size_t peak;     /* The most of that so far. */
    size_t startup;  /* Of that at the start, without data. */
    size_t tables;   /* Of the databases: what finds the keys. */
    size_t clients;  /* Buffers, and what is queued. */
    size_t scripts;  /* Texts that are kept. */
    size_t overhead; /* All but the data: the four above. */
    size_t dataset;  /* The rest. */
    size_t lua;      /* The heap of scripts; not part of `used`. */
    size_t resident; /* Of the process. */
    size_t keys;     /* Their number. */
    struct mem_details allocator;
};

void memory_report(struct server *s, struct memory_report *report);

/* The subcommands of MEMORY. */
extern const struct command memory_subcommands[];

/* Returns a / b, and 0 if b is that. */
static inline double memory_ratio(size_t a, size_t b)
{
    return b == 0 ? 0 : (double)a / (double)b;
}

#endif
