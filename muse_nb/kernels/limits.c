// The extent of an exposure, which fixes the cube's grid, and an index of its wavelengths by blocks of rows.
//
// Positions are needed at the edge only. A sample of them gives limits to start from; after that, blocks that lie too close
// to the pointing to extend any limit are left out on their distance alone, and so is the reading of their other coordinate.
#include "native.h"
#include "stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE (CHUNK / 32)

typedef struct {
    Exposure *exposure;
    double low, high;
    int failed[MAXTHREADS];
    double limit[MAXTHREADS][6];
} Scan;

static void widen(double *limit, double value) {
    if (value < limit[0]) limit[0] = value;
    if (value > limit[1]) limit[1] = value;
}

#define LANES 8
typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Masks __attribute__((vector_size(4 * LANES)));
typedef double Doubles __attribute__((vector_size(8 * LANES)));
typedef int64_t LongMasks __attribute__((vector_size(8 * LANES)));

INLINE Floats either(Masks which, Floats yes, Floats no) { return (Floats)((which & (Masks)yes) | (~which & (Masks)no)); }
INLINE Doubles either_long(LongMasks which, Doubles yes, Doubles no) {
    return (Doubles)((which & (LongMasks)yes) | (~which & (LongMasks)no));
}

// Extremes of at most BLOCK values. Compilers keep such loops scalar because of NaN, which loses every comparison here.
INLINE void extremes_body(const uint32_t *words, int n, float *smallest, float *largest, int vectors) {
    (void)vectors;
    float value[BLOCK];
    for (int i = 0; i < n; i++) value[i] = swapped(words[i]);
    for (int i = n; i < BLOCK; i++) value[i] = NAN;
    Floats low = (Floats){0} + INFINITY, high = -low;
    for (int i = 0; i < BLOCK; i += LANES) {
        Floats v;
        memcpy(&v, value + i, sizeof v);
        low = either(v < low, v, low);
        high = either(v > high, v, high);
    }
    *smallest = low[0], *largest = high[0];
    for (int i = 1; i < LANES; i++) {
        if (low[i] < *smallest) *smallest = low[i];
        if (high[i] > *largest) *largest = high[i];
    }
}
THRICE(void, extremes, (const uint32_t *words, int n, float *smallest, float *largest), words, n, smallest, largest)

INLINE void widen_block(const double *value, double *limit) {
    Doubles low = (Doubles){0} + INFINITY, high = -low;
    for (int i = 0; i < BLOCK; i += LANES) {
        Doubles v;
        memcpy(&v, value + i, sizeof v);
        low = either_long(v < low, v, low);
        high = either_long(v > high, v, high);
    }
    for (int i = 0; i < LANES; i++) {
        if (low[i] < limit[0]) limit[0] = low[i];
        if (high[i] > limit[1]) limit[1] = high[i];
    }
}

// Widen the limits by the positions of at most BLOCK rows; those whose wavelength is not between low and high do not count.
INLINE void reach_body(const Exposure *e, const uint32_t *x, const uint32_t *y, const uint32_t *l, int n, float low, float high,
                       double *limit, int vectors) {
    (void)vectors;
    const double sin_dec = e->sin_dec, cos_dec = e->cos_dec, turn = e->turn;
    const int native = e->kind == NATIVE;
    double a[BLOCK], b[BLOCK];
    for (int i = 0; i < n; i++) {
        a[i] = swapped(x[i]);
        b[i] = swapped(y[i]);
        if (native) to_sky(a[i] + turn, b[i], sin_dec, cos_dec, a + i, b + i);
    }
    for (int i = 0; i < n; i++) {
        const float lambda = swapped(l[i]);
        const int inside = (lambda >= low) & (lambda <= high);
        a[i] = inside ? a[i] : NAN;
        b[i] = inside ? b[i] : NAN;
    }
    for (int i = n; i < BLOCK; i++) a[i] = b[i] = NAN;
    widen_block(a, limit);
    widen_block(b, limit + 2);
}
THRICE(void, reach,
      (const Exposure *e, const uint32_t *x, const uint32_t *y, const uint32_t *l, int n, float low, float high, double *limit),
      e, x, y, l, n, low, high, limit)

