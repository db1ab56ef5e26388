/* Popping from the first of several keys that holds something: what the commands on
 * lists and on sorted sets share. */
#ifndef COMMAND_POP_H
#define COMMAND_POP_H

#include "engine/call.h"

/* What LMPOP, ZMPOP and those of them that wait are asked for. */
struct popping {
    size_t first, keys; /* Arguments that are keys. */
    bool from_last;     /* The second of the two words, rather than the first. */
    size_t count;       /* Elements, at most. */
};

/* Reads "numkeys key [key ...] WORD [COUNT count]" from argument `arg` to the end. `ends`
 * are the two words that name an end. Returns false, having failed the call, if it is
 * wrong. */
bool pop_parse(struct call *c, size_t arg, const char *const ends[2], struct popping *p);

/* Finds the first value of a type among `count` keys from argument `first` on. Returns
 * false, having failed the call, if there is something else before it; that does not
 * concern a call which has waited. *v is NULL if there is none. */
bool pop_find(struct call *c, size_t first, size_t count, enum value_type type, struct bytes *key,
              const struct value **v);

#endif
