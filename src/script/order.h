/* The order in which the pairs of a table are written.
 *
 * LuaJIT draws lots for it: in the next call the same keys come in another one. But scripts
 * write the same value again to find it where they have put it, in a list or a set. So
 * pairs go in a fixed order: those whose keys are strings last, as in Lua 5.1, and so in
 * Redis, by the places of the keys in a hash table, and where two have one place, by their
 * bytes.
 *
 * Pairs are written as they come, and then moved. */
#ifndef SCRIPT_ORDER_H
#define SCRIPT_ORDER_H

#include "script/text.h"

#include <stdint.h>

/* Notes are kept in a text, one table's behind those of the tables that it is in. They view
 * the key, which the table holds. */
struct order_note {
    const char *key; /* NULL: it is no string. */
    uint32_t key_len;
    uint32_t place;
    size_t from, to; /* Where the pair is in what is written. */
};

/* Notes that the pair with the key at `index` has been written to `text` from `from` on. */
void order_note(lua_State *lua, struct text *notes, int index, const struct text *text,
                size_t from);

/* Moves the pairs that have been noted since the notes had `start` bytes, and forgets the
 * notes. Nothing but these pairs has been written since the first one. */
void order_pairs(lua_State *lua, struct text *notes, size_t start, struct text *text);

#endif
