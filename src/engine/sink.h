/* A sink: where a reply goes. A command says what its reply consists of, and the
 * sink turns that into RESP bytes for a client or into values for a Lua script.
 *
 * A reply is one value; an open array, set, map or push takes as many of the
 * values that follow as was announced. */
#ifndef ENGINE_SINK_H
#define ENGINE_SINK_H

#include "resp/writer.h"

struct sink;

struct sink_ops {
    void (*status)(struct sink *s, struct bytes text);
    void (*error)(struct sink *s, struct bytes text); /* "ERR ...", without a dash. */
    void (*integer)(struct sink *s, int64_t number);
    void (*bulk)(struct sink *s, struct bytes content);
    void (*nil)(struct sink *s);
    void (*nil_array)(struct sink *s);
    void (*boolean)(struct sink *s, bool value);
    void (*real)(struct sink *s, double number);
    void (*human)(struct sink *s, double number); /* A real one without an exponent. */
    void (*big_number)(struct sink *s, struct bytes digits);
    void (*verbatim)(struct sink *s, const char *format, struct bytes content);
    void (*open)(struct sink *s, enum resp_kind kind, size_t len);

    /* An aggregate whose length is known when it ends: open_late() returns what
     * close_late() wants back. */
    size_t (*open_late)(struct sink *s);
    void (*close_late)(struct sink *s, size_t place, enum resp_kind kind, size_t len);

    /* Drops what the current reply consists of so far. */
    void (*reset)(struct sink *s);
};

struct sink {
    const struct sink_ops *ops;
    enum resp_version version; /* Which of two shapes a reply should have. */
};

/* A sink that writes RESP to a buffer. */
struct resp_sink {
    struct sink sink;
    struct buf *out;
    size_t start; /* Where the current reply began. */
};

void resp_sink_init(struct resp_sink *s, struct buf *out, enum resp_version version);

/* Begins the next reply. */
static inline void resp_sink_begin(struct resp_sink *s)
{
    s->start = s->out->len;
}

/* Returns the text of the current reply, which is an error. */
struct bytes resp_sink_error(const struct resp_sink *s);

/* A sink that drops everything. */
extern struct sink sink_nowhere;

#endif
