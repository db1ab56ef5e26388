#include "script/library.h"

#include "base/log.h"
#include "base/mem.h"
#include "script/error.h"
#include "script/function.h"
#include "script/sandbox.h"

#include <assert.h>
#include <ctype.h>
#include <lauxlib.h>

struct libraries {
    struct table *by_name;     /* struct library */
    struct table *by_function; /* struct function */
    uint64_t version;          /* Of the texts that they were compiled from. */
};

/* A library that is being loaded. */
struct loading {
    struct use use;
    struct library *library;
    struct bytes body; /* Behind its first line, whose end counts as a line. */
};

enum { LOAD_LIMIT_MS = 500 };

static const char bad_name[] =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one "
    "character long";

struct bytes function_name(const struct function *f)
{
    return (struct bytes){f->at, f->name_len};
}

struct bytes function_description(const struct function *f)
{
    return (struct bytes){f->at + f->name_len + 1, f->description_len};
}

static struct bytes library_key(const void *item)
{
    const struct library *l = item;

    return bytes_of(l->name);
}

static struct bytes function_key(const void *item)
{
    const struct function *f = item;

    return (struct bytes){f->at + f->name_len + 1 + f->description_len, f->name_len};
}

static void write_small(struct bytes name, char *out)
{
    for (size_t i = 0; i < name.len; i++) {
        out[i] = (char)tolower((unsigned char)name.at[i]);
    }
}

/* Returns what is called so in any case of letters. */
static struct function *find_function(const struct libraries *all, struct bytes name)
{
    char small[128];
    BUF_LOCAL(longer);
    char *at = name.len <= sizeof small ? small : buf_reserve(&longer, name.len);

    write_small(name, at);
    return table_find(all->by_function, (struct bytes){at, name.len});
}

static const struct table_type library_type = {.key = library_key};
static const struct table_type function_type = {.key = function_key};

/* Libraries. */

static struct library *library_new(struct bytes name, struct bytes text)
{
    struct library *l = mem_zalloc(sizeof *l + name.len + 1 + text.len);
    char *at = (char *)(l + 1);

    memcpy(at, name.at, name.len);
    l->name = at;
    at += name.len + 1;
    memcpy(at, text.at, text.len);
    l->text = (struct bytes){at, text.len};
    return l;
}

void library_free(struct library *l)
{
    struct function *next;

    if (l == NULL) {
        return;
    }
    for (struct function *f = l->first; f != NULL; f = next) {
        next = f->next;
        mem_free(f);
    }
    mem_free(l);
}

static struct function *find_in(const struct library *l, struct bytes name)
{
    for (struct function *f = l->first; f != NULL; f = f->next) {
        if (bytes_equal(function_name(f), name)) {
            return f;
        }
    }
    return NULL;
}

bool library_has(const struct library *l, struct bytes function)
{
    return find_in(l, function) != NULL;
}

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!isalnum((unsigned char)name.at[i]) && name.at[i] != '_') {
            return false;
        }
    }
    return name.len > 0;
}

/* The first line. */

static struct bytes take_word(struct bytes *line)
{
    struct bytes word;

    while (line->len > 0 && isspace((unsigned char)line->at[0])) {
        *line = (struct bytes){line->at + 1, line->len - 1};
    }
    word = (struct bytes){line->at, 0};
    while (word.len < line->len && !isspace((unsigned char)word.at[word.len])) {
        word.len++;
    }
    *line = (struct bytes){line->at + word.len, line->len - word.len};
    return word;
}

/* A value may stand in quotes. */
static struct bytes without_quotes(struct bytes b)
{
    bool quoted = b.len >= 2 && (b.at[0] == '"' || b.at[0] == '\'') && b.at[b.len - 1] == b.at[0];

    return quoted ? (struct bytes){b.at + 1, b.len - 2} : b;
}

/* What the first line says. */
struct header {
    struct bytes name;
    struct quota quota;
};

