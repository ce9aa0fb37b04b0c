// Counts over every pixel of a frame, big-endian as it lies in the file: DQ bits, not finite, implausibly high.
#include "stream.h"
#include <string.h>

#define RUN 32

static inline uint32_t native(uint32_t u, int swap) { return swap ? __builtin_bswap32(u) : u; }

static inline float as_float(uint32_t u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}

// counts: [0..31] pixels with each DQ bit, [32] any bit, [33] not finite with dq 0, [34] not finite,
// [35] dq 0 and data above `level` and above `snr` sigma, 0 without stat
#define ANY 32
#define BAD_VALUE 33
#define NOT_FINITE 34
#define HIGH 35

static inline __attribute__((always_inline)) void count_flags(const uint32_t *dq, int m, int swap, uint32_t any, int64_t *counts) {
    uint32_t flagged = 0;
    for (int i = 0; i < m; i++) flagged += dq[i] != 0;
    counts[ANY] += flagged;
    for (uint32_t bits = any; bits; bits &= bits - 1) {  // one or two as a rule
        uint32_t bit = bits & -bits, number = 0;
        for (int i = 0; i < m; i++) number += (dq[i] & bit) != 0;
        counts[__builtin_ctz(native(bit, swap))] += number;
    }
}

// Exponent of a float, 255 for what is not finite; of a big-endian one without turning it around, which vectorises.
static inline uint32_t exponent(uint32_t u, int swap) { return swap ? (u & 0x7fu) << 1 | (u >> 15 & 1u) : u >> 23 & 0xffu; }

static inline __attribute__((always_inline)) void scan(const uint32_t *data, const uint32_t *dq, const uint32_t *stat, int64_t n, const int swap,
                        float level, float snr, int64_t *counts) {
    uint32_t bits;
    memcpy(&bits, &level, 4);
    const uint32_t large = stat ? bits >> 23 : 255;  // no float of a smaller exponent is above the level
    for (int64_t start = 0; start < n; start += RUN) {
        int m = n - start < RUN ? (int)(n - start) : RUN;
        const uint32_t *d = data + start;
        uint32_t any = 0, odd = 0;
        if (dq) {
            for (int i = 0; i < m; i++) any |= dq[start + i];
            if (any) count_flags(dq + start, m, swap, any, counts);
        }
        for (int i = 0; i < m; i++) odd += exponent(d[i], swap) >= large;
        if (!odd) continue;
        uint32_t infinite = 0, spoilt = 0, high = 0;
        for (int i = 0; i < m; i++) {
            uint32_t good = dq ? dq[start + i] == 0 : 1, strange = exponent(d[i], swap) == 255;
            infinite += strange;
            spoilt += strange & good;
            if (!stat) continue;
            float value = as_float(native(d[i], swap)), variance = as_float(native(stat[start + i], swap));
            high += good & (strange ^ 1) & (value > level) & (value * value > snr * snr * variance);
        }
        counts[NOT_FINITE] += infinite;
        counts[BAD_VALUE] += spoilt;
        counts[HIGH] += high;
    }
}

HOT void frame_counts(const uint32_t *data, const uint32_t *dq, const uint32_t *stat, int64_t n, int swap, float level,
                  float snr, int64_t *counts) {
    if (swap) scan(data, dq, stat, n, 1, level, snr, counts);
    else scan(data, dq, stat, n, 0, level, snr, counts);
}
