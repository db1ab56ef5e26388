/* The corpus: scripts, each in a file of its own, with the cases in which it is run.
 *
 * A file is a script as it is sent to the server. The comment that it begins with (or
 * that follows its shebang) says what it does, and contains its cases, each of which
 * begins with no data:
 *
 *     -- Takes from a stock what is there.
 *     -- > SET stock 5           a request before it
 *     -- advance 1500            milliseconds that pass before it
 *     -- KEYS stock              the words of KEYS and ARGV; either may be left out
 *     -- ARGV 3
 *     -- < 2                     the reply, which ends the case
 *
 * Words and replies are spelled as in test/lib/spelling.h. A file in which a line
 * "-- FUNCTION name" stands is a library, of which that function is called. */
#ifndef TEST_ABORT_CORPUS_H
#define TEST_ABORT_CORPUS_H

#include "test/lib/spelling.h"

/* What is done before a script is run: a request, or a while that passes. */
struct preparation {
    struct preparation *next;
    struct words request;
    int64_t advance_ms; /* 0: it is a request. */
};

struct corpus_case {
    struct corpus_case *next;
    unsigned line; /* Of its reply. */
    struct preparation *first, *last;
    struct words keys, arguments;
    struct buf reply; /* What is expected, spelled. */
};

struct corpus_script {
    const char *path; /* Viewed. */
    struct buf text;
    struct buf function; /* Empty: it is a script for EVAL. */
    bool catches;        /* It may catch errors. */
    struct corpus_case *first, *last;
};

/* Reads a file. Returns false, having said why, if it cannot be read so. */
bool corpus_read(struct corpus_script *script, const char *path);
void corpus_clear(struct corpus_script *script);

#endif
