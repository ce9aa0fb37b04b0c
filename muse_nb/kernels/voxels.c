// Sums and medians over the voxels of a cube where they lie in its file: big-endian float32, as FITS has them.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

enum { STRIPE = 8192 }; // spaxels of a plane that stay in the cache while planes are added

static inline __attribute__((always_inline)) uint32_t bits_of(const uint32_t *from)
{
    return __builtin_bswap32(*from);
}

static inline __attribute__((always_inline)) int holds(uint32_t bits)
{
    return (bits & 0x7f800000u) != 0x7f800000u;
}

static inline __attribute__((always_inline)) float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

typedef struct {
    const uint32_t *data, *variance; // of the cube; variance may be NULL
    int64_t first, planes, ny, nx;   // planes of the cube to work on
    int64_t y, x, rows, columns;     // box of the aperture
    const double *weight;            // (rows, columns)
    double *sum, *there, *spread;    // (planes,) sum of weight x data, of weight, of weight^2 x variance
} Sums;

static void sums_share(void *argument, int thread, int threads)
{
    const Sums *s = argument;
    for (int64_t k = s->planes * thread / threads; k < s->planes * (thread + 1) / threads; k++) {
        double sum = 0, there = 0, spread = 0;
        for (int64_t row = 0; row < s->rows; row++) {
            const int64_t start = ((s->first + k) * s->ny + s->y + row) * s->nx + s->x;
            const double *weight = s->weight + row * s->columns;
            for (int64_t i = 0; i < s->columns; i++) {
                const uint32_t bits = bits_of(s->data + start + i);
                if (!(weight[i] > 0) || !holds(bits)) continue;
                sum += weight[i] * as_float(bits);
                there += weight[i];
                if (s->variance) spread += weight[i] * weight[i] * as_float(bits_of(s->variance + start + i));
            }
        }
        s->sum[k] = sum;
        s->there[k] = there;
        s->spread[k] = spread;
    }
}

void voxels_sums(const void *data, const void *variance, int64_t first, int64_t planes, int64_t ny, int64_t nx, int64_t y,
                 int64_t x, int64_t rows, int64_t columns, const double *weight, int threads, double *sum, double *there,
                 double *spread)
{
    Sums s = {data, variance, first, planes, ny, nx, y, x, rows, columns, weight, sum, there, spread};
    run_threads(sums_share, &s, threads < 1 ? 1 : threads);
}

// ---- medians of some spaxels, without those that stand out
typedef struct {
    const uint32_t *data;
    int64_t first, planes, pixels;
    const int64_t *chosen; // of the spaxels, where they are in a plane
    int64_t number;
    int rounds;
    double clip, of_mad;
    double *level, *scatter; // (planes,)
    int64_t *left;           // (planes,) spaxels that are left
} Medians;

static void swap(float *a, float *b)
{
    const float kept = *a;
    *a = *b;
    *b = kept;
}

// The k-th smallest of n values goes to its place, smaller ones before it (Hoare's quickselect).
static float smallest(float *value, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        const float pivot = value[low + (high - low) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (value[i] < pivot) i++;
            while (value[j] > pivot) j--;
            if (i <= j) swap(value + i++, value + j--);
        }
        if (k <= j) high = j;
        else if (k >= i) low = i;
        else break;
    }
    return value[k];
}

static double middle(float *value, int64_t n)
{
    const double upper = smallest(value, n, n / 2);
    if (n % 2) return upper;
    float lower = value[0];
    for (int64_t i = 1; i < n / 2; i++)
        if (value[i] > lower) lower = value[i];
    return (upper + lower) / 2;
}

// Median and robust scatter of n values; `room` holds as many.
static void spread_of(float *value, int64_t n, double of_mad, double *room, double *level, double *scatter)
{
    *level = middle(value, n);
    float *off = (float *)room;
    for (int64_t i = 0; i < n; i++) off[i] = (float)fabs(value[i] - *level);
    *scatter = of_mad * middle(off, n);
}

