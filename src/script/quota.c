#include "script/quota.h"

#include "base/number.h"

/* If the word is "OPTION=VALUE", returns true with the value. */
static bool has_value(struct bytes word, struct bytes option, struct bytes *value)
{
    if (word.len <= option.len || memcmp(word.at, option.at, option.len) != 0) {
        return false;
    }
    *value = (struct bytes){word.at + option.len, word.len - option.len};
    return true;
}

enum quota_read quota_read(struct quota *q, struct bytes word)
{
    struct bytes value;
    int64_t bytes;

    if (has_value(word, BYTES("timeout="), &value)) {
        return number_parse_duration_ms(value, &q->time_ms) && q->time_ms > 0 ? QUOTA_TAKEN
                                                                              : QUOTA_INVALID;
    }
    if (has_value(word, BYTES("memory="), &value)) {
        if (!number_parse_memory(value, &bytes) || bytes <= 0) {
            return QUOTA_INVALID;
        }
        q->memory = (size_t)bytes;
        return QUOTA_TAKEN;
    }
    return QUOTA_OTHER;
}
