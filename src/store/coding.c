#include "store/coding.h"

#include <endian.h>

void put_number(struct buf *out, uint64_t n)
{
    char *at = buf_reserve(out, 10);

    while (n >= 0x80) {
        *at++ = (char)(n | 0x80);
        n >>= 7;
    }
    *at++ = (char)n;
    out->len = (size_t)(at - out->at);
}

bool take_number(struct bytes *in, uint64_t *n)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < in->len && i < 10; i++) {
        uint64_t digit = (unsigned char)in->at[i];

        sum |= (digit & 0x7f) << (7 * i);
        if (digit < 0x80) {
            *n = sum;
            *in = (struct bytes){in->at + i + 1, in->len - i - 1};
            return true;
        }
    }
    return false;
}

void put_signed(struct buf *out, int64_t n)
{
    put_number(out, ((uint64_t)n << 1) ^ (uint64_t)(n >> 63));
}

bool take_signed(struct bytes *in, int64_t *n)
{
    uint64_t coded;

    if (!take_number(in, &coded)) {
        return false;
    }
    *n = (int64_t)(coded >> 1) ^ -(int64_t)(coded & 1);
    return true;
}

void put_real(struct buf *out, double n)
{
    uint64_t bits;

    memcpy(&bits, &n, sizeof bits);
    bits = htole64(bits);
    buf_add(out, (struct bytes){(const char *)&bits, sizeof bits});
}

bool take_real(struct bytes *in, double *n)
{
    uint64_t bits;

    if (in->len < sizeof bits) {
        return false;
    }
    memcpy(&bits, in->at, sizeof bits);
    bits = le64toh(bits);
    memcpy(n, &bits, sizeof *n);
    *in = (struct bytes){in->at + sizeof bits, in->len - sizeof bits};
    return true;
}

void put_bytes(struct buf *out, struct bytes b)
{
    put_number(out, b.len);
    buf_add(out, b);
}

bool take_bytes(struct bytes *in, struct bytes *b)
{
    uint64_t len;

    if (!take_number(in, &len) || len > in->len) {
        return false;
    }
    *b = (struct bytes){in->at, len};
    *in = (struct bytes){in->at + len, in->len - len};
    return true;
}

bool take_flag(struct bytes *in, bool *flag)
{
    if (in->len == 0 || (unsigned char)in->at[0] > 1) {
        return false;
    }
    *flag = in->at[0] != 0;
    *in = (struct bytes){in->at + 1, in->len - 1};
    return true;
}
