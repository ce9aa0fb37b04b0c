// Counts over every pixel of a frame, big-endian as it lies in the file: DQ bits, not finite, implausibly high.
#include <stdint.h>
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

static void count_flags(const uint32_t *dq, int n, int swap, int64_t *counts) {
    uint32_t last = 0;
    int64_t length = 0;  // flags come in runs (gaps between slices, columns): add a run at a time
    for (int i = 0; i <= n; i++) {
        uint32_t value = i < n ? dq[i] : ~last;
        if (i < n && value == last) {
            length++;
            continue;
        }
        if (last) {
            counts[ANY] += length;
            for (uint32_t bits = native(last, swap); bits; bits &= bits - 1) counts[__builtin_ctz(bits)] += length;
        }
        last = value;
        length = 1;
    }
}

void frame_counts(const uint32_t *data, const uint32_t *dq, const uint32_t *stat, int64_t n, int swap, float level,
                  float snr, int64_t *counts) {
    const int32_t exponent = 0x7f800000;
    int32_t threshold;
    memcpy(&threshold, &level, 4);  // floats above 0 are ordered as integers
    for (int64_t start = 0; start < n; start += RUN) {
        int m = n - start < RUN ? (int)(n - start) : RUN;
        const uint32_t *d = data + start;
        uint32_t any = 0;
        int32_t odd = 0, high = 0;
        if (dq) {
            for (int i = 0; i < m; i++) any |= dq[start + i];
            if (any) count_flags(dq + start, m, swap, counts);
        }
        for (int i = 0; i < m; i++) {
            int32_t bits = (int32_t)native(d[i], swap);
            odd += (bits & exponent) == exponent;
            high += bits > threshold;
        }
        if (!(odd | (stat ? high : 0))) continue;
        for (int i = 0; i < m; i++) {
            int32_t bits = (int32_t)native(d[i], swap);
            int good = !dq || dq[start + i] == 0;
            if ((bits & exponent) == exponent) {
                counts[NOT_FINITE]++;
                counts[BAD_VALUE] += good;
            } else if (stat && good && bits > threshold) {
                float value = as_float((uint32_t)bits);
                float variance = as_float(native(stat[start + i], swap));
                counts[HIGH] += value > snr * snr * (variance / value);
            }
        }
    }
}