static bool read_name(struct bytes text, struct header *h, struct buf *error)
{
    if (h->name.len > 0) {
        buf_addf(error, "ERR Invalid metadata value, name argument was given multiple times");
        return false;
    }
    h->name = without_quotes(text);
    if (!is_name(h->name)) {
        buf_addf(error, "ERR %s", bad_name);
        return false;
    }
    return true;
}

static bool read_option(struct bytes word, struct header *h, struct buf *error)
{
    static const struct bytes name = BYTES("name=");

    if (word.len >= name.len && memcmp(word.at, name.at, name.len) == 0) {
        return read_name((struct bytes){word.at + name.len, word.len - name.len}, h, error);
    }
    if (quota_read(&h->quota, word) != QUOTA_TAKEN) {
        buf_addf(error, "ERR Invalid metadata value given: %.*s", (int)word.len, word.at);
        return false;
    }
    return true;
}

/* Reads "#!lua name=NAME ...". Returns false, with the error appended, if it is not there. */
static bool read_header(struct bytes text, struct header *h, struct buf *error)
{
    const char *end = memchr(text.at, '\n', text.len);
    struct bytes line, word;

    *h = (struct header){.name = {0}};
    if (text.len < 2 || memcmp(text.at, "#!", 2) != 0) {
        buf_addf(error, "ERR Missing library metadata");
        return false;
    }
    if (end == NULL) {
        buf_addf(error, "ERR Invalid library metadata");
        return false;
    }
    line = (struct bytes){text.at + 2, (size_t)(end - text.at) - 2};
    word = line.len > 0 && isspace((unsigned char)line.at[0]) ? BYTES("") : take_word(&line);
    if (!bytes_is(word, "lua")) {
        buf_addf(error, "ERR Engine '%.*s' not found", (int)word.len, word.at);
        return false;
    }
    while ((word = take_word(&line)).len > 0) {
        if (!read_option(word, h, error)) {
            return false;
        }
    }
    if (h->name.len == 0) {
        buf_addf(error, "ERR Library name was not given");
    }
    return h->name.len > 0;
}

/* Loading, inside of what can be left by a jump. */

/* Takes over what was raised; the text of a table's `err`. */
static void take_error(struct runtime *r, struct loading *loading, const char *what)
{
    lua_State *lua = r->lua;
    struct bytes message;

    if (lua_istable(lua, -1)) {
        lua_pushliteral(lua, "err");
        lua_rawget(lua, -2);
    }
    message.at = lua_tolstring(lua, -1, &message.len);
    r->in_call = 1;
    buf_addf(&loading->use.text, "ERR Error %s: ", what);
    buf_add(&loading->use.text, message);
    r->in_call = 0;
    loading->use.failed = true;
}

static void load(struct runtime *r, void *context)
{
    struct loading *loading = context;
    lua_State *lua = r->lua;

    r->loading = loading;
    lua_settop(lua, SANDBOX_TOP);
    if (!sandbox_load_library(lua, loading->body, "@user_function")) {
        take_error(r, loading, "compiling function");
        return;
    }
    sandbox_set_loading(lua, true);
    if (lua_pcall(lua, 0, 0, SANDBOX_ON_ERROR) != 0) {
        take_error(r, loading, "registering functions");
    }
    sandbox_set_loading(lua, false);
    loading->library->generation = r->generation;
}

/* Fails as the rest of the API does, by an error that tells of no place. */
static int fail(lua_State *lua, const char *text)
{
    lua_createtable(lua, 0, 1);
    lua_pushfstring(lua, "ERR %s", text);
    lua_setfield(lua, -2, "err");
    return lua_error(lua);
}

/* What a library says of a function. The texts are the VM's. */
struct registration {
    struct bytes name;
    struct bytes description;
    bool has_description;
    bool has_callback;
    unsigned flags;
};

