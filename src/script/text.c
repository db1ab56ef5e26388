#include "script/text.h"

enum {
    TEXT_MIN = 1024,
    TEXT_KEPT = 64 * 1024, /* A larger text goes back to the VM after its use. */
};

static void resize(lua_State *lua, struct text *text, size_t cap)
{
    void *allocator;
    lua_Alloc allocate = lua_getallocf(lua, &allocator);
    char *at = allocate(allocator, text->at, text->cap, cap);

    if (at == NULL && cap > 0) {
        lua_pushliteral(lua, "not enough memory");
        lua_error(lua);
    }
    text->at = at;
    text->cap = cap;
}

void text_grow(lua_State *lua, struct text *text, size_t extra)
{
    size_t needed = text->len + extra + 1;
    size_t cap = text->cap < TEXT_MIN ? TEXT_MIN : text->cap * 2;

    resize(lua, text, cap < needed ? needed : cap);
}

void text_trim(lua_State *lua, struct text *text)
{
    text->len = 0;
    if (text->cap > TEXT_KEPT) {
        resize(lua, text, 0);
    }
}

void text_clear(lua_State *lua, struct text *text)
{
    text->len = 0;
    resize(lua, text, 0);
}
