/* The clock of leases: it only goes forward, and goes on while the machine sleeps, as the
 * server's does. */
#ifndef CLIENT_CLOCK_H
#define CLIENT_CLOCK_H

#include <stdint.h>

enum { US_PER_MS = 1000 };

int64_t clock_now_us(void);

#endif