/* The table of flags is on the stack. */
static bool read_flags(lua_State *lua, unsigned *flags)
{
    struct bytes name;

    for (int i = 1;; i++) {
        lua_rawgeti(lua, -1, i);
        if (lua_isnil(lua, -1)) {
            lua_pop(lua, 1);
            return true;
        }
        name.at = lua_type(lua, -1) == LUA_TSTRING ? lua_tolstring(lua, -1, &name.len) : NULL;
        lua_pop(lua, 1); /* The table keeps it. */
        if (name.at == NULL || script_flag_of(name) == 0) {
            return false;
        }
        *flags |= script_flag_of(name);
    }
}

/* Takes one of the named arguments, whose content is on the stack; the callback goes to
 * index 2. Returns what is wrong, or NULL. */
static const char *take_named(lua_State *lua, const char *name, struct registration *r)
{
    if (strcmp(name, "function_name") == 0) {
        if (lua_type(lua, -1) != LUA_TSTRING) {
            return "function_name argument given to redis.register_function must be a string";
        }
        r->name.at = lua_tolstring(lua, -1, &r->name.len);
    } else if (strcmp(name, "description") == 0) {
        if (lua_type(lua, -1) != LUA_TSTRING) {
            return "description argument given to redis.register_function must be a string";
        }
        r->description.at = lua_tolstring(lua, -1, &r->description.len);
        r->has_description = true;
    } else if (strcmp(name, "callback") == 0) {
        if (!lua_isfunction(lua, -1)) {
            return "callback argument given to redis.register_function must be a function";
        }
        lua_pushvalue(lua, -1);
        lua_replace(lua, 2);
        r->has_callback = true;
    } else if (strcmp(name, "flags") == 0) {
        if (!lua_istable(lua, -1)) {
            return "flags argument to redis.register_function must be a table representing "
                   "function flags";
        }
        if (!read_flags(lua, &r->flags)) {
            return "unknown flag given";
        }
    } else {
        return "unknown argument given to redis.register_function";
    }
    return NULL;
}

static const char *read_table(lua_State *lua, struct registration *r)
{
    const char *problem;

    if (!lua_istable(lua, 1)) {
        return "calling redis.register_function with a single argument is only applicable to Lua "
               "table (representing named arguments).";
    }
    lua_pushnil(lua); /* Where the callback goes. */
    lua_pushnil(lua);
    while (lua_next(lua, 1) != 0) {
        if (lua_type(lua, -2) != LUA_TSTRING) {
            return "named argument key given to redis.register_function is not a string";
        }
        problem = take_named(lua, lua_tostring(lua, -2), r);
        if (problem != NULL) {
            return problem;
        }
        lua_pop(lua, 1);
    }
    if (r->name.at == NULL) {
        return "redis.register_function must get a function name argument";
    }
    return r->has_callback ? NULL : "redis.register_function must get a callback argument";
}

static const char *read_two(lua_State *lua, struct registration *r)
{
    if (lua_type(lua, 1) != LUA_TSTRING) {
        return "first argument to redis.register_function must be a string";
    }
    if (!lua_isfunction(lua, 2)) {
        return "second argument to redis.register_function must be a function";
    }
    r->name.at = lua_tolstring(lua, 1, &r->name.len);
    return NULL;
}

/* Adds a function to the library that is being loaded. Its callback is on the stack. */
static void add_function(struct runtime *r, const struct registration *registration)
{
    struct library *l = r->loading->library;
    struct bytes name = registration->name, description = registration->description;
    struct function *f;
    lua_Debug place;
    int callback;

    lua_pushvalue(r->lua, -1);
    lua_getinfo(r->lua, ">S", &place);
    callback = luaL_ref(r->lua, LUA_REGISTRYINDEX);
    r->in_call = 1;
    f = mem_zalloc(sizeof *f + name.len + 1 + description.len + name.len);
    f->library = l;
    f->flags = registration->flags | SCRIPT_DECLARED;
    f->callback = callback;
    f->line = place.linedefined;
    f->name_len = (uint32_t)name.len;
    f->description_len = (uint32_t)description.len;
    f->has_description = registration->has_description;
    memcpy(f->at, name.at, name.len);
    if (description.len > 0) {
        memcpy(f->at + name.len + 1, description.at, description.len);
    }
    write_small(name, f->at + name.len + 1 + description.len);
    if (l->last != NULL) {
        l->last->next = f;
    } else {
        l->first = f;
    }
    l->last = f;
    l->count++;
    r->in_call = 0;
    runtime_poll(r);
}

