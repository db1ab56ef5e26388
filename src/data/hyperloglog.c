#include "data/hyperloglog.h"

#include <assert.h>
#include <math.h>

enum {
    DENSE = 0,
    SPARSE = 1,
    ENCODING_AT = 4,
    INDEX_BITS = 14, /* Of a hash; the others give the rank. */
    RANK_MAX = 64 - INDEX_BITS + 1,
    REGISTER_VALUES = 64,
    SPARSE_VALUE_MAX = 32,
    SHORT_ZEROS_MAX = 64,
    VALUES_MAX = 4, /* The longest run of a value that is not 0. */
    STALE = 0x80,   /* In the last byte of the estimate. */
};

static const char magic[4] = {'H', 'Y', 'L', 'L'};

static unsigned char byte_at(struct bytes hll, size_t at)
{
    assert(at < hll.len);
    return (unsigned char)hll.at[at];
}

/* The header. */

bool hll_is_valid(struct bytes hll)
{
    if (hll.len < HLL_HEADER || memcmp(hll.at, magic, sizeof magic) != 0) {
        return false;
    }
    return byte_at(hll, ENCODING_AT) == SPARSE ||
           (byte_at(hll, ENCODING_AT) == DENSE && hll.len == HLL_DENSE_LEN);
}

bool hll_is_dense(struct bytes hll)
{
    return byte_at(hll, ENCODING_AT) == DENSE;
}

static size_t write_zeros(char *out, unsigned len)
{
    if (len > SHORT_ZEROS_MAX) {
        out[0] = (char)(0x40 | (len - 1) >> 8);
        out[1] = (char)(len - 1);
        return 2;
    }
    out[0] = (char)(len - 1);
    return 1;
}

static size_t write_values(char *out, unsigned value, unsigned len)
{
    assert(value >= 1 && value <= SPARSE_VALUE_MAX);
    assert(len >= 1 && len <= VALUES_MAX);
    out[0] = (char)(0x80 | (value - 1) << 2 | (len - 1));
    return 1;
}

static size_t write_run(char *out, unsigned value, unsigned len)
{
    if (len == 0) {
        return 0;
    }
    return value == 0 ? write_zeros(out, len) : write_values(out, value, len);
}

void hll_write_empty(char out[HLL_EMPTY_LEN])
{
    memset(out, 0, HLL_HEADER);
    memcpy(out, magic, sizeof magic);
    out[ENCODING_AT] = SPARSE;
    write_zeros(out + HLL_HEADER, HLL_REGISTERS);
}

bool hll_estimate_is_fresh(struct bytes hll)
{
    return (byte_at(hll, HLL_ESTIMATE_AT + HLL_ESTIMATE_LEN - 1) & STALE) == 0;
}

uint64_t hll_estimate(struct bytes hll)
{
    uint64_t estimate = 0;

    for (size_t i = HLL_ESTIMATE_LEN; i > 0; i--) {
        estimate = estimate << 8 | byte_at(hll, HLL_ESTIMATE_AT + i - 1);
    }
    return estimate;
}

void hll_edit_estimate(uint64_t estimate, struct hll_edit *edit)
{
    edit->offset = HLL_ESTIMATE_AT;
    edit->removed = HLL_ESTIMATE_LEN;
    edit->len = HLL_ESTIMATE_LEN;
    for (size_t i = 0; i < HLL_ESTIMATE_LEN; i++) {
        edit->at[i] = (char)(estimate >> 8 * i);
    }
}

void hll_edit_stale(struct bytes hll, struct hll_edit *edit)
{
    edit->offset = HLL_ESTIMATE_AT + HLL_ESTIMATE_LEN - 1;
    edit->removed = 1;
    edit->len = 1;
    edit->at[0] = (char)(byte_at(hll, edit->offset) | STALE);
}

/* Hashing. */

/* MurmurHash64A (Appleby, 2008), which is in the public domain. */
static uint64_t murmur(struct bytes b)
{
    const uint64_t m = UINT64_C(0xc6a4a7935bd1e995);
    const uint64_t seed = UINT64_C(0xadc83b19); /* Redis's. */
    uint64_t h = seed ^ b.len * m;
    uint64_t k;

    for (; b.len >= 8; b = (struct bytes){b.at + 8, b.len - 8}) {
        memcpy(&k, b.at, 8);
        k *= m;
        k ^= k >> 47;
        h = (h ^ k * m) * m;
    }
    if (b.len > 0) {
        k = 0;
        memcpy(&k, b.at, b.len);
        h = (h ^ k) * m;
    }
    h = (h ^ h >> 47) * m;
    return h ^ h >> 47;
}

enum hll_outcome hll_add(struct bytes hll, struct bytes element, size_t sparse_max,
                         struct hll_edit *edit)
{
    uint64_t hash = murmur(element);
    unsigned index = hash % HLL_REGISTERS;
    uint64_t rest = hash >> INDEX_BITS | UINT64_C(1) << (64 - INDEX_BITS);