// Whether a row of at most BLOCK may widen the limits of a native exposure: `reach` in single precision, which is good to 1e-6
// of the distance from the pointing, less a margin of 2e-5.
INLINE int may_widen_body(const Exposure *e, const uint32_t *x, const uint32_t *y, int n, const double *limit, int vectors) {
    (void)vectors;
    const float sin_dec = (float)e->sin_dec, cos_dec = (float)e->cos_dec, turn = (float)e->turn;
    const double far = fmax(-limit[0], limit[1]) * e->cos_dec + fmax(-limit[2], limit[3]) / e->cos_dec;
    const float west = (float)(limit[0] + 2e-5 * far / e->cos_dec), east = (float)(limit[1] - 2e-5 * far / e->cos_dec);
    const float south = (float)(limit[2] + 2e-5 * far), north = (float)(limit[3] - 2e-5 * far);
    int beyond = 0;
    for (int i = 0; i < n; i++) {
        const float angle = swapped(x[i]) + turn, distance = -swapped(y[i]), round = 12582912.f;
        const float sin_r = distance * (1 - distance * distance * (1.f / 6));
        const float turns = (angle * (float)(1 / HALF_PI) + round) - round, r = angle - turns * (float)HALF_PI, z = r * r;
        const float s = r * (1 + z * (-1.f / 6 + z * (1.f / 120 - z * (1.f / 5040))));
        const float c = 1 + z * (-.5f + z * (1.f / 24 + z * (-1.f / 720 + z * (1.f / 40320))));
        const int quarter = (int)turns;
        const float a = quarter & 1 ? c : s, b = quarter & 1 ? s : c, half = .5f * distance * distance;
        const float sine = quarter & 2 ? -a : a, cosine = (quarter + 1) & 2 ? -b : b;
        const float tan_ra = sin_r * sine / ((1 - half) * cos_dec + sin_r * sin_dec * cosine);
        const float d_sin = -half * sin_dec - sin_r * cos_dec * cosine;
        beyond |= !(tan_ra > west) | !(tan_ra < east) | !(d_sin > south) | !(d_sin < north);
    }
    return beyond;
}
THRICE(int, may_widen, (const Exposure *e, const uint32_t *x, const uint32_t *y, int n, const double *limit), e, x, y, n, limit)

static int wanted(const Scan *scan, const float *index) { return index[1] >= scan->low && index[0] <= scan->high; }

// First pass: all wavelengths, and the positions of a sample.
static int index_chunk(const Scan *scan, int64_t first, int n, uint32_t *words, double *limit) {
    const Exposure *e = scan->exposure;
    uint32_t *x = words, *y = words + CHUNK, *l = words + 2 * CHUNK;
    if (read_column(e, LAMBDA, first, n, l)) return -1;
    for (int b = 0; b < n; b += BLOCK) {
        float *index = e->index + 2 * ((first + b) / BLOCK);
        int rows = n - b < BLOCK ? n - b : BLOCK;
        extremes(l + b, rows, index, index + 1);
        if (!wanted(scan, index)) continue;
        if (index[0] >= scan->low && index[1] <= scan->high) {
            widen(limit + 4, index[0]);
            widen(limit + 4, index[1]);
            continue;
        }
        for (int i = b; i < b + rows; i++) {
            float lambda = swapped(l[i]);
            if (lambda >= scan->low && lambda <= scan->high) widen(limit + 4, lambda);
        }
    }
    n = n < SAMPLE ? n : SAMPLE;
    if (read_column(e, XPOS, first, n, x) || read_column(e, YPOS, first, n, y)) return -1;
    for (int b = 0; b < n; b += BLOCK)
        reach(e, x + b, y + b, l + b, n - b < BLOCK ? n - b : BLOCK, (float)scan->low, (float)scan->high, limit);
    return 0;
}

