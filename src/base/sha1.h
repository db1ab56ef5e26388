/* SHA-1, by which scripts are named. OpenSSL's. */
#ifndef BASE_SHA1_H
#define BASE_SHA1_H

#include "base/bytes.h"

enum { SHA1_HEX = 40 };

/* Writes 40 lower-case hexadecimal digits and a terminating zero. */
void sha1_hex(struct bytes content, char out[SHA1_HEX + 1]);

#endif
