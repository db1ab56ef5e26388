/* How numbers and bytes are written for the log: numbers little-endian in base 128
 * with a continuation bit, bytes as a length and the content.
 *
 * The take_*() functions read one off the front of *in. They return false, with
 * *in in no particular state, if it is not there whole or does not fit. */
#ifndef STORE_CODING_H
#define STORE_CODING_H

#include "base/buf.h"

void put_number(struct buf *out, uint64_t n);
void put_signed(struct buf *out, int64_t n); /* Small ones of either sign are short. */
void put_real(struct buf *out, double n);
void put_bytes(struct buf *out, struct bytes b);

bool take_number(struct bytes *in, uint64_t *n);
bool take_signed(struct bytes *in, int64_t *n);
bool take_real(struct bytes *in, double *n); /* Any bits, those of NaN too. */
bool take_bytes(struct bytes *in, struct bytes *b);
bool take_flag(struct bytes *in, bool *flag); /* One byte, 0 or 1. */

#endif
