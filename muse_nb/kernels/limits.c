// The extent of an exposure, which fixes the cube's grid, and an index of its wavelengths by blocks of rows.
#include "native.h"
#include "stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct { Exposure *exposure; double low, high; int failed[MAXTHREADS]; double limit[MAXTHREADS][6]; } Scan;

static void widen(double *limit, double value) {
    if (value < limit[0]) limit[0] = value;
    if (value > limit[1]) limit[1] = value;
}

INLINE void scan_chunk_body(const Exposure *e, const uint32_t *x, const uint32_t *y, const uint32_t *l, int64_t first, int n,
                           double low, double high, double *limit, int vectors) {
    (void)vectors;
    double lo_a = limit[0], hi_a = limit[1], lo_b = limit[2], hi_b = limit[3];
    for (int b = 0; b < n; b += BLOCK) {
        float *index = e->index + 2 * ((first + b) / BLOCK), shortest = INFINITY, longest = -INFINITY;
        for (int i = b; i < n && i < b + BLOCK; i++) {
            float lambda = swapped(l[i]);
            shortest = lambda < shortest ? lambda : shortest;
            longest = lambda > longest ? lambda : longest;
        }
        index[0] = shortest;
        index[1] = longest;
        if (!(longest >= low && shortest <= high)) continue;
        for (int i = b; i < n && i < b + BLOCK; i++) {
            float lambda = swapped(l[i]);
            double first_axis = swapped(x[i]), second_axis = swapped(y[i]);
            if (e->kind == NATIVE) to_sky(first_axis, second_axis, e->sin_dec, e->cos_dec, &first_axis, &second_axis);
            int inside = lambda >= low && lambda <= high;
            lo_a = inside && first_axis < lo_a ? first_axis : lo_a;
            hi_a = inside && first_axis > hi_a ? first_axis : hi_a;
            lo_b = inside && second_axis < lo_b ? second_axis : lo_b;
            hi_b = inside && second_axis > hi_b ? second_axis : hi_b;
            if (inside) widen(limit + 4, lambda);
        }
    }
    limit[0] = lo_a, limit[1] = hi_a, limit[2] = lo_b, limit[3] = hi_b;
}
TWICE(void, scan_chunk,
      (const Exposure *e, const uint32_t *x, const uint32_t *y, const uint32_t *l, int64_t first, int n, double low, double high,
       double *limit),
      e, x, y, l, first, n, low, high, limit)

static void scan_share(void *argument, int thread, int threads) {
    Scan *scan = argument;
    const Exposure *e = scan->exposure;
    int64_t chunks = (e->nrow + CHUNK - 1) / CHUNK;
    uint32_t *words = malloc(3 * CHUNK * sizeof *words);
    double *limit = scan->limit[thread];
    for (int i = 0; i < 6; i += 2) limit[i] = INFINITY, limit[i + 1] = -INFINITY;
    scan->failed[thread] = !words;
    for (int64_t k = chunks * thread / threads; words && k < chunks * (thread + 1) / threads; k++) {
        int64_t first = k * CHUNK;
        int n = e->nrow - first < CHUNK ? (int)(e->nrow - first) : CHUNK;
        if (read_column(e, XPOS, first, n, words) || read_column(e, YPOS, first, n, words + CHUNK)
            || read_column(e, LAMBDA, first, n, words + 2 * CHUNK)) {
            scan->failed[thread] = 1;
            break;
        }
        scan_chunk(e, words, words + CHUNK, words + 2 * CHUNK, first, n, scan->low, scan->high, limit);
    }
    free(words);
}

// Fill index and limit of an exposure from the rows with low <= lambda <= high; 0 where all could be read.
int stream_scan(Exposure *exposure, double low, double high, int threads) {
    Scan *scan = calloc(1, sizeof *scan);
    if (!scan) return -1;
    *scan = (Scan){.exposure = exposure, .low = low, .high = high};
    run_threads(scan_share, scan, threads);
    int failed = 0;
    for (int i = 0; i < 6; i += 2) exposure->limit[i] = INFINITY, exposure->limit[i + 1] = -INFINITY;
    for (int t = 0; t < threads; t++) {
        failed |= scan->failed[t];
        for (int i = 0; i < 6; i++) widen(exposure->limit + i / 2 * 2, scan->limit[t][i]);
    }
    free(scan);
    return failed ? -1 : 0;
}
