/* Random numbers from the kernel: for names that nobody else has, and to spread what would
 * otherwise come all at once. */
#ifndef CLIENT_RANDOM_H
#define CLIENT_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes `len` hexadecimal digits and a NUL. Returns false if the kernel has no random numbers. */
bool random_hex(char *text, size_t len);

/* Below `count`; need not be random. */
uint32_t random_below(uint32_t count);

#endif
