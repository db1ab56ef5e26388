/* HMAC-SHA256, by which those who know a secret prove it without telling it. OpenSSL's.
 * Safe to call from any thread. */
#ifndef BASE_HMAC_H
#define BASE_HMAC_H

#include "base/bytes.h"

enum { HMAC_LEN = 32 };

/* Writes the code of `text` under `key`, either of which may be empty. */
void hmac_sha256(struct bytes key, struct bytes text, unsigned char out[HMAC_LEN]);

/* Compares two codes in a time that does not tell where they differ. */
bool hmac_equal(const unsigned char a[HMAC_LEN], const unsigned char b[HMAC_LEN]);

#endif