int library_register(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);
    struct registration registration = {.flags = 0};
    const char *problem;
    int count = lua_gettop(lua);

    if (count < 1 || count > 2) {
        return fail(lua, "wrong number of arguments to redis.register_function");
    }
    if (r->loading == NULL) {
        return fail(lua, "redis.register_function can only be called on FUNCTION LOAD command");
    }
    problem = count == 1 ? read_table(lua, &registration) : read_two(lua, &registration);
    if (problem != NULL) {
        return fail(lua, problem);
    }
    if (!is_name(registration.name)) {
        return fail(lua, bad_name);
    }
    if (find_in(r->loading->library, registration.name) != NULL) {
        return fail(lua, "Function already exists in the library");
    }
    lua_pushvalue(lua, 2);
    add_function(r, &registration);
    return 0;
}

/* Loading, outside. */

/* Runs the text of a library. Returns false, with the error appended, if it fails. */
static bool run_text(struct call *c, struct library *l, struct buf *error)
{
    struct runtime *r = c->engine->script;
    const char *line_end = memchr(l->text.at, '\n', l->text.len);
    struct loading loading = {
        .use = {.call = c,
                .name = l->name,
                .is_function = true,
                .quota = {.time_ms = LOAD_LIMIT_MS}},
        .library = l,
    };
    enum runtime_end end;

    loading.body = (struct bytes){line_end, (size_t)(l->text.at + l->text.len - line_end)};
    r->session.db = c->db;
    end = script_run_vm(&loading.use, load, &loading);
    r->loading = NULL;
    if (end == RUNTIME_TIME) {
        buf_addf(error, "ERR FUNCTION LOAD timeout");
    } else {
        buf_add(error, buf_bytes(&loading.use.text));
    }
    buf_clear(&loading.use.text);
    if (!loading.use.failed && l->count == 0) {
        buf_addf(error, "ERR No functions registered");
        return false;
    }
    return !loading.use.failed;
}

bool script_library_name(struct bytes text, struct bytes *name)
{
    struct header header;
    BUF_LOCAL(error);

    if (!read_header(text, &header, &error)) {
        return false;
    }
    *name = header.name;
    return true;
}

struct library *library_compile(struct call *c, struct bytes text, struct buf *error)
{
    struct header header;
    struct library *l;

    if (!read_header(text, &header, error)) {
        return NULL;
    }
    l = library_new(header.name, text);
    l->quota = header.quota;
    if (!run_text(c, l, error)) {
        library_free(l);
        return NULL;
    }
    return l;
}

/* All libraries. */

struct libraries *libraries_new(void)
{
    struct libraries *l = mem_zalloc(sizeof *l);

    l->by_name = table_new(&library_type);
    l->by_function = table_new(&function_type);
    return l;
}

static void free_library(void *item)
{
    library_free(item);
}

void libraries_free(struct libraries *l)
{
    if (l != NULL) {
        table_free(l->by_function, NULL);
        table_free(l->by_name, free_library);
        mem_free(l);
    }
}

static void drop(struct libraries *all, struct library *l)
{
    for (struct function *f = l->first; f != NULL; f = f->next) {
        if (table_find(all->by_function, function_key(f)) == f) {
            table_remove(all->by_function, function_key(f));
        }
    }
    table_remove(all->by_name, bytes_of(l->name));
    library_free(l);
}

