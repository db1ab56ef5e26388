/* How requests and replies are spelled in the texts of tests.
 *
 * Words of a request are separated by spaces. One in "double quotes" may contain
 * \n, \r, \t, \", \\ and \xHH; one in 'single quotes' is taken as it is.
 *
 * Replies are spelled like this:
 *
 *     OK   2   "text"   nil   3.5   true   false      a status is a bare word
 *     !ERR the beginning of an error                  inside of others: all of it
 *     [ "a" [ 1 nil ] ]                               an array
 *     ~[ "a" "b" ]   { "key" "value" }   >[ "a" ]     RESP3: a set, a map, a push
 *     txt:"text"                                      RESP3: a verbatim string
 *     nothing                                         no reply at all
 *     *                                               any reply
 *
 * Behind a reply, "(any order)" says that its elements may come in any order, at all
 * levels of it, and "(pairs in any order)" the same of every two of them. */
#ifndef TEST_SPELLING_H
#define TEST_SPELLING_H

#include "base/buf.h"

#include <stdbool.h>

/* Takes one reply of RESP off the front of *in and spells it. Returns false if it is
 * none. */
bool spell(struct bytes *in, struct buf *out);

/* Spells an expected reply as spell() does. Returns false if it makes no sense. */
bool spell_expected(struct bytes want, struct buf *out);

/* Whether a reply is as expected; both are spelled. */
bool spelled_fits(struct bytes want, struct bytes got);

/* The words of a request, one behind the other, and where each ends. */
enum { WORDS_MAX = 256 };
struct words {
    size_t count;
    size_t end[WORDS_MAX];
    struct buf text;
};

/* Takes the words of a text. What is UNENDED has a quoted word that may go on. */
enum quoted { QUOTED, UNENDED, NONSENSE };
enum quoted words_take(struct bytes in, struct words *words);

/* Views the words; `argv` has room for as many. */
void words_view(const struct words *words, struct bytes *argv);

/* Takes away the first bytes. */
static inline void drop(struct bytes *in, size_t count)
{
    *in = (struct bytes){in->at + count, in->len - count};
}

#endif
