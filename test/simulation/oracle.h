/* The oracle: it sees each entry that a state machine is given, and so knows what is
 * committed. Entries are the same everywhere, and lie in a dataset of its own, which is
 * the truth that data and replies are compared with. */
#ifndef SIMULATION_ORACLE_H
#define SIMULATION_ORACLE_H

#include "store/dataset.h"

struct server;

void oracle_begin(void);

/* Compares the data of a server that has settled: now and then, or always. */
void oracle_compare(struct server *s, bool always);

/* Returns the truth; up to which entry it goes. */
const struct dataset *oracle_data(void);
uint64_t oracle_index(void);

/* Returns what log time is now, if it has gone on since the last entry was written. */
int64_t oracle_time_us(void);

/* Return a value of the truth: how long a list or text is, 0 if there is none; the
 * element there; the number that a text is; whether a text begins so. */
size_t oracle_list_len(const char *key);
bool oracle_list_has(const char *key, size_t at, struct bytes element);
struct bytes oracle_text(const char *key);
int64_t oracle_number(const char *key);

#endif
