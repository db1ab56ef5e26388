/* SHA-1, by which scripts are named, and SHA-256, by which passwords are shown.
 * OpenSSL's. */
#ifndef BASE_SHA1_H
#define BASE_SHA1_H

#include "base/bytes.h"

enum { SHA1_HEX = 40, SHA256_HEX = 64 };

/* Writes 40 lower-case hexadecimal digits and a terminating zero. */
void sha1_hex(struct bytes content, char out[SHA1_HEX + 1]);

/* Likewise, 64 digits. */
void sha256_hex(struct bytes content, char out[SHA256_HEX + 1]);

#endif