    return hll_set(hll, index, (unsigned)__builtin_ctzll(rest) + 1, sparse_max, edit);
}

/* Dense. Four registers are three bytes. */

static uint32_t group_at(const char *at)
{
    const unsigned char *u = (const unsigned char *)at;

    return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16;
}

static void dense_to_registers(struct bytes hll, uint8_t registers[HLL_REGISTERS])
{
    for (unsigned i = 0; i < HLL_REGISTERS; i += 4) {
        uint32_t group = group_at(hll.at + HLL_HEADER + i / 4 * 3);
        for (unsigned j = 0; j < 4; j++) {
            registers[i + j] = group >> 6 * j & 63;
        }
    }
}

static void registers_to_dense(const uint8_t registers[HLL_REGISTERS], char out[HLL_DENSE_LEN])
{
    char *at = out + HLL_HEADER;

    for (unsigned i = 0; i < HLL_REGISTERS; i += 4) {
        uint32_t group = 0;
        for (unsigned j = 0; j < 4; j++) {
            group |= (uint32_t)registers[i + j] << 6 * j;
        }
        *at++ = (char)group;
        *at++ = (char)(group >> 8);
        *at++ = (char)(group >> 16);
    }
}

static enum hll_outcome dense_set(struct bytes hll, unsigned index, unsigned rank,
                                  struct hll_edit *edit)
{
    size_t offset = HLL_HEADER + (size_t)index / 4 * 3;
    unsigned shift = index % 4 * 6;
    uint32_t group = group_at(hll.at + offset);

    if ((group >> shift & 63) >= rank) {
        return HLL_SAME;
    }
    group = (group & ~(UINT32_C(63) << shift)) | rank << shift;
    edit->offset = offset;
    edit->removed = 3;
    edit->len = 3;
    for (unsigned i = 0; i < 3; i++) {
        edit->at[i] = (char)(group >> 8 * i);
    }
    return HLL_EDITED;
}

/* Sparse. */

bool hll_next_run(struct bytes hll, size_t *at, struct hll_run *run)
{
    unsigned byte;

    if (*at >= hll.len) {
        return false;
    }
    byte = byte_at(hll, *at);
    run->at = *at;
    run->is_long = (byte & 0xc0) == 0x40;
    run->size = run->is_long ? 2 : 1;
    if (run->size > hll.len - *at) {
        return false;
    }
    run->value = byte & 0x80 ? (byte >> 2 & 31) + 1 : 0;
    if (run->value > 0) {
        run->len = (byte & 3) + 1;
    } else {
        run->len = run->is_long ? (byte & 63) << 8 | byte_at(hll, *at + 1) : byte & 63;
        run->len++;
    }
    *at += run->size;
    return true;
}

/* Calls for all runs of a sparse string. They must be all registers, and no more. */
static bool sparse_each(struct bytes hll,
                        void (*see)(unsigned first, const struct hll_run *run, void *context),
                        void *context)
{
    size_t at = HLL_HEADER;
    struct hll_run run;
    unsigned first = 0;

    while (hll_next_run(hll, &at, &run)) {
        if (run.len > HLL_REGISTERS - first) {
            return false;
        }
        see(first, &run, context);
        first += run.len;
    }
    return at == hll.len && first == HLL_REGISTERS;
}

/* The run that a register is in, and the one before it. */
struct place {
    struct hll_run run;
    unsigned first;  /* The first register of the run. */
    size_t previous; /* Where the run before it is; its own place if it is the first. */
};

static bool sparse_find(struct bytes hll, unsigned index, struct place *p)
{
    size_t at = HLL_HEADER;
    unsigned first = 0;

    p->previous = at;
    while (hll_next_run(hll, &at, &p->run)) {
        if (index - first < p->run.len) {
            p->first = first;
            return true;
        }
        p->previous = p->run.at;
        first += p->run.len;
    }
    return false;
}

/* Merges runs of one value as far as Redis does: it looks at five runs, that before
 * the one that was edited being the first. */
static size_t merge_runs(char *at, size_t len)
{
    enum { LOOKS = 5 };
    size_t i = 0;

    for (int looks = 0; looks < LOOKS && i < len; looks++) {
        struct bytes rest = {at + i, len - i};
        struct hll_run a, b;
        size_t next = 0;

        if (!hll_next_run(rest, &next, &a)) {
            break;
        }
        if (a.value > 0 && hll_next_run(rest, &next, &b) && a.value == b.value &&
            a.len + b.len <= VALUES_MAX) {
            write_values(at + i + 1, a.value, a.len + b.len);
            memmove(at + i, at + i + 1, len - i - 1);
            len--;
        } else {
            i += a.size;
        }
    }
    return len;
}

/* The edit spans the run before the one that is replaced, and what merging could
 * reach behind it: five runs at the most, each of two bytes. */
