#include "test/abort/inject.h"

#include "script/sandbox.h"

#include <assert.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <string.h>

struct injection injection;

static bool vm_is_ready;

bool __real_engine_call_from_script(struct session *s, struct sink *reply, size_t argc,
                                    const struct bytes *argv);
bool __wrap_engine_call_from_script(struct session *s, struct sink *reply, size_t argc,
                                    const struct bytes *argv);
void *__real_heap_alloc(void *context, void *block, size_t old_size, size_t new_size);
void *__wrap_heap_alloc(void *context, void *block, size_t old_size, size_t new_size);
void __real_sandbox_open(struct runtime *r, lua_State *lua);
void __wrap_sandbox_open(struct runtime *r, lua_State *lua);

void inject_begin(enum fault fault, size_t at)
{
    injection.fault = fault;
    injection.at = at;
    injection.happened = false;
    injection.calls = 0;
    injection.allocations = 0;
    injection.undo_count = 0;
    if (fault == FAULT_UNDO) {
        injection.settings->undo_limit = at;
    }
}

void inject_end(void)
{
    injection.fault = FAULT_NONE;
    injection.settings->undo_limit = 0;
    injection.runtime->engine->settings.maxmemory = 0;
    injection.runtime->engine->stop = false;
}

/* Calls. */

static void note_called(const struct engine *e, size_t argc, const struct bytes *argv)
{
    const struct command *container;
    const struct command *cmd = engine_find_command(e, argc, argv, &container);

    if (cmd != NULL) {
        assert(cmd->number < COMMANDS_COUNTED);
        injection.called[cmd->number] = true;
    }
}

static void note_undo(void)
{
    size_t size = runtime_undo_size(injection.runtime);
    size_t most = injection.undo_count > 0 ? injection.undo[injection.undo_count - 1] : 0;

    injection.happened |= injection.fault == FAULT_UNDO && size > injection.at;
    if (size > most && injection.undo_count < SIZES_MAX) {
        injection.undo[injection.undo_count++] = size;
    }
}

/* Makes happen what ends the script at the next safe point. */
static void make_due(struct runtime *r)
{
    switch (injection.fault) {
    case FAULT_FULL:
        r->engine->settings.maxmemory = 1;
        return;
    case FAULT_KILL:
        r->kill = 1;
        break;
    case FAULT_TIME:
        r->started = 0;
        break;
    case FAULT_STOP:
        r->engine->stop = true;
        break;
    case FAULT_STACK:
        r->overflow = 1;
        break;
    default:
        return;
    }
    r->pending = 1;
}

bool __wrap_engine_call_from_script(struct session *s, struct sink *reply, size_t argc,
                                    const struct bytes *argv)
{
    bool is_here = injection.calls++ == injection.at && injection.fault > FAULT_NONE &&
                   injection.fault < FAULT_UNDO;
    bool ok;

    if (is_here) {
        injection.happened = true;
        if (injection.fault == FAULT_ERROR) {
            reply->ops->error(reply, BYTES("ERR injected"));
            return false;
        }
        make_due(injection.runtime);
    }
    note_called(s->engine, argc, argv);
    ok = __real_engine_call_from_script(s, reply, argc, argv);
    note_undo();
    return ok;
}

/* Memory of the VM. */

void __wrap_sandbox_open(struct runtime *r, lua_State *lua)
{
    vm_is_ready = false;
    __real_sandbox_open(r, lua);
    vm_is_ready = true;
}

static bool is_counted(const struct runtime *r)
{
    return r != NULL && r->running && (injection.makes_vm || (r->lua != NULL && vm_is_ready));
}

/* Whether the address belongs to LuaJIT. *function becomes the one of its API that it is
 * in, if it is in any. */
static bool is_luajit(void *at, const char **function)
{
    Dl_info info;

    if (dladdr(at, &info) == 0 || strstr(info.dli_fname, "libluajit") == NULL) {
        return false;
    }
    *function = info.dli_sname != NULL ? info.dli_sname : "";
    return true;
}

/* Returns the function of the API through which the VM was last entered. */
static const char *find_entry(void)
{
    void *frame[64];
    int count = backtrace(frame, 64);
    const char *function = "";
    int i = 0;

    while (i < count && !is_luajit(frame[i], &function)) {
        i++;
    }
    while (i < count && is_luajit(frame[i], &function)) {
        i++;
    }
    return function;
}

/* Whether the VM is at a place where it survives an error about memory. In the functions
 * of its libraries that are written in assembly, like string.sub, it does not: the top of
 * its stack is not set there. */
static bool may_raise(lua_State *lua)
{
    const char *entry = find_entry();
    lua_Debug running;

    if (strcmp(entry, "lua_pcall") != 0 && strcmp(entry, "lua_resume") != 0 &&
        strcmp(entry, "lua_call") != 0) {
        return true;
    }
    return lua_getstack(lua, 0, &running) && lua_getinfo(lua, "S", &running) &&
           strcmp(running.what, "C") != 0;
}

/* Our heap never fails, it has the script left. What that would do is tried all the same,
 * but not inside of commands, which are not prepared for errors of the VM. */
static bool may_fail(const struct runtime *r)
{
    return injection.fault == FAULT_ALLOCATION && !r->in_call && may_raise(r->lua);
}

void *__wrap_heap_alloc(void *context, void *block, size_t old_size, size_t new_size)
{
    struct runtime *r = injection.runtime;
    bool is_here = new_size > old_size && is_counted(r) &&
                   injection.allocations++ == injection.at && injection.fault >= FAULT_MEMORY;

    if (is_here) {
        injection.happened = true;
        if (may_fail(r)) {
            return NULL;
        }
        r->heap.limit = 1;
    }
    return __real_heap_alloc(context, block, old_size, new_size);
}
