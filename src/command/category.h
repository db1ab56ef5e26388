/* Categories: what permissions are given by, and COMMAND and ACL tell. They follow from
 * a command's row. */
#ifndef COMMAND_CATEGORY_H
#define COMMAND_CATEGORY_H

#include "engine/command.h"

/* A bit of a set, and its name. */
struct flag_name {
    uint32_t flag;
    const char *name;
};

/* All categories, with the @ before their name. */
extern const struct flag_name categories[];
extern const size_t categories_count;

/* Returns the category of that name without the @, or 0 if there is none. */
uint32_t category_find(struct bytes name);

/* Returns the categories of a command, as a set of flags. */
uint32_t category_of(const struct command *cmd);

#endif
