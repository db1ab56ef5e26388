/* HyperLogLog: estimates how many different elements were added, in the form of
 * Redis's strings, byte for byte.
 *
 * An element's hash chooses one of 16384 registers and has a rank there: how many
 * zero bits it ends in, and one. A register keeps the highest rank. The estimate is
 * that of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
 * (2017).
 *
 * The string has a header of 16 bytes: "HYLL", the encoding (0: dense, 1: sparse),
 * three zeros, and the last estimate in 8 bytes, little-endian; its highest bit says
 * that it is out of date. Dense are 6 bits a register. Sparse are runs of registers:
 *
 *     00llllll            a run of zeros, of length l + 1
 *     01llllll llllllll   a longer run of zeros, of length l + 1
 *     1vvvvvll            a run of value v + 1, of length l + 1
 *
 * All functions here are pure: they read a string and say how to edit it. The
 * strings come from anybody; what hll_is_valid() does not find is found when the
 * runs are read, and then the string is corrupt. */
#ifndef DATA_HYPERLOGLOG_H
#define DATA_HYPERLOGLOG_H

#include "base/bytes.h"

enum {
    HLL_REGISTERS = 1 << 14,
    HLL_HEADER = 16,
    HLL_EMPTY_LEN = HLL_HEADER + 2,
    HLL_DENSE_LEN = HLL_HEADER + HLL_REGISTERS * 6 / 8,
    HLL_ESTIMATE_AT = 8,
    HLL_ESTIMATE_LEN = 8,
    HLL_EDIT_MAX = 24,
};

/* What adding an element did. */
enum hll_outcome {
    HLL_SAME,   /* Nothing: it may have been there. */
    HLL_EDITED, /* There is an edit to make. */
    HLL_FULL,   /* The string has to be made dense before. */
    HLL_CORRUPT,
};

/* `removed` bytes at `offset` of the string become the first `len` bytes of `at`. */
struct hll_edit {
    size_t offset, removed, len;
    char at[HLL_EDIT_MAX];
};

/* Returns whether a string has a right header, and the length that it tells. */
bool hll_is_valid(struct bytes hll);
bool hll_is_dense(struct bytes hll);

/* Writes an empty, sparse one. */
void hll_write_empty(char out[HLL_EMPTY_LEN]);

/* Writes a sparse one as a dense one. Returns false if it is corrupt. */
bool hll_write_dense(struct bytes sparse, char out[HLL_DENSE_LEN]);

/* Adds an element, or sets a register if its value is less than `rank`. A sparse
 * string gets no longer than `sparse_max` bytes. The edit does not make the estimate
 * out of date. */
enum hll_outcome hll_add(struct bytes hll, struct bytes element, size_t sparse_max,
                         struct hll_edit *edit);
enum hll_outcome hll_set(struct bytes hll, unsigned index, unsigned rank, size_t sparse_max,
                         struct hll_edit *edit);

/* The estimate in the header: whether it is up to date, and what makes it so, or
 * makes it out of date. */
bool hll_estimate_is_fresh(struct bytes hll);
uint64_t hll_estimate(struct bytes hll);
void hll_edit_estimate(uint64_t estimate, struct hll_edit *edit);
void hll_edit_stale(struct bytes hll, struct hll_edit *edit);

/* Returns the estimate of the registers in *estimate; false if they are corrupt. */
bool hll_count(struct bytes hll, uint64_t *estimate);

/* Registers on their own: those of one string are merged into `registers`, each
 * keeping the higher value; false if the string is corrupt, and then it may have
 * been merged in part. */
bool hll_merge(uint8_t registers[HLL_REGISTERS], struct bytes hll);
uint64_t hll_count_registers(const uint8_t registers[HLL_REGISTERS]);

/* Reads the runs of a sparse string: the first one that is at or behind *at, which
 * moves behind it. Returns false at the end, and at half a run; *at then tells. */
struct hll_run {
    size_t at, size; /* Where it is, in bytes. */
    unsigned value;  /* 0: a run of zeros. */
    unsigned len;
    bool is_long; /* In two bytes. */
};
bool hll_next_run(struct bytes hll, size_t *at, struct hll_run *run);

#endif
