/* What arguments a command takes, read from the `syntax` of its row.
 *
 *     key                a named argument: a word with a lower-case letter in it
 *     NX                 a token: a word without one, to be sent as it is
 *     EX seconds         a token belongs to the named arguments and choices that
 *                        follow it
 *     [a]                may be left out
 *     <A | B>  [A | B]   one of several
 *     a [a ...]          one or more
 *     [a ...]  <A | B ...>   any number; one or more */
#ifndef COMMAND_SYNTAX_H
#define COMMAND_SYNTAX_H

#include "base/arena.h"

enum argument_kind {
    ARGUMENT_NAMED,
    ARGUMENT_TOKEN, /* Nothing but the token. */
    ARGUMENT_ONEOF, /* One of its parts. */
    ARGUMENT_BLOCK, /* All of its parts, in order. */
};

struct argument {
    enum argument_kind kind;
    bool optional;
    bool multiple;       /* May be repeated, */
    bool multiple_token; /* and its token with it. */
    struct bytes name;   /* Of what has parts: their names, joined. */
    struct bytes token;  /* That is sent before it; empty: none. */
    struct argument *parts;
    struct argument *next;
};

/* Reads a syntax, which must be well-formed: it is part of this program. Returns the
 * first argument, or NULL if there is none. They live as long as `arena` keeps them,
 * and view `syntax`. */
const struct argument *syntax_parse(struct arena *arena, const char *syntax);

#endif
