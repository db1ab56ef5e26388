/* SHA-1, by which servers know scripts. Nothing depends on its strength. */
#ifndef CLIENT_SHA1_H
#define CLIENT_SHA1_H

#include <stddef.h>

enum { SHA1_HEX = 40 };

/* Writes it in hexadecimal, and a NUL. */
void sha1_of(const char *text, size_t len, char hex[SHA1_HEX + 1]);

#endif
