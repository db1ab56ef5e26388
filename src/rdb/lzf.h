/* LZF, the compression of strings in RDB files. A compressed string is a sequence of
 * literal bytes and of references to what came up to 8 KiB before. */
#ifndef RDB_LZF_H
#define RDB_LZF_H

#include "base/bytes.h"

/* A reference of three bytes stands for 264 at the most. */
enum { LZF_EXPANSION = 88 };

/* Compresses to `room` bytes at the most at `out`; they must be less than those of `in`.
 * Returns how many they are, or 0 if it cannot be done. */
size_t lzf_compress(struct bytes in, char *out, size_t room);

/* Expands to exactly `len` bytes at `out`. Returns false if `in` is not what so many
 * bytes were compressed to. */
bool lzf_expand(struct bytes in, char *out, size_t len);

#endif
