#include "client/random.h"

#include "client/clock.h"

#include <unistd.h>

bool random_hex(char *text, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[64];

    if (len > sizeof bytes || getentropy(bytes, len) != 0) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        text[i] = digits[bytes[i] & 15];
    }
    text[len] = '\0';
    return true;
}

uint32_t random_below(uint32_t count)
{
    uint32_t number;

    if (getentropy(&number, sizeof number) != 0) {
        number = (uint32_t)clock_now_us();
    }
    return number % count;
}
