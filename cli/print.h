/* Writing replies. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "moonlatch.h"

#include <stdbool.h>
#include <stdio.h>

/* As redis-cli does: on a terminal with types and numbers, else the bare texts. */
void print_reply(const moonlatch_reply *reply);

/* As JSON: an array of names and values, whose names are texts, as an object if `is_object`. */
void print_json(FILE *out, const moonlatch_reply *reply, bool is_object);
void print_json_text(FILE *out, const char *text, size_t len);

#endif
