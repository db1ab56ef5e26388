#include "moonlatch.h"

#include <stddef.h>

static const char *const texts[] = {
    [MOONLATCH_OK] = "it is done",
    [MOONLATCH_BUSY] = "it is held by another",
    [MOONLATCH_LOST] = "the lease is over",
    [MOONLATCH_STALE] = "a late duplicate of a request that was answered before",
    [MOONLATCH_FULL] = "as many wait as may",
    [MOONLATCH_DEADLOCK] = "to wait would be a deadlock",
    [MOONLATCH_LIMIT] = "it is held as many times as it may be",
    [MOONLATCH_REFUSED] = "a higher token has been seen",
    [MOONLATCH_UNREACHABLE] = "no server that leads can be reached",
    [MOONLATCH_UNCERTAIN] = "the connection broke, and nobody knows whether it was done",
    [MOONLATCH_DENIED] = "the server denies access",
    [MOONLATCH_ERROR] = "the server has answered an error",
    [MOONLATCH_ARGUMENT] = "an argument makes no sense",
    [MOONLATCH_MEMORY] = "out of memory",
    [MOONLATCH_FORKED] = "the session belongs to another process",
    [MOONLATCH_CANCELLED] = "it was interrupted",
};

const char *moonlatch_status_text(moonlatch_status status)
{
    const size_t i = (size_t)status;

    return i < sizeof texts / sizeof *texts ? texts[i] : "an unknown status";
}
