#include "base/sha1.h"

#include <assert.h>
#include <openssl/evp.h>

/* Looking an algorithm up costs more than hashing a script with it, so both it
 * and the context are kept. */
static EVP_MD *algorithm;
static EVP_MD_CTX *context;

static void prepare(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA1", NULL);
    context = EVP_MD_CTX_new();
    assert(algorithm != NULL);
    assert(context != NULL);
}

__attribute__((destructor)) static void release(void)
{
    EVP_MD_CTX_free(context);
    EVP_MD_free(algorithm);
}

static void write_hex(const unsigned char *digest, unsigned len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (unsigned i = 0; i < len; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * len] = '\0';
}

void sha1_hex(struct bytes content, char out[SHA1_HEX + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int ok;

    if (context == NULL) {
        prepare();
    }
    ok = EVP_DigestInit_ex2(context, algorithm, NULL) &&
         EVP_DigestUpdate(context, content.at, content.len) &&
         EVP_DigestFinal_ex(context, digest, &len);
    assert(ok);
    assert(len == SHA1_HEX / 2);
    write_hex(digest, len, out);
}

void sha256_hex(struct bytes content, char out[SHA256_HEX + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int ok = EVP_Digest(content.at, content.len, digest, &len, EVP_sha256(), NULL);

    assert(ok);
    assert(len == SHA256_HEX / 2);
    write_hex(digest, len, out);
}
