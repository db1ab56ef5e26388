#include "script/library.h"

#include "base/log.h"
#include "base/mem.h"
#include "script/error.h"
#include "script/loading.h"
#include "script/sandbox.h"

#include <assert.h>
#include <ctype.h>
#include <lauxlib.h>

struct libraries {
    struct table *by_name;     /* struct library */
    struct table *by_function; /* struct function */
    struct function *last;     /* That was found; NULL: it may be gone. */
    struct library *built_in;  /* In none of the tables. NULL: not loaded yet, or there is none. */
    uint64_t version;          /* Of the texts that they were compiled from. */
    bool has_broken;           /* One of them waits for others. */
    uint64_t questions;        /* That library_uses() has been asked. */
};

enum { LOAD_LIMIT_MS = 500 };

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
static struct function *find_function(struct libraries *all, struct bytes name)
{
    char small[128];
    BUF_LOCAL(longer);
    char *at;

    if (all->last != NULL && bytes_equal(function_name(all->last), name)) {
        return all->last;
    }
    at = name.len <= sizeof small ? small : buf_reserve(&longer, name.len);
    write_small(name, at);
    all->last = table_find(all->by_function, (struct bytes){at, name.len});
    return all->last;
}

static const struct table_type library_type = {.key = library_key};
static const struct table_type function_type = {.key = function_key};

/* Libraries. */

static struct library *library_new(struct runtime *r, struct bytes name, struct bytes text)
{
    struct library *l = mem_zalloc(sizeof *l + name.len + 1 + text.len);
    char *at = (char *)(l + 1);

    l->runtime = r;
    l->exports = LUA_NOREF;
    memcpy(at, name.at, name.len);
    l->name = at;
    at += name.len + 1;
    memcpy(at, text.at, text.len);
    l->text = (struct bytes){at, text.len};
    return l;
}

/* Puts a library back to how it was before it was loaded. */
static void unload(struct library *l)
{
    struct function *next;

    for (struct function *f = l->first; f != NULL; f = next) {
        next = f->next;
        runtime_drop_function(l->runtime, f->callback, l->generation);
        mem_free(f);
    }
    runtime_drop_function(l->runtime, l->exports, l->generation);
    for (size_t i = 0; i < l->used_count; i++) {
        buf_clear(&l->used[i]);
    }
    mem_free(l->used);
    l->first = NULL;
    l->last = NULL;
    l->count = 0;
    l->used = NULL;
    l->used_count = 0;
    l->exports = LUA_NOREF;
}