static enum hll_outcome sparse_set(struct bytes hll, unsigned index, unsigned rank,
                                   size_t sparse_max, struct hll_edit *edit)
{
    enum { REACH = 14 };
    struct place p;
    char runs[5]; /* What the run becomes: up to three. */
    size_t len, before, behind, after;

    if (rank > SPARSE_VALUE_MAX) {
        return HLL_FULL;
    }
    if (!sparse_find(hll, index, &p)) {
        return HLL_CORRUPT;
    }
    if (p.run.value >= rank) {
        return HLL_SAME;
    }
    len = write_run(runs, p.run.value, index - p.first);
    len += write_values(runs + len, rank, 1);
    len += write_run(runs + len, p.run.value, p.first + p.run.len - 1 - index);
    if (len > p.run.size && hll.len + len - p.run.size > sparse_max) {
        return HLL_FULL;
    }
    before = p.run.at - p.previous;
    behind = p.run.at + p.run.size;
    after = hll.len - behind < REACH ? hll.len - behind : REACH;
    memcpy(edit->at, hll.at + p.previous, before);
    memcpy(edit->at + before, runs, len);
    memcpy(edit->at + before + len, hll.at + behind, after);
    edit->offset = p.previous;
    edit->removed = behind + after - p.previous;
    edit->len = merge_runs(edit->at, before + len + after);
    return HLL_EDITED;
}

enum hll_outcome hll_set(struct bytes hll, unsigned index, unsigned rank, size_t sparse_max,
                         struct hll_edit *edit)
{
    assert(index < HLL_REGISTERS);
    assert(rank >= 1 && rank < REGISTER_VALUES);
    return hll_is_dense(hll) ? dense_set(hll, index, rank, edit)
                             : sparse_set(hll, index, rank, sparse_max, edit);
}

/* Registers. */

static void put_run(unsigned first, const struct hll_run *run, void *context)
{
    uint8_t *registers = context;

    for (unsigned i = first; run->value > 0 && i < first + run->len; i++) {
        registers[i] = registers[i] > run->value ? registers[i] : (uint8_t)run->value;
    }
}

bool hll_merge(uint8_t registers[HLL_REGISTERS], struct bytes hll)
{
    uint8_t others[HLL_REGISTERS];

    if (!hll_is_dense(hll)) {
        return sparse_each(hll, put_run, registers);
    }
    dense_to_registers(hll, others);
    for (unsigned i = 0; i < HLL_REGISTERS; i++) {
        registers[i] = registers[i] > others[i] ? registers[i] : others[i];
    }
    return true;
}

bool hll_write_dense(struct bytes sparse, char out[HLL_DENSE_LEN])
{
    uint8_t registers[HLL_REGISTERS] = {0};

    if (!sparse_each(sparse, put_run, registers)) {
        return false;
    }
    memcpy(out, sparse.at, HLL_HEADER);
    out[ENCODING_AT] = DENSE;
    registers_to_dense(registers, out);
    return true;
}

/* Counting. */

/* The sum over all k of x^(2^k) * 2^(k-1), and x; the paper's sigma. */
static double sigma(double x)
{
    double sum = x;
    double weight = 1;
    double last;

    if (x == 1) {
        return INFINITY;
    }
    do {
        x *= x;
        last = sum;
        sum += x * weight;
        weight += weight;
    } while (sum != last);
    return sum;
}

/* The paper's tau. */
static double tau(double x)
{
    double sum = 1 - x;
    double weight = 1;
    double last;

    if (x == 0 || x == 1) {
        return 0;
    }
    do {
        x = sqrt(x);
        last = sum;
        weight *= 0.5;
        sum -= (1 - x) * (1 - x) * weight;
    } while (sum != last);
    return sum / 3;
}

/* Returns the estimate for how many registers have which value. */
static uint64_t estimate_of(const unsigned histogram[REGISTER_VALUES])
{
    const double alpha = 0.721347520444481703680; /* 1 / (2 ln 2) */
    const double m = HLL_REGISTERS;
    double z = m * tau((m - histogram[RANK_MAX]) / m);

    for (unsigned i = RANK_MAX - 1; i >= 1; i--) {
        z = (z + histogram[i]) * 0.5;
    }
    z += m * sigma(histogram[0] / m);
    return (uint64_t)llround(alpha * m * m / z);
}

static void count_run(unsigned first, const struct hll_run *run, void *context)
{
    unsigned *histogram = context;

    (void)first;
    histogram[run->value] += run->len;
}

uint64_t hll_count_registers(const uint8_t registers[HLL_REGISTERS])
{
    unsigned histogram[REGISTER_VALUES] = {0};

    for (unsigned i = 0; i < HLL_REGISTERS; i++) {
        histogram[registers[i]]++;
    }
    return estimate_of(histogram);
}

bool hll_count(struct bytes hll, uint64_t *estimate)
{
    unsigned histogram[REGISTER_VALUES] = {0};
    uint8_t registers[HLL_REGISTERS];

    if (hll_is_dense(hll)) {
        dense_to_registers(hll, registers);
        *estimate = hll_count_registers(registers);
        return true;
    }
    if (!sparse_each(hll, count_run, histogram)) {
        return false;
    }
    *estimate = estimate_of(histogram);
    return true;
}
