#include "base/bytes.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.at[i]) != lower(b.at[i])) {
            return false;
        }
    }
    return true;
}

bool bytes_is(struct bytes b, const char *word)
{
    size_t i = 0;

    while (i < b.len && (b.at[i] == word[i] || lower(b.at[i]) == lower(word[i])) &&
           word[i] != '\0') {
        i++;
    }
    return i == b.len && word[i] == '\0';
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.at, b.at, shorter);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

void bytes_to_string(struct bytes b, char *out, size_t size)
{
    size_t len = b.len < size ? b.len : size - 1;

    if (len > 0) {
        memcpy(out, b.at, len);
    }
    out[len] = '\0';
}
