/* A VM for unit tests of the libraries of scripts. Its memory is counted, and can be
 * made to run out. */
#ifndef TEST_VM_H
#define TEST_VM_H

#include "test/lib/check.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdbool.h>
#include <string.h>

struct vm {
    lua_State *lua;
    size_t used;  /* Bytes it has now. */
    size_t left;  /* Requests that are still granted. */
    bool ran_out; /* One was refused. */
    char answer[32 * 1024];
};

static void *vm_allocate(void *data, void *block, size_t old_size, size_t size)
{
    struct vm *vm = data;

    if (size == 0) {
        free(block);
        vm->used -= old_size;
        return NULL;
    }
    if (size > old_size && vm->left-- == 0) {
        vm->left = 0;
        vm->ran_out = true;
        return NULL;
    }
    vm->used += size - old_size;
    return realloc(block, size);
}

/* What scripts here may use: `show` writes any value as text, tables in order. */
static const char vm_prelude[] =
    "function show(v)\n"
    "  if type(v) == 'userdata' then return 'null' end\n"
    "  if type(v) == 'number' then return string.format('%.14g', v) end\n"
    "  if type(v) ~= 'table' then return tostring(v) end\n"
    "  local keys, parts = {}, {}\n"
    "  for key in pairs(v) do keys[#keys + 1] = key end\n"
    "  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)\n"
    "  for i, key in ipairs(keys) do parts[i] = tostring(key) .. '=' .. show(v[key]) end\n"
    "  return '{' .. table.concat(parts, ',') .. '}'\n"
    "end\n"
    "function same(a, b)\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end\n"
    "  for key in pairs(b) do if a[key] == nil then return false end end\n"
    "  for key in pairs(a) do if not same(a[key], b[key]) then return false end end\n"
    "  return true\n"
    "end\n"
    "function nested(depth)\n"
    "  local v = {}\n"
    "  for i = 2, depth do v = {v} end\n"
    "  return v\n"
    "end\n"
    "function hex(s)\n"
    "  return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end))\n"
    "end\n";

/* Makes a VM with a library, whose function pushes its table. */
static inline void vm_open_with(struct vm *vm, void (*open)(lua_State *lua), const char *name)
{
    memset(vm, 0, sizeof *vm);
    vm->left = SIZE_MAX;
    vm->lua = lua_newstate(vm_allocate, vm);
    CHECK(vm->lua != NULL);
    luaL_openlibs(vm->lua);
    CHECK(luaJIT_setmode(vm->lua, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF) == 1);
    open(vm->lua);
    lua_setglobal(vm->lua, name);
    CHECK(luaL_loadstring(vm->lua, vm_prelude) == 0);
    lua_call(vm->lua, 0, 0);
}

/* Closes a VM, which must not have left any memory behind. */
static inline void vm_close(struct vm *vm)
{
    lua_close(vm->lua);
    CHECK(vm->used == 0);
}

/* Runs a script. Returns its result, or its error, as text. */
static inline const char *vm_run(struct vm *vm, const char *script)
{
    const char *text;
    size_t len;

    if (luaL_loadbuffer(vm->lua, script, strlen(script), "=test") == 0) {
        lua_pcall(vm->lua, 0, 1, 0);
    }
    text = lua_tolstring(vm->lua, -1, &len);
    CHECK(text != NULL);
    CHECK(len < sizeof vm->answer);
    memcpy(vm->answer, text, len + 1);
    lua_settop(vm->lua, 0);
    return vm->answer;
}

struct example {
    const char *expression;
    const char *shown; /* What show() makes of its value, or its error. */
};

/* Evaluates an expression in a VM. */
static inline bool vm_shows(struct vm *vm, const char *expression, const char *expected)
{
    char script[1024];
    const char *shown;

    snprintf(script, sizeof script, "local value = %s; return show(value)", expression);
    shown = vm_run(vm, script);
    if (strncmp(shown, "test:1: ", strlen("test:1: ")) == 0) {
        shown += strlen("test:1: ");
    }
    if (strcmp(shown, expected) != 0) {
        print_error("%s\n  is        %s\n  should be %s\n", expression, shown, expected);
        return false;
    }
    return true;
}

/* Evaluates expressions one by one, all in one VM with a library. */
static inline bool vm_shows_all(void (*open)(lua_State *lua), const char *name,
                                const struct example *examples, size_t count)
{
    struct vm vm;
    bool good = true;

    vm_open_with(&vm, open, name);
    for (size_t i = 0; i < count; i++) {
        good = vm_shows(&vm, examples[i].expression, examples[i].shown) && good;
    }
    vm_close(&vm);
    return good;
}

/* Runs a script of one argument, and returns whether its result is true. */
static inline bool vm_holds(struct vm *vm, const char *script, const char *argument, size_t len)
{
    bool result;

    CHECK(luaL_loadstring(vm->lua, script) == 0);
    lua_pushlstring(vm->lua, argument, len);
    lua_call(vm->lua, 1, 1);
    result = lua_toboolean(vm->lua, -1);
    lua_settop(vm->lua, 0);
    return result;
}

#endif
