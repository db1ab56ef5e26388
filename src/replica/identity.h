/* Who this server is: a small text file in the directory of the log, which is written
 * once, and again when the server joins another group. Any thread; blocks on the disk. */
#ifndef REPLICA_IDENTITY_H
#define REPLICA_IDENTITY_H

#include "replica/address.h"

#include <stdbool.h>

struct identity {
    uint64_t id;     /* Of the server, and */
    uint64_t group;  /* of the group; neither is 0. */
    bool has_joined; /* The group was there before the server. */
    char address[ADDRESS_TEXT_MAX + 1];
};

/* Draws new numbers. */
uint64_t identity_draw(void);

/* Reads the file of a directory. Returns 0, -ENOENT if there is none, -EBADMSG if it makes
 * no sense, or another negative errno value. */
int identity_read(const char *dir, struct identity *identity);

/* Replaces the file, at once or not at all. Returns 0 or a negative errno value. */
int identity_write(const char *dir, const struct identity *identity);

/* The next identity, which comes when what belongs to this one is gone: writes it; tells
 * whether there is one; has it take the place of this one. */
int identity_write_next(const char *dir, const struct identity *identity);
bool identity_is_to_come(const char *dir);
int identity_has_come(const char *dir);

#endif
