/* Text under construction, in memory of the VM: what the libraries of scripts write to.
 *
 * It outlives the call that made it, for the next one, so it may be left behind in any
 * state, by an error or when the script is ended: `len` is set anew by whoever starts.
 * One that is all zero is empty. Whoever has one in a userdata gives it back in __gc.
 * Functions that take memory raise an error of the VM if there is none. */
#ifndef SCRIPT_TEXT_H
#define SCRIPT_TEXT_H

#include <lua.h>
#include <stdbool.h>
#include <string.h>

struct text {
    char *at;
    size_t len;
    size_t cap;
};

/* Makes room for `extra` more bytes, and for at least one. */
void text_grow(lua_State *lua, struct text *text, size_t extra);

/* Empties a text, and gives back its memory if that is more than should be kept. */
void text_trim(lua_State *lua, struct text *text);

/* Gives back its memory. */
void text_clear(lua_State *lua, struct text *text);

/* Makes room for `extra` more bytes, if only for none, and returns where they go. */
static inline char *text_reserve(lua_State *lua, struct text *text, size_t extra)
{
    if (__builtin_expect(text->cap - text->len <= extra, false)) {
        text_grow(lua, text, extra);
    }
    return text->at + text->len;
}

static inline void text_add(lua_State *lua, struct text *text, const char *from, size_t len)
{
    memcpy(text_reserve(lua, text, len), from, len);
    text->len += len;
}

static inline void text_add_char(lua_State *lua, struct text *text, char c)
{
    *text_reserve(lua, text, 1) = c;
    text->len++;
}

#endif