static void put(struct libraries *all, struct library *l)
{
    struct library *old = table_find(all->by_name, bytes_of(l->name));

    if (old != NULL) {
        drop(all, old);
    }
    table_put(all->by_name, l);
    for (struct function *f = l->first; f != NULL; f = f->next) {
        table_put(all->by_function, f);
    }
}

static const struct texts *texts_of(const struct call *c)
{
    return c->engine->data->texts[TEXT_LIBRARY];
}

void libraries_put(struct call *c, struct library *l)
{
    struct libraries *all = c->engine->script->libraries;

    put(all, l);
    all->version = texts_version(texts_of(c));
}

/* A library that was there is gone, or has another text. */
static bool is_stale(const struct texts *texts, const struct library *l)
{
    const struct text *text = texts_find(texts, bytes_of(l->name));

    return text == NULL || !bytes_equal(text_content(text), l->text);
}

static struct library *find_stale(struct libraries *all, const struct texts *texts)
{
    struct table_walk walk = {0};
    struct library *l;

    while ((l = table_next(all->by_name, &walk)) != NULL && !is_stale(texts, l)) {
    }
    return l;
}

/* A text that was kept as a library, and cannot be compiled here, has no functions. */
static void compile_kept(struct call *c, struct libraries *all, const struct text *text)
{
    struct library *l;
    BUF_LOCAL(error);

    l = library_compile(c, text_content(text), &error);
    if (l == NULL) {
        log_write(LOG_WARNING, "A library that is kept cannot be compiled: %.*s", (int)error.len,
                  error.at);
        l = library_new(text_name(text), text_content(text));
    }
    put(all, l);
}

/* Follows the dataset. */
static struct libraries *current(struct call *c)
{
    struct libraries *all = c->engine->script->libraries;
    const struct texts *texts = texts_of(c);
    struct table_walk walk = {0};
    const struct text *text;
    struct library *stale;

    if (all->version == texts_version(texts)) {
        return all;
    }
    while ((stale = find_stale(all, texts)) != NULL) {
        drop(all, stale);
    }
    while ((text = texts_next(texts, &walk)) != NULL) {
        if (table_find(all->by_name, text_name(text)) == NULL) {
            compile_kept(c, all, text);
        }
    }
    all->version = texts_version(texts);
    return all;
}

struct library *libraries_find(struct call *c, struct bytes name)
{
    return table_find(current(c)->by_name, name);
}

struct function *libraries_find_function(struct call *c, struct bytes name)
{
    return find_function(current(c), name);
}

const struct library *libraries_next(struct call *c, struct table_walk *walk)
{
    return table_next(current(c)->by_name, walk);
}

struct libraries_counts libraries_counts(struct call *c)
{
    bool running = c->engine->running.is_script;
    const struct libraries *all = running ? c->engine->script->libraries : current(c);

    return (struct libraries_counts){table_count(all->by_name), table_count(all->by_function)};
}

size_t libraries_compiled_functions(const struct libraries *l)
{
    return table_count(l->by_function);
}

struct function *library_need(struct call *c, struct function *f)
{
    struct runtime *r = c->engine->script;
    struct library *fresh;
    struct function *found;
    BUF_LOCAL(name);
    BUF_LOCAL(error);

    if (f->library->generation == r->generation) {
        return f;
    }
    buf_add(&name, function_name(f));
    fresh = library_compile(c, f->library->text, &error);
    if (fresh == NULL) {
        call_fail_text(c, buf_bytes(&error));
        return NULL;
    }
    put(r->libraries, fresh);
    found = find_in(fresh, buf_bytes(&name));
    if (found == NULL) {
        call_fail(c, "ERR Function not found");
    }
    return found;
}

bool library_only_reads(const struct engine *e, const struct command *cmd, struct bytes name)
{
    const struct function *f;

    if (!function_is_fcall(cmd)) {
        return false;
    }
    f = find_function(e->script->libraries, name);
    return f != NULL && (f->flags & SCRIPT_NO_WRITES);
}
