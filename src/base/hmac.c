#include "base/hmac.h"

#include <assert.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void hmac_sha256(struct bytes key, struct bytes text, unsigned char out[HMAC_LEN])
{
    unsigned len = 0;
    const void *done;

    assert(key.len <= INT_MAX);
    /* A key without an address would stand for the key of an earlier call. */
    done = HMAC(EVP_sha256(), key.len > 0 ? key.at : "", (int)key.len,
                (const unsigned char *)text.at, text.len, out, &len);
    assert(done != NULL);
    assert(len == HMAC_LEN);
}

bool hmac_equal(const unsigned char a[HMAC_LEN], const unsigned char b[HMAC_LEN])
{
    return CRYPTO_memcmp(a, b, HMAC_LEN) == 0;
}