// Second pass: blocks that reach at least as far out as the nearest limit.
static int edge_chunk(const Scan *scan, int64_t first, int n, uint32_t *words, double *limit) {
    const Exposure *e = scan->exposure;
    uint32_t *x = words, *y = words + CHUNK, *l = words + 2 * CHUNK;
    const int small = e->kind == NATIVE && fabs(e->sin_dec) < .996;
    int have_x = 0, have_lambda = 0;
    if (read_column(e, YPOS, first, n, y)) return -1;
    for (int b = 0; b < n; b += BLOCK) {
        int rows = n - b < BLOCK ? n - b : BLOCK;
        if (!wanted(scan, e->index + 2 * ((first + b) / BLOCK))) continue;
        if (small) {
            float farthest, nearest;
            extremes(y + b, rows, &farthest, &nearest);         // y is minus the distance from the pointing
            double safe = fmin(fmin(-limit[0], limit[1]) * e->cos_dec, fmin(-limit[2], limit[3]) / e->cos_dec) * .98;
            if (-farthest < safe) continue;
        }
        if (!have_x && read_column(e, XPOS, first, n, x)) return -1;
        have_x = 1;
        if (small && !may_widen(e, x + b, y + b, rows, limit)) continue;
        if (!have_lambda && read_column(e, LAMBDA, first, n, l)) return -1;
        have_lambda = 1;
        reach(e, x + b, y + b, l + b, rows, (float)scan->low, (float)scan->high, limit);
    }
    return 0;
}

typedef int (*Visit)(const Scan *scan, int64_t first, int n, uint32_t *words, double *limit);

static void visit_share(Scan *scan, Visit visit, int thread, int threads) {
    const int64_t rows = scan->exposure->nrow, chunks = (rows + CHUNK - 1) / CHUNK;
    uint32_t *words = malloc(3 * CHUNK * sizeof *words);
    scan->failed[thread] |= !words;
    for (int64_t k = chunks * thread / threads; k < chunks * (thread + 1) / threads && !scan->failed[thread]; k++) {
        int64_t first = k * CHUNK;
        int n = rows - first < CHUNK ? (int)(rows - first) : CHUNK;
        scan->failed[thread] = visit(scan, first, n, words, scan->limit[thread]) != 0;
    }
    free(words);
}

static void index_share(void *scan, int thread, int threads) { visit_share(scan, index_chunk, thread, threads); }
static void edge_share(void *scan, int thread, int threads) { visit_share(scan, edge_chunk, thread, threads); }

// Fill index and limit of an exposure from the rows with low <= lambda <= high; 0 where all could be read.
int stream_scan(Exposure *exposure, double low, double high, int threads) {
    Scan *scan = calloc(1, sizeof *scan);
    if (!scan) return -1;
    scan->exposure = exposure, scan->low = low, scan->high = high;
    double *limit = exposure->limit;
    for (int i = 0; i < 6; i += 2) limit[i] = INFINITY, limit[i + 1] = -INFINITY;
    int failed = 0;
    Task passes[2] = {index_share, edge_share};
    for (int pass = 0; pass < 2 && !failed; pass++) {
        for (int t = 0; t < threads; t++) memcpy(scan->limit[t], limit, 6 * sizeof *limit);
        run_threads(passes[pass], scan, threads);
        for (int t = 0; t < threads; t++) {
            failed |= scan->failed[t];
            for (int i = 0; i < 6; i += 2) {
                const double *own = scan->limit[t] + i;
                if (own[0] <= own[1]) widen(limit + i, own[0]), widen(limit + i, own[1]);   // else it has seen no row
            }
        }
    }
    free(scan);
    return failed ? -1 : 0;
}
