/* The subcommands of CLIENT that are about tracking. */
#include "base/mem.h"
#include "command/client.h"

/* What CLIENT TRACKING was given. */
struct options {
    struct tracking_mode mode;
    struct session *redirect; /* NULL: to nobody else. */
    struct bytes *prefixes;   /* Owned. */
    size_t prefix_count;
};

static void options_clear(struct options *o)
{
    mem_free(o->prefixes);
}

static bool read_redirect(struct call *c, size_t arg, struct options *o)
{
    int64_t id;

    if (o->redirect != NULL) {
        call_fail(c, "ERR A client can only redirect to a single other client");
        return false;
    }
    if (!call_int(c, arg, &id)) {
        return false;
    }
    o->redirect = client_find(c->engine, id);
    if (o->redirect == NULL) {
        call_fail(c, "ERR The client ID you want redirect to does not exist");
        return false;
    }
    return true;
}

/* Returns the switch that argument `arg` is the word for, or NULL. */
static bool *switch_at(const struct call *c, size_t arg, struct tracking_mode *mode)
{
    return call_is(c, arg, "bcast")    ? &mode->broadcasts
           : call_is(c, arg, "optin")  ? &mode->opt_in
           : call_is(c, arg, "optout") ? &mode->opt_out
           : call_is(c, arg, "noloop") ? &mode->no_loop
                                       : NULL;
}

static bool read_options(struct call *c, struct options *o)
{
    o->prefixes = mem_alloc(c->argc * sizeof *o->prefixes);
    for (size_t i = 3; i < c->argc; i++) {
        bool *on = switch_at(c, i, &o->mode);
        bool more = i + 1 < c->argc;

        if (on != NULL) {
            *on = true;
        } else if (more && call_is(c, i, "prefix")) {
            o->prefixes[o->prefix_count++] = c->argv[++i];
        } else if (more && call_is(c, i, "redirect")) {
            if (!read_redirect(c, ++i, o)) {
                return false;
            }
        } else {
            call_fail_syntax(c);
            return false;
        }
    }
    return true;
}

/* Returns what is wrong with a mode; NULL if nothing is. `now` is the one that there is
 * already, or NULL. */
static const char *find_conflict(const struct options *o, const struct tracking_mode *now)
{
    const struct tracking_mode *mode = &o->mode;

    if (o->prefix_count > 0 && !mode->broadcasts) {
        return "PREFIX option requires BCAST mode to be enabled";
    }
    if (now != NULL && now->broadcasts != mode->broadcasts) {
        return "You can't switch BCAST mode on/off before disabling tracking for this client, and "
               "then re-enabling it with a different mode.";
    }
    if (mode->broadcasts && (mode->opt_in || mode->opt_out)) {
        return "OPTIN and OPTOUT are not compatible with BCAST";
    }
    if (mode->opt_in && mode->opt_out) {
        return "You can't specify both OPTIN mode and OPTOUT mode";
    }
    if (now != NULL && ((mode->opt_in && now->opt_out) || (mode->opt_out && now->opt_in))) {
        return "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and "
               "then re-enabling it with a different mode.";
    }
    return NULL;
}

static bool overlap(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;

    return len == 0 || memcmp(a.at, b.at, len) == 0;
}

static void fail_overlap(struct call *c, struct bytes prefix, const char *kind, struct bytes other)
{
    BUF_LOCAL(text);

    buf_addf(&text, "ERR Prefix '");
    buf_add(&text, prefix);
    buf_addf(&text, "' overlaps with %s prefix '", kind);
    buf_add(&text, other);
    buf_addf(&text, "'. Prefixes for a single client must not overlap.");
    call_fail_text(c, buf_bytes(&text));
}

struct comparison {
    struct call *call;
    struct bytes prefix;
};

static void compare_prefix(struct bytes old, void *context)
{
    struct comparison *comparison = context;

    if (!comparison->call->failed && overlap(old, comparison->prefix)) {
        fail_overlap(comparison->call, comparison->prefix, "an existing", old);
    }
}

