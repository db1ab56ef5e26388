#include "engine/sink.h"

static struct resp_sink *self(struct sink *s)
{
    return (struct resp_sink *)s;
}

static void resp_status(struct sink *s, struct bytes text)
{
    resp_write_status(self(s)->out, text);
}

static void resp_error(struct sink *s, struct bytes text)
{
    resp_write_error(self(s)->out, text);
}

static void resp_integer(struct sink *s, int64_t number)
{
    resp_write_int(self(s)->out, number);
}

static void resp_bulk(struct sink *s, struct bytes content)
{
    resp_write_bulk(self(s)->out, content);
}

static void resp_nil(struct sink *s)
{
    resp_write_nil(self(s)->out, s->version);
}

static void resp_nil_array(struct sink *s)
{
    resp_write_nil_array(self(s)->out, s->version);
}

static void resp_boolean(struct sink *s, bool value)
{
    resp_write_bool(self(s)->out, s->version, value);
}

static void resp_real(struct sink *s, double number)
{
    resp_write_double(self(s)->out, s->version, number);
}

static void resp_human(struct sink *s, double number)
{
    resp_write_human(self(s)->out, s->version, number);
}

static void resp_big_number(struct sink *s, struct bytes digits)
{
    resp_write_big_number(self(s)->out, s->version, digits);
}

static void resp_verbatim(struct sink *s, const char *format, struct bytes content)
{
    resp_write_verbatim(self(s)->out, s->version, format, content);
}

static void resp_open(struct sink *s, enum resp_kind kind, size_t len)
{
    resp_write_open(self(s)->out, s->version, kind, len);
}

static size_t resp_open_late(struct sink *s)
{
    return self(s)->out->len;
}

static void resp_close_late(struct sink *s, size_t place, enum resp_kind kind, size_t len)
{
    resp_write_open_at(self(s)->out, s->version, kind, len, place);
}

static void resp_reset(struct sink *s)
{
    buf_cut(self(s)->out, self(s)->start);
}

static const struct sink_ops resp_ops = {
    .status = resp_status,
    .error = resp_error,
    .integer = resp_integer,
    .bulk = resp_bulk,
    .nil = resp_nil,
    .nil_array = resp_nil_array,
    .boolean = resp_boolean,
    .real = resp_real,
    .human = resp_human,
    .big_number = resp_big_number,
    .verbatim = resp_verbatim,
    .open = resp_open,
    .open_late = resp_open_late,
    .close_late = resp_close_late,
    .reset = resp_reset,
};

void resp_sink_init(struct resp_sink *s, struct buf *out, enum resp_version version)
{
    *s = (struct resp_sink){.sink = {&resp_ops, version}, .out = out, .start = out->len};
}

struct bytes resp_sink_error(const struct resp_sink *s)
{
    static const struct bytes before = BYTES("-"), behind = BYTES("\r\n");
    size_t len = s->out->len - s->start;

    if (len < before.len + behind.len) { /* The client has asked for no replies. */
        return BYTES("");
    }
    return (struct bytes){s->out->at + s->start + before.len, len - before.len - behind.len};
}

static void drop(struct sink *s)
{
    (void)s;
}

static void drop_bytes(struct sink *s, struct bytes b)
{
    (void)s;
    (void)b;
}

static void drop_integer(struct sink *s, int64_t number)
{
    (void)s;
    (void)number;
}

static void drop_boolean(struct sink *s, bool value)
{
    (void)s;
    (void)value;
}

static void drop_real(struct sink *s, double number)
{
    (void)s;
    (void)number;
}

static void drop_verbatim(struct sink *s, const char *format, struct bytes content)
{
    (void)s;
    (void)format;
    (void)content;
}

static void drop_open(struct sink *s, enum resp_kind kind, size_t len)
{
    (void)s;
    (void)kind;
    (void)len;
}

static size_t drop_open_late(struct sink *s)
{
    (void)s;
    return 0;
}

static void drop_close_late(struct sink *s, size_t place, enum resp_kind kind, size_t len)
{
    (void)s;
    (void)place;
    (void)kind;
    (void)len;
}

static const struct sink_ops nowhere_ops = {
    .status = drop_bytes,
    .error = drop_bytes,
    .integer = drop_integer,
    .bulk = drop_bytes,
    .nil = drop,
    .nil_array = drop,
    .boolean = drop_boolean,
    .real = drop_real,
    .human = drop_real,
    .big_number = drop_bytes,
    .verbatim = drop_verbatim,
    .open = drop_open,
    .open_late = drop_open_late,
    .close_late = drop_close_late,
    .reset = drop,
};

struct sink sink_nowhere = {&nowhere_ops, RESP2};
