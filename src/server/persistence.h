/* What INFO tells of saving and loading. */
#ifndef SERVER_PERSISTENCE_H
#define SERVER_PERSISTENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct persistence {
    bool loading;
    uint64_t loaded_keys;  /* At the last loading. */
    uint64_t expired_keys; /* That it passed over. */

    int64_t saving_since_ms; /* By a child; 0: none is at work. Log time. */
    size_t saving_bytes;     /* That the child has copied by then. */
    int64_t last_save_s;     /* Unix time of the last one that succeeded, or of the start. */
    int64_t last_took_s;     /* -1: there was none. */
    size_t last_bytes;
    bool last_failed;
    uint64_t saves;
    uint64_t saved_changes; /* engine.journal.changes at the last one. */

    uint64_t forks;
    int64_t last_fork_us;
};

#endif
