// Cosmic rays as muse_exp_combine's "median" finds them: a value above median + sigma x MAD of its neighbourhood.
//
// Almost all cells can be proved clean by counting instead of selecting. A cell holds a cosmic ray only if its largest value
// exceeds median + sigma x MAD of the n values around it. Take any low <= high and d = (largest - low) / sigma. If at most
// (n - 1) / 2 values lie below low, as many above high, and as many inside (low - d, high + d), then median >= low and
// MAD >= d, so that nothing can be flagged. low and high are what served the cell in the plane before, which shows the same stars;
// what is not proved is computed.
#include "stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8

typedef struct {                        // a row of cells: values of three planes, cell by cell, filled with NaN to whole vectors
    float *value;
    int *start, *number, room;          // where a cell begins, and how many values come before it, NaN not counted
} Strip;

typedef struct {
    const Grid *grid;
    Ring *ring;
    int z, whole, failed[MAXTHREADS];   // whole: neighbours in all three axes, for angles between the axes
    double sigma;
} Search;

// Gather a row of cells from the planes around z, so that a neighbourhood is one run of values.
static int gather(const Search *s, int row, int fast, Strip *strip) {
    static const float none[LANES] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    const Plane *plane[3];
    int planes = 0, total = 0, at = 0;
    for (int z = s->z - 1; z <= s->z + 1; z++)
        if (z >= 0 && z < s->grid->nz) plane[planes++] = plane_at(s->ring, z);
    int64_t first = (int64_t)row * fast;
    for (int k = 0; k < planes; k++) total += plane[k]->start[first + fast] - plane[k]->start[first];
    if (total + LANES * (fast + 1) > strip->room) {
        free(strip->value);
        strip->room = total + total / 4 + LANES * (fast + 1);
        if (!(strip->value = malloc(strip->room * sizeof(float)))) return -1;
    }
    int count = 0;
    for (int f = 0; f < fast; f++) {
        int end = at;
        strip->start[f] = at;
        strip->number[f] = count;
        for (int k = 0; k < planes; k++) {                               // whole vectors; what is too much is overwritten
            const uint32_t from = plane[k]->start[first + f], n = plane[k]->start[first + f + 1] - from;
            for (uint32_t i = 0; i < n; i += LANES) memcpy(strip->value + end + i, plane[k]->value + from + i, LANES * sizeof(float));
            end += n;
        }
        memcpy(strip->value + end, none, sizeof none);
        count += end - at;
        at = (end + LANES - 1) / LANES * LANES;
    }
    strip->start[fast] = at;
    strip->number[fast] = count;
    return 0;
}

// The k-th smallest of n values, which are put in order around it.
static void select_kth(double *v, int n, int k) {
    int low = 0, high = n - 1;
    while (low < high) {
        double pivot = v[(low + high) / 2];
        int i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i <= j) {
                double swap = v[i];
                v[i++] = v[j];
                v[j--] = swap;
            }
        }
        if (k <= j) high = j;
        else if (k >= i) low = i;
        else return;
    }
}

static double median(double *v, int n) {
    int k = n / 2;
    select_kth(v, n, k);
    if (n % 2) return v[k];
    double below = v[0];
    for (int i = 1; i < k; i++) below = v[i] > below ? v[i] : below;
    return .5 * (below + v[k]);
}

typedef struct { const float *run[4]; int length[4], runs, n; } Around;  // a neighbourhood: runs of values, n without NaN
typedef struct { int below, above, inside; } Count;
typedef struct { float low, high, inner, outer; } Bounds;

typedef float Floats __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t Counts __attribute__((vector_size(4 * LANES)));

INLINE int sum(Counts counts) {
    typedef int32_t Half __attribute__((vector_size(2 * LANES)));
    Half half[2];
    memcpy(half, &counts, sizeof half);
    half[0] += half[1];
    return half[0][0] + half[0][1] + (half[0][2] + half[0][3]);
}

