#include "base/glob.h"

#include <ctype.h>

/* The bytes of the pattern that one match may look at: half a second or so. */
enum { STEPS_MAX = 1 << 28 };

static int fold(char c, bool nocase)
{
    return nocase ? tolower((unsigned char)c) : (unsigned char)c;
}

/* Matches one byte against the set whose '[' is at pattern[*at]. Moves *at to the
 * closing bracket, or to the last byte of a pattern that has none. */
static bool set_has(struct bytes pattern, size_t *at, char byte, bool nocase)
{
    size_t i = *at + 1;
    bool negated = i < pattern.len && pattern.at[i] == '^';
    bool found = false;
    int c = fold(byte, nocase);

    if (negated) {
        i++;
    }
    for (; i < pattern.len && pattern.at[i] != ']'; i++) {
        if (pattern.at[i] == '\\' && i + 1 < pattern.len) {
            i++;
            found |= fold(pattern.at[i], nocase) == c;
        } else if (i + 2 < pattern.len && pattern.at[i + 1] == '-') {
            int low = fold(pattern.at[i], nocase);
            int high = fold(pattern.at[i + 2], nocase);
            found |= low <= high ? low <= c && c <= high : high <= c && c <= low;
            i += 2;
        } else {
            found |= fold(pattern.at[i], nocase) == c;
        }
    }
    *at = i < pattern.len ? i : pattern.len - 1;
    return found != negated;
}

/* Matches one byte against the item at pattern[*at], and moves *at behind it. */
static bool item_matches(struct bytes pattern, size_t *at, char byte, bool nocase)
{
    bool same;

    switch (pattern.at[*at]) {
    case '?':
        same = true;
        break;
    case '[':
        same = set_has(pattern, at, byte, nocase);
        break;
    case '\\':
        if (*at + 1 < pattern.len) {
            (*at)++;
        }
        __attribute__((fallthrough));
    default:
        same = fold(pattern.at[*at], nocase) == fold(byte, nocase);
    }
    (*at)++;
    return same;
}

static bool match(struct bytes pattern, struct bytes text, bool nocase)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = SIZE_MAX; /* Where to go on behind the last star seen, */
    size_t star_text = 0;   /* and how much of the text it has not eaten. */
    size_t steps = 0;

    while (t < text.len) {
        size_t from = p;

        if (steps > STEPS_MAX) {
            return false;
        }
        if (p < pattern.len && pattern.at[p] == '*') {
            star = ++p;
            star_text = t;
        } else if (p < pattern.len && item_matches(pattern, &p, text.at[t], nocase)) {
            t++;
            steps += p - from;
        } else if (star != SIZE_MAX) {
            steps += p - from + 1;
            p = star;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.at[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

bool glob_match(struct bytes pattern, struct bytes text)
{
    return match(pattern, text, false);
}

bool glob_match_nocase(struct bytes pattern, struct bytes text)
{
    return match(pattern, text, true);
}
