/* Complaints about others, of which each is logged once a minute at the most, and all
 * together some dozens of times: strangers must not be able to fill the log. Of the log
 * thread. */
#ifndef REPLICA_COMPLAINT_H
#define REPLICA_COMPLAINT_H

#include <stdbool.h>
#include <stdint.h>

enum { COMPLAINTS_A_MINUTE = 64 };

/* `struct complaints c = {0};` is a new list. */
struct complaints {
    struct {
        uint64_t about;
        uint64_t until_ms; /* Until then nothing more is said about it; 0: unused. */
    } recent[COMPLAINTS_A_MINUTE];
};

/* Says whether a complaint about `whom` is to be logged, and if so, that it has been. */
bool complaint_is_due(struct complaints *c, const char *whom, uint64_t now_ms);

#endif