void library_free(struct library *l)
{
    if (l != NULL) {
        unload(l);
        mem_free(l);
    }
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

void library_add_function(struct library *l, const struct function_info *info)
{
    struct bytes name = info->name, description = info->description;
    struct function *f = mem_zalloc(sizeof *f + name.len + 1 + description.len + name.len);

    f->library = l;
    f->flags = info->flags;
    f->callback = info->callback;
    f->line = info->line;
    f->name_len = (uint32_t)name.len;
    f->description_len = (uint32_t)description.len;
    f->has_description = info->has_description;
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
}

void library_note_use(struct library *l, struct bytes name)
{
    l->used = mem_realloc(l->used, (l->used_count + 1) * sizeof *l->used);
    l->used[l->used_count] = (struct buf){0};
    buf_add(&l->used[l->used_count++], name);
}

static bool is_ready(const struct library *l)
{
    return !l->outdated && l->generation == l->runtime->generation;
}

static const struct texts *texts_of(const struct call *c)
{
    return c->engine->data->texts[TEXT_LIBRARY];
}

static bool uses_itself(const struct library *l, struct bytes name)
{
    for (size_t i = 0; i < l->used_count; i++) {
        if (bytes_equal(buf_bytes(&l->used[i]), name)) {
            return true;
        }
    }
    return false;
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

/* What the text of a library returns, it shares: a table is protected, so that nobody
 * changes what others see. */
static void keep_exports(lua_State *lua, struct library *l)
{
    if (lua_istable(lua, -1)) {
        sandbox_protect(lua);
    }
    if (lua_isuserdata(lua, -1) || lua_isfunction(lua, -1)) {
        l->exports = luaL_ref(lua, LUA_REGISTRYINDEX);
    }
}

static void load(struct runtime *r, void *context)
{
    struct loading *loading = context;
    struct library *l = loading->library;
    lua_State *lua = r->lua;

    r->loading = loading;
    l->generation = r->generation;
    lua_settop(lua, SANDBOX_TOP);
    if (!sandbox_load_library(lua, loading->body, "@user_function")) {
        take_error(r, loading, "compiling function");
        return;
    }
    sandbox_set_loading(lua, true);
    if (lua_pcall(lua, 0, 1, SANDBOX_ON_ERROR) != 0) {
        take_error(r, loading, "registering functions");
    } else {
        keep_exports(lua, l);
    }
    sandbox_set_loading(lua, false);
}

/* Loading, outside. */

/* Runs the text of a library. Returns false, with the error appended, if it fails. */
static bool run_text(struct loading *loading, struct buf *error)
{
    struct call *c = loading->use.call;
    struct runtime *r = c->engine->script;
    const struct library *l = loading->library;
    enum runtime_end end;

    r->session.db = c->db;
    end = script_run_vm(&loading->use, load, loading);
    r->loading = NULL;
    if (end == RUNTIME_TIME) {
        buf_addf(error, "ERR FUNCTION LOAD timeout");
    } else {
        buf_add(error, buf_bytes(&loading->use.text));
    }
    buf_clear(&loading->use.text);
    if (!loading->use.failed && l->count == 0 && l->exports == LUA_NOREF) {
        buf_addf(error, "ERR No functions registered");
        return false;
    }
    return !loading->use.failed;
}

static bool is_at_work(const struct loader *o, struct bytes name)
{
    for (const struct loading *l = o->innermost; l != NULL; l = l->outer) {
        if (bytes_equal(bytes_of(l->library->name), name)) {
            return true;
        }
    }
    return false;
}

static struct library *find_candidate(const struct loader *o, struct bytes name)
{
    for (size_t i = 0; i < o->count; i++) {
        if (bytes_equal(bytes_of(o->candidate[i]->name), name)) {
            return o->candidate[i];
        }
    }
    return NULL;
}

static bool compile_kept(struct loader *o, const struct text *text, struct buf *error);

/* Has a library compiled that another one needs. */
static bool provide(struct loader *o, struct bytes name, struct buf *error)
{
    struct library *candidate = find_candidate(o, name);
    const struct text *kept = texts_find(texts_of(o->call), name);
    struct loader without_candidates = {.call = o->call, .innermost = o->innermost};

    if (is_at_work(o, name)) {
        buf_addf(error, "ERR Error registering functions: libraries must not use each other in a "
                        "circle");
        return false;
    }
    if (candidate != NULL) {
        return library_load(o, candidate, error);
    }
    if (kept == NULL || o->replaces_all) {
        buf_addf(error, "ERR Error registering functions: there is no library '");
        buf_add(error, name);
        buf_addf(error, "'");
        return false;
    }
    return compile_kept(&without_candidates, kept, error);
}

/* Loads it once. If it needs another library, that is compiled, and *again set. */
static bool try_to_load(struct loader *o, struct library *l, bool *again, struct buf *error)
{
    const char *line_end = memchr(l->text.at, '\n', l->text.len);
    struct loading loading = {
        .use = {.call = o->call,
                .name = l->name,
                .is_function = true,
                .quota = {.time_ms = LOAD_LIMIT_MS}},
        .library = l,
        .loader = o,
        .body = {line_end, (size_t)(l->text.at + l->text.len - line_end)},
        .outer = o->innermost,
    };
    bool ok;

    o->innermost = &loading;
    ok = run_text(&loading, error);
    *again = loading.needs.len > 0;
    if (*again) {
        error->len = 0;
        ok = provide(o, buf_bytes(&loading.needs), error);
    }
    buf_clear(&loading.needs);
    o->innermost = loading.outer;
    return ok;
}

bool library_load(struct loader *o, struct library *l, struct buf *error)
{
    bool again = true;

    /* Each time, one more of the libraries that it uses has been compiled. */
    for (int i = 0; again && i <= LIBRARY_USES_MAX; i++) {
        unload(l);
        if (!try_to_load(o, l, &again, error)) {
            return false;
        }
    }
    if (again) {
        buf_addf(error, "ERR Error registering functions: a library may use up to %d others",
                 LIBRARY_USES_MAX);
        return false;
    }
    l->is_loaded = true;
    return true;
}

bool script_library_name(struct bytes text, struct bytes *name)
{
    struct shebang shebang;
    BUF_LOCAL(error);

    if (!shebang_read_library(text, &shebang, &error)) {
        return false;
    }
    *name = shebang.name;
    return true;
}

struct library *library_read(struct call *c, struct bytes text, struct buf *error)
{
    struct shebang shebang;
    struct library *l;

    if (!shebang_read_library(text, &shebang, error)) {
        return NULL;
    }
    l = library_new(c->engine->script, shebang.name, text);
    l->quota = shebang.quota;
    return l;
}

/* While a library could not be loaded, another one may have got a function of the same name. */
static bool functions_are_free(const struct library *l, struct buf *error)
{
    const struct function *other;

    for (const struct function *f = l->first; f != NULL; f = f->next) {
        other = table_find(l->runtime->libraries->by_function, function_key(f));
        if (other != NULL && strcmp(other->library->name, l->name) != 0) {
            buf_addf(error, "ERR Function %s already exists", f->at);
            return false;
        }
    }
    return true;
}

/* Returns a library that is kept, loaded, or NULL. */
static struct library *compile(struct loader *o, struct bytes text, struct buf *error)
{
    struct library *l = library_read(o->call, text, error);

    if (l != NULL && !(library_load(o, l, error) && functions_are_free(l, error))) {
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
        library_free(l->built_in);
        mem_free(l);
    }
}

/* Who uses a library that has another text now, or is gone, must be compiled again; and so
 * must who uses that one. */
static void outdate_users(struct libraries *all, struct bytes name)
{
    struct table_walk walk = {0};
    struct library *l;

    while ((l = table_next(all->by_name, &walk)) != NULL) {
        if (!l->outdated && uses_itself(l, name)) {
            l->outdated = true;
            outdate_users(all, bytes_of(l->name));
        }
    }
}

static void drop(struct libraries *all, struct library *l)
{
    all->last = NULL;
    for (struct function *f = l->first; f != NULL; f = f->next) {
        if (table_find(all->by_function, function_key(f)) == f) {
            table_remove(all->by_function, function_key(f));
        }
    }
    table_remove(all->by_name, bytes_of(l->name));
    outdate_users(all, bytes_of(l->name));
    library_free(l);
}

/* What has been counted belongs to a text: another one begins anew. The functions of the
 * same text are registered in the same order. */
static void take_tallies(struct library *l, const struct library *old)
{
    const struct function *from = old->first;

    if (!bytes_equal(l->text, old->text)) {
        return;
    }
    for (struct function *f = l->first; f != NULL && from != NULL; f = f->next) {
        if (bytes_equal(function_name(f), function_name(from))) {
            f->tally = from->tally;
        }
        from = from->next;
    }
}

/* It may have been loaded together with another one that the libraries between them do not
 * follow yet. */
static bool uses_outdated(struct libraries *all, const struct library *l)
{
    const struct library *used;

    for (size_t i = 0; i < l->used_count; i++) {
        used = table_find(all->by_name, buf_bytes(&l->used[i]));
        if (used != NULL && used->outdated) {
            return true;
        }
    }
    return false;
}

static void put(struct libraries *all, struct library *l)
{
    struct library *old = table_find(all->by_name, bytes_of(l->name));

    all->last = NULL;
    if (old != NULL) {
        take_tallies(l, old);
        drop(all, old);
    }
    l->outdated = uses_outdated(all, l);
    table_put(all->by_name, l);
    for (struct function *f = l->first; f != NULL; f = f->next) {
        table_put(all->by_function, f);
    }
}

void libraries_put(struct call *c, struct library *l)
{
    struct libraries *all = c->engine->script->libraries;

    put(all, l);
    if (!all->has_broken) { /* Else this may be what it waits for. */
        all->version = texts_version(texts_of(c));
    }
}

/* A library that was there is gone, or has another text. */
static bool is_stale(const struct texts *texts, const struct library *l)
{
    const struct text *text = texts_find(texts, bytes_of(l->name));

    return text == NULL || l->is_broken || !bytes_equal(text_content(text), l->text);
}

static struct library *find_stale(struct libraries *all, const struct texts *texts)
{
    struct table_walk walk = {0};
    struct library *l;

    while ((l = table_next(all->by_name, &walk)) != NULL && !is_stale(texts, l)) {
    }
    return l;
}

static bool compile_kept(struct loader *o, const struct text *text, struct buf *error)
{
    struct library *l = compile(o, text_content(text), error);

    if (l != NULL) {
        put(o->call->engine->script->libraries, l);
    }
    return l != NULL;
}

/* A text that was kept as a library, and cannot be compiled here, has no functions until
 * other libraries come. */
static void compile_or_do_without(struct call *c, struct libraries *all, const struct text *text)
{
    struct loader loader = {.call = c};
    struct library *l;
    BUF_LOCAL(error);

    if (!compile_kept(&loader, text, &error)) {
        log_write(LOG_WARNING, "A library that is kept cannot be compiled: %.*s", (int)error.len,
                  error.at);
        l = library_new(c->engine->script, text_name(text), text_content(text));
        l->is_broken = true;
        all->has_broken = true;
        put(all, l);
    }
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
    all->has_broken = false;
    while ((stale = find_stale(all, texts)) != NULL) {
        drop(all, stale);
    }
    while ((text = texts_next(texts, &walk)) != NULL) {
        if (table_find(all->by_name, text_name(text)) == NULL) {
            compile_or_do_without(c, all, text);
        }
    }
    all->version = texts_version(texts);
    return all;
}

void libraries_follow(struct call *c)
{
    current(c);
}

struct library *loader_ready(const struct loader *o, struct bytes name)
{
    struct library *l = find_candidate(o, name);

    if (l == NULL && !o->replaces_all) {
        l = table_find(o->call->engine->script->libraries->by_name, name);
    }
    return l != NULL && (l->is_loaded && is_ready(l)) ? l : NULL;
}

/* There may be many ways to a library: it is asked once. */
static bool leads_to(const struct loader *o, struct library *l, struct bytes name,
                     uint64_t question)
{
    struct library *used;

    if (l->asked == question) {
        return false;
    }
    l->asked = question;
    if (bytes_equal(bytes_of(l->name), name) || uses_itself(l, name)) {
        return true;
    }
    for (size_t i = 0; i < l->used_count; i++) {
        used = loader_ready(o, buf_bytes(&l->used[i]));
        if (used != NULL && leads_to(o, used, name, question)) {
            return true;
        }
    }
    return false;
}

bool library_uses(const struct loader *o, struct library *l, struct bytes name)
{
    return leads_to(o, l, name, ++l->runtime->libraries->questions);
}

const struct library *libraries_find_user(struct call *c, struct bytes name)
{
    struct table_walk walk = {0};
    const struct library *l;

    while ((l = libraries_next(c, &walk)) != NULL && !uses_itself(l, name)) {
    }
    return l;
}

struct library *libraries_find(struct call *c, struct bytes name)
{
    return table_find(current(c)->by_name, name);
}

struct function *libraries_find_function(struct call *c, struct bytes name)
{
    struct libraries *all = current(c);
    struct function *f = find_function(all, name);

    return f != NULL && f->library != all->built_in ? f : NULL;
}

const struct library *libraries_next(struct call *c, struct table_walk *walk)
{
    return table_next(current(c)->by_name, walk);
}

/* Those of when the running script began; if none runs, those of now. */
static struct libraries *known(struct call *c)
{
    return c->engine->running.is_script ? c->engine->script->libraries : current(c);
}

struct function *libraries_next_function(struct call *c, struct table_walk *walk)
{
    return table_next(known(c)->by_function, walk);
}

struct libraries_counts libraries_counts(struct call *c)
{
    const struct libraries *all = known(c);

    return (struct libraries_counts){table_count(all->by_name), table_count(all->by_function)};
}

size_t libraries_memory(const struct libraries *l)
{
    size_t sum = table_memory(l->by_name) + table_memory(l->by_function);
    struct table_walk walk = {0};
    const struct library *library;

    while ((library = table_next(l->by_name, &walk)) != NULL) {
        sum += mem_size(library);
        for (const struct function *f = library->first; f != NULL; f = f->next) {
            sum += mem_size(f);
        }
    }
    return sum;
}

size_t libraries_compiled_functions(const struct libraries *l)
{
    return table_count(l->by_function);
}

/* The one that is built in. */

/* Compiles it, which may be for a new VM. */
static struct library *load_built_in(struct call *c)
{
    struct libraries *all = c->engine->script->libraries;
    struct loader loader = {.call = c};
    struct library *fresh;
    BUF_LOCAL(error);

    fresh = library_read(c, c->engine->script->settings->built_in, &error);
    if (fresh == NULL || !library_load(&loader, fresh, &error)) {
        log_write(LOG_WARNING, "The library that is built in cannot be compiled: %.*s",
                  (int)error.len, error.at);
        library_free(fresh);
        return NULL;
    }
    if (all->built_in != NULL) {
        take_tallies(fresh, all->built_in);
    }
    library_free(all->built_in);
    all->built_in = fresh;
    all->last = NULL;
    return fresh;
}

struct library *libraries_built_in(struct call *c)
{
    struct library *l = c->engine->script->libraries->built_in;

    if (c->engine->script->settings->built_in.len == 0 || (l != NULL && is_ready(l))) {
        return l;
    }
    return load_built_in(c);
}

struct function *libraries_find_callable(struct call *c, struct bytes name)
{
    struct libraries *all = current(c);
    struct function *f = find_function(all, name);
    const struct library *built_in;

    if (f == NULL) {
        built_in = libraries_built_in(c);
        f = built_in != NULL ? find_in(built_in, name) : NULL;
        all->last = f;
    }
    return f;
}

/* Returns a library as it is in the VM of now, or NULL, with the error appended. */
static struct library *compile_again(struct call *c, const struct library *l, struct buf *error)
{
    struct libraries *all = c->engine->script->libraries;
    struct loader loader = {.call = c};
    struct library *fresh;

    if (l == all->built_in) {
        fresh = load_built_in(c);
        if (fresh == NULL) {
            buf_addf(error, "ERR The built-in library cannot be compiled");
        }
        return fresh;
    }
    fresh = compile(&loader, l->text, error);
    if (fresh != NULL) {
        put(all, fresh);
    }
    return fresh;
}

struct function *library_need(struct call *c, struct function *f)
{
    struct library *fresh;
    struct function *found;
    BUF_LOCAL(name);
    BUF_LOCAL(error);

    if (is_ready(f->library)) {
        return f;
    }
    buf_add(&name, function_name(f));
    fresh = compile_again(c, f->library, &error);
    if (fresh == NULL) {
        call_fail_text(c, buf_bytes(&error));
        return NULL;
    }
    found = find_in(fresh, buf_bytes(&name));
    if (found == NULL) {
        call_fail(c, "ERR Function not found");
    }
    return found;
}

unsigned libraries_flags(struct libraries *l, struct bytes function)
{
    const struct function *f = find_function(l, function);

    return f != NULL ? f->flags : 0;
}