// How many values lie below low, above high, and inside (inner, outer). Runs are read in whole vectors; what is behind their end
// does not count.
INLINE Count count_around(const Around *a, Bounds b, int vectors) {
    if (!vectors) {
        Count count = {0, 0, 0};
        for (int r = 0; r < a->runs; r++)
            for (int i = 0; i < a->length[r]; i++) {
                const float x = a->run[r][i];
                count.below += x < b.low;
                count.above += x > b.high;
                count.inside += (x > b.inner) & (x < b.outer);
            }
        return count;
    }
    const Floats zero = {0};
    const Floats low = zero + b.low, high = zero + b.high, inner = zero + b.inner, outer = zero + b.outer;
    const Counts lane = {0, 1, 2, 3, 4, 5, 6, 7};
    Counts below = {0}, above = {0}, inside = {0};                       // true is -1
    for (int r = 0; r < a->runs; r++) {
        const float *run = a->run[r];
        const int whole = a->length[r] / LANES * LANES;
        Floats x;
        for (int i = 0; i < whole; i += LANES) {
            memcpy(&x, run + i, sizeof x);
            below += (Counts)(x < low);
            above += (Counts)(x > high);
            inside += (Counts)(x > inner) & (Counts)(x < outer);
        }
        if (whole == a->length[r]) continue;
        const Counts used = lane < a->length[r] - whole;
        memcpy(&x, run + whole, sizeof x);
        below += (Counts)(x < low) & used;
        above += (Counts)(x > high) & used;
        inside += (Counts)(x > inner) & (Counts)(x < outer) & used;
    }
    if (a->n >= 1 << 10) return (Count){-sum(below), -sum(above), -sum(inside)};
    const int all = -sum(below + above * (1 << 10) + inside * (1 << 20)), most = (1 << 10) - 1;     // three sums in one
    return (Count){all & most, all >> 10 & most, all >> 20};
}

INLINE int proved_clean(const Around *a, float largest, float per_sigma, Guess *guess, int vectors) {
    const int most = (a->n - 1) / 2;
    const float share = 1.f / (float)a->n;
    for (int attempt = 0; attempt < 10 && guess->spread > 0; attempt++) {
        const float old = guess->spread, half = .5f * old, low = guess->middle - half, high = guess->middle + half;
        float d = (largest - low) * per_sigma;
        d = (d > 0 ? d : 0) + 1e-6f * (fabsf(low) + fabsf(high));            // more than rounding can lose
        const Count count = count_around(a, (Bounds){low, high, low - d, high + d}, vectors);
        const int proved = (count.below <= most) & (count.above <= most) & (count.inside <= most);
        float spread = (half + d) * .5f * (float)a->n / (float)(count.inside + 1);
        spread = spread > 2 * old ? 2 * old : spread < .5f * old ? .5f * old : spread;
        guess->middle += 1.85f * old * (float)(count.above - count.below) * share;
        guess->spread += (proved ? .1f : .5f) * (spread - old);
        if (proved) return 1;
    }
    return 0;
}

