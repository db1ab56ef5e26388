#include "replica/complaint.h"

#include "base/hash.h"

enum { QUIET_MS = 60 * 1000 };

bool complaint_is_due(struct complaints *c, const char *whom, uint64_t now_ms)
{
    uint64_t about = hash_keyed(bytes_of(whom), 0, 0);
    int unused = -1;

    for (int i = 0; i < COMPLAINTS_A_MINUTE; i++) {
        if (c->recent[i].until_ms <= now_ms) {
            unused = i;
        } else if (c->recent[i].about == about) {
            return false;
        }
    }
    if (unused < 0) {
        return false;
    }
    c->recent[unused].about = about;
    c->recent[unused].until_ms = now_ms + QUIET_MS;
    return true;
}
