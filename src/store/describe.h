/* Changes as text for people: each is one line that looks like the command of Redis
 * that would make it.
 *
 * Names of keys, fields and the like stand bare if they are plain words; contents are
 * always in quotes. What is long is cut, and how long it is follows. What no command
 * says is in parentheses at the end of the line; and a few changes inside of lists,
 * which commands make by what they find there, have made-up operands: LINSERT key AT 3. */
#ifndef STORE_DESCRIBE_H
#define STORE_DESCRIBE_H

#include "store/change.h"

/* Appends the line of a change, without a line feed: one in a form that can be logged,
 * which `inverse` undoes. What the inverse adds is whether something was there before;
 * NULL: that is not known. A database other than `db` is named.
 *
 * Appends nothing for an empty collection, if it cannot stay so: what fills it has a
 * line of its own. */
void change_describe(const struct change *c, const struct change *inverse, unsigned db,
                     struct buf *out);

/* Append a name, and a content, with a space before it. */
void describe_name(struct buf *out, struct bytes name);
void describe_content(struct buf *out, struct bytes content);

#endif