INLINE void search_row_body(const Search *s, int row, int fast, const Strip *strips, int nstrip, double *work, int vectors) {
    Plane *plane = plane_at(s->ring, s->z);
    const uint32_t *start = plane->start + (int64_t)row * fast;
    Guess *before = s->ring->guess + (int64_t)row * fast, guess = {0, 0};
    const float per_sigma = (float)(1.00001 / s->sigma);                 // more than rounding can lose
    for (int f = 0; f < fast; before[f++] = guess) {
        if (before[f].spread > 0) guess = before[f];
        int own = start[f + 1] - start[f], left = f ? f - 1 : 0, right = f + 2 < fast ? f + 2 : fast;
        if (!own) continue;
        const float *values = plane->value + start[f];
        float largest = values[0];
        for (int i = 1; i < own; i++) largest = values[i] > largest ? values[i] : largest;
        Around a = {.runs = 0, .n = 0};
        for (int k = 0; k < nstrip; k++) {
            a.run[a.runs] = strips[k].value + strips[k].start[left];
            a.length[a.runs++] = strips[k].start[right] - strips[k].start[left];
            a.n += strips[k].number[right] - strips[k].number[left];
        }
        if (!s->whole) {                                                 // the cell's own values are in no strip
            a.run[a.runs] = values;
            a.length[a.runs++] = own;
            a.n += own;
        }
        if (a.n < 3 || proved_clean(&a, largest, per_sigma, &guess, vectors)) continue;
        int n = 0;
        for (int r = 0; r < a.runs; r++)
            for (int i = 0; i < a.length[r]; i++) {
                work[n] = a.run[r][i];
                n += a.run[r][i] == a.run[r][i];
            }
        double middle = median(work, n);
        const double harmless = (largest - middle) / s->sigma * (1 + 1e-9);
        int within = 0;
        for (int i = 0; i < n; i++) {
            work[i] = fabs(work[i] - middle);
            within += work[i] < harmless;
        }
        guess.middle = (float)middle;
        if (guess.spread > 0 && within <= (n - 1) / 2) continue;         // the MAD is at least that: no need to know it
        double spread = median(work, n), limit = middle + s->sigma * spread;
        if (spread > 0) guess.spread = (float)spread;
        for (int i = 0; i < own && largest > limit; i++)
            if (values[i] > limit) plane->tag[start[f] + i] |= REJECTED;
    }
}

THRICE(void, search_row, (const Search *s, int row, int fast, const Strip *strips, int nstrip, double *work),
      s, row, fast, strips, nstrip, work)

static void search_share(void *argument, int thread, int threads) {
    Search *s = argument;
    int fast = s->grid->swap ? s->grid->ny : s->grid->nx, slow = s->grid->swap ? s->grid->nx : s->grid->ny;
    int first = slow * thread / threads, last = slow * (thread + 1) / threads, room = 0;
    double *work = 0;
    Strip strip[3] = {0};
    int failed = 0;
    for (int i = 0; i < 3; i++) {
        strip[i].start = malloc((fast + 1) * sizeof(int));
        strip[i].number = malloc((fast + 1) * sizeof(int));
        failed |= !strip[i].start || !strip[i].number;
    }
    for (int ahead = first ? first - 1 : 0; ahead <= last && !failed; ahead++) {
        if (ahead < slow) failed = gather(s, ahead, fast, strip + ahead % 3);
        int row = ahead - 1;
        if (row < first || row >= last || failed) continue;
        Strip around[3];
        const uint32_t *start = plane_at(s->ring, s->z)->start + (int64_t)row * fast;
        int n = 0, need = start[fast] - start[0];
        for (int r = row - 1; r <= row + 1; r++)
            if (r >= 0 && r < slow && (r != row || s->whole)) {
                need += strip[r % 3].number[fast];
                around[n++] = strip[r % 3];
            }
        if (need > room) {
            free(work);
            room = need + need / 4;
            failed = !(work = malloc((room + 1) * sizeof *work));
        }
        if (!failed) search_row(s, row, fast, around, n, work);
    }
    for (int i = 0; i < 3; i++) {
        free(strip[i].value);
        free(strip[i].start);
        free(strip[i].number);
    }
    free(work);
    s->failed[thread] = failed;
}

// Mark the cosmic rays of plane z; it and its neighbours must be in the ring. 0 where there was memory for it.
int stream_cosmics(const Grid *grid, Ring *ring, int z, int whole, double sigma) {
    Search s = {.grid = grid, .ring = ring, .z = z, .whole = whole, .sigma = sigma};
    run_threads(search_share, &s, ring->threads);
    int failed = 0;
    for (int t = 0; t < ring->threads; t++) failed |= s.failed[t];
    return failed ? -1 : 0;
}
