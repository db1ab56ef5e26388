#include "engine/monitor.h"

#include "engine/call.h"
#include "engine/secret.h"

#include <inttypes.h>

void monitor_start(struct session *s)
{
    s->monitors = true;
    s->next_monitor = s->engine->monitors;
    s->engine->monitors = s;
}

void monitor_stop(struct session *s)
{
    struct session **link = &s->engine->monitors;

    if (!s->monitors) {
        return;
    }
    while (*link != s) {
        link = &(*link)->next_monitor;
    }
    *link = s->next_monitor;
    s->monitors = false;
}

/* Who has sent the command: an address, the path of a Unix socket, or a script. */
static void add_sender(const struct call *c, struct buf *line)
{
    const char *address = c->session->address;

    if (c->session->in_script) {
        buf_addf(line, "lua");
    } else if (address[0] == '/') {
        buf_addf(line, "unix:%.*s", (int)strcspn(address, ":"), address);
    } else {
        buf_addf(line, "%s", address);
    }
}

static void describe(const struct call *c, struct buf *line)
{
    int64_t now_us = c->engine->time.now_us;

    buf_addf(line, "%" PRId64 ".%06" PRId64 " [%u ", now_us / 1000000, now_us % 1000000,
             c->session->db);
    add_sender(c, line);
    buf_add_byte(line, ']');
    for (size_t i = 0; i < c->argc; i++) {
        buf_add_byte(line, ' ');
        buf_add_quoted(line, secret_is_at(c->command, c->argc, c->argv, i) ? BYTES(SECRET_SHOWN)
                                                                           : c->argv[i]);
    }
}

void monitor_show(const struct call *c)
{
    BUF_LOCAL(line);

    if (c->command->flags & COMMAND_ADMIN) {
        return;
    }
    describe(c, &line);
    for (struct session *s = c->engine->monitors; s != NULL; s = s->next_monitor) {
        if (!s->closing) {
            s->sink.sink.ops->status(&s->sink.sink, buf_bytes(&line));
            session_wrote(s);
        }
    }
}