/* Checks that no key has two of the prefixes. Fails the call if one could. */
static bool check_prefixes(struct call *c, const struct options *o)
{
    for (size_t i = 0; i < o->prefix_count; i++) {
        struct comparison comparison = {c, o->prefixes[i]};

        tracking_each_prefix(c->session, compare_prefix, &comparison);
        for (size_t j = i + 1; j < o->prefix_count && !c->failed; j++) {
            if (overlap(o->prefixes[i], o->prefixes[j])) {
                fail_overlap(c, o->prefixes[i], "another provided", o->prefixes[j]);
            }
        }
    }
    return !c->failed;
}

static void turn_on(struct call *c, const struct options *o)
{
    const struct tracker *t = c->session->tracker;
    const char *conflict = find_conflict(o, tracking_is_on(t) ? &t->mode : NULL);

    if (conflict != NULL) {
        call_fail(c, "ERR %s", conflict);
        return;
    }
    if (!check_prefixes(c, o)) {
        return;
    }
    tracking_start(c->session, &o->mode, o->redirect);
    for (size_t i = 0; i < o->prefix_count; i++) {
        tracking_add_prefix(c->session, o->prefixes[i]);
    }
    if (o->mode.broadcasts && o->prefix_count == 0) {
        tracking_add_prefix(c->session, (struct bytes){0});
    }
    reply_ok(c);
}

void client_tracking(struct call *c)
{
    __attribute__((cleanup(options_clear))) struct options o = {0};

    if (!read_options(c, &o)) {
        return;
    }
    if (call_is(c, 2, "on")) {
        turn_on(c, &o);
    } else if (call_is(c, 2, "off")) {
        tracking_stop(c->session);
        reply_ok(c);
    } else {
        call_fail_syntax(c);
    }
}

void client_caching(struct call *c)
{
    struct tracker *t = c->session->tracker;

    if (!tracking_is_on(t)) {
        call_fail(c, "ERR CLIENT CACHING can be called only when the client is in tracking mode "
                     "with OPTIN or OPTOUT mode enabled");
    } else if (call_is(c, 2, "yes") && !t->mode.opt_in) {
        call_fail(c, "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN "
                     "mode.");
    } else if (call_is(c, 2, "no") && !t->mode.opt_out) {
        call_fail(c, "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT "
                     "mode.");
    } else if (call_is(c, 2, "yes") || call_is(c, 2, "no")) {
        t->caching = true;
        reply_ok(c);
    } else {
        call_fail_syntax(c);
    }
}

/* 0 if nobody else is told, -1 if nobody is at all. */
static int64_t redirect_of(const struct session *s)
{
    return tracking_is_on(s->tracker) ? (int64_t)s->tracker->redirect_id : -1;
}

void client_getredir(struct call *c)
{
    reply_int(c, redirect_of(c->session));
}

static void reply_flags(struct call *c, const struct tracker *t)
{
    bool on = tracking_is_on(t);
    const struct {
        bool set;
        const char *name;
    } flags[] = {
        {on, "on"},
        {!on, "off"},
        {on && t->mode.broadcasts, "bcast"},
        {on && t->mode.opt_in, "optin"},
        {on && t->mode.opt_in && t->caching, "caching-yes"},
        {on && t->mode.opt_out, "optout"},
        {on && t->mode.opt_out && t->caching, "caching-no"},
        {on && t->mode.no_loop, "noloop"},
        {on && t->broken, "broken_redirect"},
    };
    size_t place = reply_late(c);
    size_t count = 0;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (flags[i].set) {
            reply_string(c, flags[i].name);
            count++;
        }
    }
    reply_late_end(c, place, RESP_SET, count);
}

struct prefixes {
    struct call *call;
    size_t count;
};

static void reply_prefix(struct bytes prefix, void *context)
{
    struct prefixes *prefixes = context;

    reply_bytes(prefixes->call, prefix);
    prefixes->count++;
}

void client_trackinginfo(struct call *c)
{
    struct prefixes prefixes = {.call = c};
    size_t place;

    reply_map(c, 3);
    reply_string(c, "flags");
    reply_flags(c, c->session->tracker);
    reply_string(c, "redirect");
    reply_int(c, redirect_of(c->session));
    reply_string(c, "prefixes");
    place = reply_late(c);
    tracking_each_prefix(c->session, reply_prefix, &prefixes);
    reply_late_end(c, place, RESP_ARRAY, prefixes.count);
}