static void medians_share(void *argument, int thread, int threads)
{
    const Medians *m = argument;
    float *value = malloc((size_t)(m->number + 1) * sizeof *value);
    double *room = malloc((size_t)(m->number + 1) * sizeof *room);
    for (int64_t k = m->planes * thread / threads; value && room && k < m->planes * (thread + 1) / threads; k++) {
        const uint32_t *plane = m->data + (m->first + k) * m->pixels;
        int64_t n = 0;
        for (int64_t i = 0; i < m->number; i++) {
            const uint32_t bits = bits_of(plane + m->chosen[i]);
            if (holds(bits)) value[n++] = as_float(bits);
        }
        m->left[k] = n;
        m->level[k] = m->scatter[k] = NAN;
        if (!n) continue;
        for (int round = 0;; round++) {
            spread_of(value, n, m->of_mad, room, m->level + k, m->scatter + k);
            if (round == m->rounds) break;
            int64_t kept = 0;
            for (int64_t i = 0; i < n; i++)
                if (!(fabs(value[i] - m->level[k]) > m->clip * m->scatter[k])) value[kept++] = value[i];
            if (kept == n) break;
            n = kept;
        }
        m->left[k] = n;
    }
    free(value);
    free(room);
}

void voxels_medians(const void *data, int64_t first, int64_t planes, int64_t pixels, const int64_t *chosen, int64_t number,
                    int rounds, double clip, double of_mad, int threads, double *level, double *scatter, int64_t *left)
{
    Medians m = {data, first, planes, pixels, chosen, number, rounds, clip, of_mad, level, scatter, left};
    run_threads(medians_share, &m, threads < 1 ? 1 : threads);
}

// ---- planes added up
typedef struct {
    const uint32_t *data, *variance;
    const int64_t *plane;
    int64_t planes, pixels;
    double *sum, *spread; // (pixels,) added to; spread may be NULL
    int64_t *number;      // (pixels,) planes with data, added to
} Planes;

static inline __attribute__((always_inline)) double value_of(uint32_t bits)
{
    return as_float(holds(bits) ? bits : 0);
}

// Four planes at once: sums in double precision are read and written a quarter as often.
HOT static void add_four(const uint32_t *data, int64_t pixels, int64_t n, double *restrict sum, int64_t *restrict number)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t a = bits_of(data + i), b = bits_of(data + pixels + i), c = bits_of(data + 2 * pixels + i),
                       d = bits_of(data + 3 * pixels + i);
        sum[i] += (value_of(a) + value_of(b)) + (value_of(c) + value_of(d));
        number[i] += (holds(a) + holds(b)) + (holds(c) + holds(d));
    }
}

HOT static void add_one(const uint32_t *data, int64_t n, double *restrict sum, int64_t *restrict number)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = bits_of(data + i);
        sum[i] += value_of(bits);
        number[i] += holds(bits);
    }
}

HOT static void add_variance(const uint32_t *data, const uint32_t *variance, int64_t n, double *restrict spread)
{
    for (int64_t i = 0; i < n; i++) spread[i] += as_float(holds(bits_of(data + i)) ? bits_of(variance + i) : 0);
}

static void add(const Planes *p, int64_t start, int64_t n)
{
    for (int64_t k = 0; k < p->planes;) {
        const uint32_t *data = p->data + p->plane[k] * p->pixels + start;
        const int four = k + 4 <= p->planes && p->plane[k + 3] == p->plane[k] + 3; // planes are in order
        if (four) add_four(data, p->pixels, n, p->sum + start, p->number + start);
        else add_one(data, n, p->sum + start, p->number + start);
        k += four ? 4 : 1;
    }
    for (int64_t k = 0; p->variance && k < p->planes; k++) {
        const int64_t at = p->plane[k] * p->pixels + start;
        add_variance(p->data + at, p->variance + at, n, p->spread + start);
    }
}

static void planes_share(void *argument, int thread, int threads)
{
    const Planes *p = argument;
    const int64_t from = p->pixels * thread / threads, to = p->pixels * (thread + 1) / threads;
    for (int64_t start = from; start < to; start += STRIPE) add(p, start, (start + STRIPE < to ? start + STRIPE : to) - start);
}

void voxels_planes(const void *data, const void *variance, const int64_t *plane, int64_t planes, int64_t pixels, int threads,
                   double *sum, double *spread, int64_t *number)
{
    Planes p = {data, variance, plane, planes, pixels, sum, spread, number};
    run_threads(planes_share, &p, threads < 1 ? 1 : threads);
}
