/* Processes that work under a lock, wherever they have gone: they have its owner in their
 * environment, and so have all that they start. */
#ifndef CLI_MARKED_H
#define CLI_MARKED_H

#include <stdbool.h>
#include <stddef.h>

/* The variable in which the owners of all locks are, with a space around each: of one command
 * inside of another, both. */
#define MARKED_VARIABLE "MOONLATCH_LOCK_OWNERS"

/* Sends a signal to all that have the owner. Returns how many there were. */
size_t marked_signal(const char *owner, int number);

/* Kills them until there are none. Whoever starts others faster than they can be killed is given
 * up after a while. */
void marked_kill(const char *owner);

#endif
