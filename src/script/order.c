#include "script/order.h"

#include <stdlib.h>

/* The hash of a string in Lua 5.1, which leaves out most of a long one. */
static uint32_t hash(const char *at, size_t len)
{
    uint32_t h = (uint32_t)len;
    size_t step = (len >> 5) + 1;

    for (size_t i = len; i >= step; i -= step) {
        h ^= (h << 5) + (h >> 2) + (unsigned char)at[i - 1];
    }
    return h;
}

void order_note(lua_State *lua, struct text *notes, int index, const struct text *text, size_t from)
{
    struct order_note note = {.from = from, .to = text->len};
    size_t len;

    if (lua_type(lua, index) == LUA_TSTRING) {
        note.key = lua_tolstring(lua, index, &len);
        note.key_len = (uint32_t)len;
        note.place = hash(note.key, len);
    }
    text_add(lua, notes, (const char *)&note, sizeof note);
}

static int compare_keys(const struct order_note *x, const struct order_note *y)
{
    size_t shared = x->key_len < y->key_len ? x->key_len : y->key_len;
    int bytes = memcmp(x->key, y->key, shared);

    return bytes != 0 ? bytes : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

static int compare(const void *a, const void *b)
{
    const struct order_note *x = a;
    const struct order_note *y = b;

    if (x->key == NULL || y->key == NULL) { /* Those without come first, as they came. */
        return x->key == y->key ? (x->from > y->from) - (x->from < y->from)
                                : (x->key != NULL) - (y->key != NULL);
    }
    return x->place != y->place ? (x->place > y->place) - (x->place < y->place)
                                : compare_keys(x, y);
}

/* Most tables have few. */
static void sort_few(struct order_note *note, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct order_note moved = note[i];
        size_t to = i;

        while (to > 0 && compare(&note[to - 1], &moved) > 0) {
            note[to] = note[to - 1];
            to--;
        }
        note[to] = moved;
    }
}

static void sort(struct order_note *note, size_t count)
{
    enum { FEW = 24 };
    uint32_t places = 1;

    while (places < count) { /* As many as Lua 5.1 has then. */
        places *= 2;
    }
    for (size_t i = 0; i < count; i++) {
        note[i].place &= places - 1;
    }
    if (count <= FEW) {
        sort_few(note, count);
    } else {
        qsort(note, count, sizeof *note, compare);
    }
}

void order_pairs(lua_State *lua, struct text *notes, size_t start, struct text *text)
{
    struct order_note *note = (struct order_note *)(void *)(notes->at + start);
    size_t count = (notes->len - start) / sizeof *note;
    size_t from = note[0].from;
    size_t len = text->len - from;
    char *to;

    notes->len = start;
    if (count < 2) {
        return;
    }
    sort(note, count);
    to = text_reserve(lua, text, len);
    for (size_t i = 0; i < count; i++) {
        memcpy(to, text->at + note[i].from, note[i].to - note[i].from);
        to += note[i].to - note[i].from;
    }
    memcpy(text->at + from, text->at + from + len, len);
}
