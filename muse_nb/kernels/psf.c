// Stars on an image: stamps of a pixel-integrated elliptical Moffat, their sum, and the normal equations of a fit.
// Every star owns a box (x0, y0, width, height) inside the image; its stamp is stored row by row at start[star].
#include <stdint.h>

#include "lanes.h"
#include "stream.h"

#define GLOBALS 5 // a, b, c, beta of the Moffat and the background

typedef float Singles __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint64_t Bits __attribute__((vector_size(32)));
typedef uint64_t Marks __attribute__((vector_size(32), aligned(8), may_alias));

// Stamps are drawn in single precision, eight pixels at a time
typedef uint32_t Bits32 __attribute__((vector_size(32)));
typedef int32_t Whole __attribute__((vector_size(32)));
typedef uint32_t Marks32 __attribute__((vector_size(32), aligned(4), may_alias));

// log of numbers >= 1: m 2^e with m in [0.71, 1.42), then the series of the inverse hyperbolic tangent
INLINE Eight logarithm_of(Eight t)
{
    const uint32_t half = 0x3f3504f3; // bits of sqrt(1/2)
    const Bits32 above = (Bits32)t - half;
    const Eight e = __builtin_convertvector((Whole)(above >> 23), Eight);
    const Eight m = (Eight)((above & 0x7fffff) + half), s = (m - 1) / (m + 1), z = s * s;
    const Eight series = 1.f / 3 + z * (1.f / 5 + z * (1.f / 7 + z * (1.f / 9)));
    return e * 0.693147181f + 2 * s * (1 + z * series);
}

// exp of numbers up to 0, those below -80 as -80: 2^n times a Taylor series
INLINE Eight exponential_of(Eight y)
{
    const float round = 0x1.8p23f; // adding and subtracting it rounds to an integer
    const Eight least = (Eight){0} - 80;
    const Bits32 normal = (Bits32)(y > least);
    y = (Eight)(((Bits32)y & normal) | ((Bits32)least & ~normal));
    const Eight shifted = y * 1.44269504f + round, n = shifted - round;
    const Eight r = (y - n * 0x1.62ep-1f) - n * 0x1.0bfbe8p-15f; // log 2 in two parts, the first times n exact
    const Eight r2 = r * r;
    const Eight taylor = (1 + r) + r2 * ((1.f / 2 + r * (1.f / 6)) + r2 * ((1.f / 24 + r * (1.f / 120)) + r2 * (1.f / 720)));
    return (Eight)((Bits32)((Whole)(Bits32)shifted + 127) << 23) * taylor;
}

// Rows are taken in fours, the last four so far back that they end with the row: lanes below `back` were there before.
// `count` is 4, or the width of a box that is narrower.
INLINE Lanes fresh(Lanes v, int back)
{
    static const uint64_t from[2 * LANES] = {0, 0, 0, 0, ~0ULL, ~0ULL, ~0ULL, ~0ULL};
    return (Lanes)((Bits)v & *(const Marks *)(from + LANES - back));
}

INLINE Lanes take(const double *from, int count)
{
    if (count == LANES)
        return *(const Anywhere *)from;
    Lanes v = {0};
    for (int i = 0; i < count; i++)
        v[i] = from[i];
    return v;
}

INLINE Lanes take_single(const float *from, int count)
{
    if (count == LANES)
        return __builtin_convertvector(*(const Singles *)from, Lanes);
    Lanes v = {0};
    for (int i = 0; i < count; i++)
        v[i] = from[i];
    return v;
}

// The same for eights
INLINE Eight fresh_eight(Eight v, int back)
{
    static const uint32_t from[2 * EIGHT] = {0, 0, 0, 0, 0, 0, 0, 0, ~0U, ~0U, ~0U, ~0U, ~0U, ~0U, ~0U, ~0U};
    return (Eight)((Bits32)v & *(const Marks32 *)(from + EIGHT - back));
}

INLINE void put(float *to, Eight from, int count)
{
    if (count == EIGHT)
        *(EightAnywhere *)to = from;
    else
        for (int i = 0; i < count; i++)
            to[i] = from[i];
}

INLINE void add(float *to, Eight from, int count, int back)
{
    from = fresh_eight(from, back);
    if (count == EIGHT)
        *(EightAnywhere *)to += from;
    else
        for (int i = 0; i < count; i++)
            to[i] += from[i];
}

INLINE void add_to_double(double *to, Eight from, int count, int back)
{
    from = fresh_eight(from, back);
    if (count == EIGHT) {
        const Singles *half = (const Singles *)&from;
        *(Anywhere *)to += __builtin_convertvector(half[0], Lanes);
        *(Anywhere *)(to + LANES) += __builtin_convertvector(half[1], Lanes);
    } else
        for (int i = 0; i < count; i++)
            to[i] += from[i];
}

INLINE double total(Lanes v) { return v[0] + v[1] + v[2] + v[3]; }

static int32_t low(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t high(int32_t a, int32_t b) { return a > b ? a : b; }

typedef struct {
    double x, y, flux;
    double a, b, c, beta;      // of the Moffat
    const double *matrix;      // d pixel / d sky
    float *value, *east, *north;
    double *model;             // where the box begins
    float *shape;
    int64_t nx, size;
} Star;

// profile = (1 + a u^2 + 2 b u v + c v^2)^-beta, integrated over a pixel to second order: f + laplacian(f) / 24
INLINE void stamp_of(const Star *s, const int32_t *r, int count)
{
    const Eight step = {0, 1, 2, 3, 4, 5, 6, 7};
    const float a = (float)s->a, b = (float)s->b, c = (float)s->c, beta = (float)s->beta, flux = (float)s->flux;
    const float trace = 2 * (a + c), matrix[4] = {(float)s->matrix[0], (float)s->matrix[1], (float)s->matrix[2], (float)s->matrix[3]};
    for (int32_t j = 0; j < r[3]; j++) {
        const float v = (float)(r[1] + j - s->y);
        for (int32_t next = 0; next < r[2]; next += EIGHT) {
            const int32_t i = low(next, r[2] - count), back = next - i;
            const int64_t n = (int64_t)j * r[2] + i, m = j * s->nx + i;
            const Eight u = (float)(r[0] + i - s->x) + step, tu = 2 * (a * u + b * v), tv = 2 * (b * u + c * v);
            const Eight t = 1 + 0.5f * (u * tu + v * tv), inverse = 1 / t, logarithm = logarithm_of(t);
            const Eight f = exponential_of(-beta * logarithm), h = beta * f * inverse, g = (beta + 1) * inverse;
            const Eight square = tu * tu + tv * tv;
            const Eight common = h * g * (trace - (beta + 2) * inverse * square) * (1.f / 24) - h;
            const Eight du = common * tu + h * g * (a * tu + b * tv) * (1.f / 6);
            const Eight dv = common * tv + h * g * (b * tu + c * tv) * (1.f / 6);
            const Eight profile = f + (g * square - trace) * h * (1.f / 24);
            put(s->value + n, profile, count);
            put(s->east + n, -flux * (du * matrix[0] + dv * matrix[2]), count);
            put(s->north + n, -flux * (du * matrix[1] + dv * matrix[3]), count);
            add_to_double(s->model + m, flux * profile, count, back);
            add(s->shape + m, -flux * h * u * u, count, back);
            add(s->shape + s->size + m, -2 * flux * h * u * v, count, back);
            add(s->shape + 2 * s->size + m, -flux * h * v * v, count, back);
            add(s->shape + 3 * s->size + m, -flux * f * logarithm, count, back);
        }
    }
}

HOT void psf_stamps(int64_t stars, const double *x, const double *y, const double *amplitude, const int32_t *box,
                    const int64_t *start, const double *psf, const double *matrix, int64_t nx, int64_t size,
                    float *value, float *east, float *north, double *model, float *shape)
{
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        const int64_t m = r[1] * nx + r[0];
        const Star s = {x[k], y[k], amplitude[k], psf[0], psf[1], psf[2], psf[3], matrix, value + start[k],
                        east + start[k], north + start[k], model + m, shape + m, nx, size};
        if (r[2] >= EIGHT)
            stamp_of(&s, r, EIGHT);
        else
            stamp_of(&s, r, r[2]);
    }
}

// Stars whose boxes overlap, row by row as in a CSR matrix, each with itself; column may be NULL to count only.
// side: first and last column, first and last row of every box, each after the other; hit: room for a byte a star.
HOT int64_t psf_pairs(int64_t stars, const int32_t *side, uint8_t *restrict hit, int64_t *row, int32_t *column)
{
    const int32_t *x0 = side, *x1 = side + stars, *y0 = side + 2 * stars, *y1 = side + 3 * stars;
    int64_t n = 0;
    row[0] = 0;
    for (int64_t k = 0; k < stars; k++) {
        const int32_t left = x0[k], right = x1[k], bottom = y0[k], top = y1[k];
        int32_t hits = 0;
        for (int64_t l = 0; l < stars; l++)
            hits += hit[l] = (left <= x1[l]) & (x0[l] <= right) & (bottom <= y1[l]) & (y0[l] <= top);
        for (int64_t l = 0; column && hits; l++)
            if (hit[l]) {
                column[n++] = (int32_t)l;
                hits--;
            }
        row[k + 1] = n += hits;
    }
    return n;
}

static int64_t place(const int64_t *row, const int32_t *column, int64_t k, int32_t l)
{
    int64_t first = row[k], last = row[k + 1] - 1;
    while (first < last) {
        const int64_t middle = (first + last) / 2;
        if (column[middle] < l)
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

// sum[a][b] = products of the stamps (value, east, north) of two stars under the weights; box: what both cover
INLINE void block_of(const int32_t *box, const float *const stamp[3], int64_t p, int64_t p_width, int64_t q,
                     int64_t q_width, int64_t nx, const double *weight, int count, Lanes sum[3][3])
{
    for (int32_t j = 0; j < box[3]; j++)
        for (int32_t next = 0; next < box[2]; next += LANES) {
            const int32_t i = low(next, box[2] - count);
            const Lanes w = fresh(take(weight + (int64_t)(box[1] + j) * nx + box[0] + i, count), next - i);
            Lanes other[3];
            for (int b = 0; b < 3; b++)
                other[b] = take_single(stamp[b] + q + j * q_width + i, count);
            for (int a = 0; a < 3; a++) {
                const Lanes mine = w * take_single(stamp[a] + p + j * p_width + i, count);
                for (int b = 0; b < 3; b++)
                    sum[a][b] += mine * other[b];
            }
        }
}

// block[pair] = 3x3 products of the stamps' (value, east, north) under the weights, for every pair of psf_pairs
HOT void psf_blocks(int64_t stars, const int32_t *box, const int64_t *start, const float *value, const float *east,
                    const float *north, int64_t nx, const double *weight, const int64_t *row, const int32_t *column,
                    double *block)
{
    const float *const stamp[3] = {value, east, north};
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        for (int64_t pair = row[k]; pair < row[k + 1]; pair++) {
            const int32_t l = column[pair];
            if (l < k)
                continue; // filled as the transpose when l was k
            const int32_t *s = box + 4 * l, x = high(r[0], s[0]), y = high(r[1], s[1]);
            const int32_t both[4] = {x, y, low(r[0] + r[2], s[0] + s[2]) - x, low(r[1] + r[3], s[1] + s[3]) - y};
            const int64_t p = start[k] + (int64_t)(y - r[1]) * r[2] + x - r[0];
            const int64_t q = start[l] + (int64_t)(y - s[1]) * s[2] + x - s[0];
            Lanes sum[3][3] = {{{0}}};
            if (both[2] >= LANES)
                block_of(both, stamp, p, r[2], q, s[2], nx, weight, LANES, sum);
            else
                block_of(both, stamp, p, r[2], q, s[2], nx, weight, both[2], sum);
            double *to = block + 9 * pair, *back = block + 9 * place(row, column, l, (int32_t)k);
            for (int a = 0; a < 3; a++)
                for (int b = 0; b < 3; b++)
                    back[3 * b + a] = to[3 * a + b] = total(sum[a][b]);
        }
    }
}

// sum[a][q] = products of the three stamps of one star with three images under the weights; no image: 1. `last`, where
// given, is the third.
INLINE void border_of(const int32_t *r, int64_t start, const float *const stamp[3], int64_t nx, const double *weight,
                      const float *const image[3], const double *last, int count, double sum[3][3])
{
    Lanes part[3][3] = {{{0}}};
    for (int32_t j = 0; j < r[3]; j++)
        for (int32_t next = 0; next < r[2]; next += LANES) {
            const int32_t i = low(next, r[2] - count);
            const int64_t n = start + (int64_t)j * r[2] + i, m = (int64_t)(r[1] + j) * nx + r[0] + i;
            const Lanes w = fresh(take(weight + m, count), next - i);
            Lanes with[3];
            for (int q = 0; q < 3; q++)
                with[q] = image[q] ? w * take_single(image[q] + m, count) : w;
            if (last)
                with[2] = w * take(last + m, count);
            for (int a = 0; a < 3; a++) {
                const Lanes mine = take_single(stamp[a] + n, count);
                for (int q = 0; q < 3; q++)
                    part[a][q] += mine * with[q];
            }
        }
    for (int a = 0; a < 3; a++)
        for (int q = 0; q < 3; q++)
            sum[a][q] = total(part[a][q]);
}

// gradient[star] = stamps times weighted residual; border[star] = stamps times the PSF's derivatives and a constant
HOT void psf_border(int64_t stars, const int32_t *box, const int64_t *start, const float *value, const float *east,
                    const float *north, int64_t nx, int64_t size, const double *weight, const double *residual,
                    const float *shape, double *gradient, double *border)
{
    const float *const stamp[3] = {value, east, north};
    const float *const first[3] = {shape, shape + size, shape + 2 * size};
    const float *const second[3] = {shape + 3 * size, 0, 0};
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        double sum[2][3][3];
        if (r[2] >= LANES) {
            border_of(r, start[k], stamp, nx, weight, first, 0, LANES, sum[0]);
            border_of(r, start[k], stamp, nx, weight, second, residual, LANES, sum[1]);
        } else {
            border_of(r, start[k], stamp, nx, weight, first, 0, r[2], sum[0]);
            border_of(r, start[k], stamp, nx, weight, second, residual, r[2], sum[1]);
        }
        for (int a = 0; a < 3; a++) {
            gradient[3 * k + a] = sum[1][a][2];
            for (int q = 0; q < GLOBALS; q++)
                border[(3 * k + a) * GLOBALS + q] = sum[q / 3][a][q % 3];
        }
    }
}

// core[star] = pixels above half of its peak that are `ok`
HOT void psf_core(int64_t stars, const int32_t *box, const int64_t *start, const float *value, int64_t nx,
                  const uint8_t *ok, int64_t *core)
{
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        int32_t inside = 0;
        for (int32_t j = 0; j < r[3]; j++) {
            const float *v = value + start[k] + (int64_t)j * r[2];
            const uint8_t *good = ok + (int64_t)(r[1] + j) * nx + r[0];
            for (int32_t i = 0; i < r[2]; i++)
                inside += (v[i] > 0.5f) & good[i];
        }
        core[k] = inside;
    }
}

// Sums of each star's square, plain and weighted
HOT void psf_support(int64_t stars, const int32_t *box, const int64_t *start, const float *value, int64_t nx,
                     const double *weight, double *square, double *weighted)
{
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        double plain = 0, seen = 0;
        int64_t n = start[k];
        for (int32_t j = r[1]; j < r[1] + r[3]; j++)
            for (int32_t i = r[0]; i < r[0] + r[2]; i++, n++) {
                const double square = (double)value[n] * value[n];
                plain += square;
                seen += square * weight[j * nx + i];
            }
        square[k] = plain;
        weighted[k] = seen;
    }
}

// image += factor[star] * value^2
HOT void psf_squares(int64_t stars, const int32_t *box, const int64_t *start, const float *value, int64_t nx,
                     const double *factor, double *restrict image)
{
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        for (int32_t j = 0; j < r[3]; j++) {
            const float *v = value + start[k] + (int64_t)j * r[2];
            double *to = image + (int64_t)(r[1] + j) * nx + r[0];
            for (int32_t i = 0; i < r[2]; i++)
                to[i] += factor[k] * v[i] * v[i];
        }
    }
}

// mask = 1 where a star's profile is above its limit
HOT void psf_above(int64_t stars, const int32_t *box, const int64_t *start, const float *value, int64_t nx,
                   const double *limit, uint8_t *restrict mask)
{
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        if (limit[k] >= 1)
            continue;
        for (int32_t j = 0; j < r[3]; j++) {
            const float *v = value + start[k] + (int64_t)j * r[2];
            uint8_t *to = mask + (int64_t)(r[1] + j) * nx + r[0];
            for (int32_t i = 0; i < r[2]; i++)
                to[i] |= v[i] > limit[k];
        }
    }
}

// block and gradient = products of the PSF's derivatives and a constant under the weights, and with the residual
HOT void psf_shape(int64_t size, const double *weight, const double *residual, const float *shape, double *block,
                   double *gradient)
{
    Lanes sum[GLOBALS][GLOBALS + 1] = {{{0}}};
    int64_t m = 0;
    for (; m + LANES <= size; m += LANES) {
        const Lanes w = *(const Anywhere *)(weight + m), one = {1, 1, 1, 1};
        const Lanes of[GLOBALS + 1] = {take_single(shape + m, LANES), take_single(shape + size + m, LANES),
                                       take_single(shape + 2 * size + m, LANES),
                                       take_single(shape + 3 * size + m, LANES), one,
                                       *(const Anywhere *)(residual + m)};
        for (int p = 0; p < GLOBALS; p++)
            for (int q = p; q <= GLOBALS; q++)
                sum[p][q] += w * of[p] * of[q];
    }
    for (; m < size; m++) {
        const double of[GLOBALS + 1] = {shape[m], shape[size + m], shape[2 * size + m], shape[3 * size + m], 1, residual[m]};
        for (int p = 0; p < GLOBALS; p++)
            for (int q = p; q <= GLOBALS; q++)
                sum[p][q][0] += weight[m] * of[p] * of[q];
    }
    for (int p = 0; p < GLOBALS; p++)
        for (int q = p; q <= GLOBALS; q++) {
            const double all = total(sum[p][q]);
            if (q == GLOBALS)
                gradient[p] = all;
            else
                block[GLOBALS * p + q] = block[GLOBALS * q + p] = all;
        }
}

// weight = 1 / (floor + slope * (light + galaxy)) and residual = data - model where used, else 0
HOT void psf_weigh(int64_t size, const uint8_t *used, const double *data, const double *model, const double *galaxy,
                   double floor, double slope, double *restrict weight, double *restrict residual)
{
    for (int64_t m = 0; m < size; m++) {
        const double light = model[m] > 0 ? model[m] : 0, w = 1 / (floor + slope * (light + galaxy[m]));
        weight[m] = used[m] ? w : 0;
        residual[m] = used[m] ? data[m] - model[m] : 0;
    }
}

// mask = 1 within radius[disc] of a disc's centre
void psf_discs(int64_t discs, const double *x, const double *y, const double *radius, int64_t ny, int64_t nx,
               uint8_t *mask)
{
    for (int64_t k = 0; k < discs; k++) {
        const double square = radius[k] * radius[k];
        for (int64_t j = y[k] > radius[k] ? (int64_t)(y[k] - radius[k]) : 0; j < ny && j <= y[k] + radius[k]; j++)
            for (int64_t i = x[k] > radius[k] ? (int64_t)(x[k] - radius[k]) : 0; i < nx && i <= x[k] + radius[k]; i++)
                if ((i - x[k]) * (i - x[k]) + (j - y[k]) * (j - y[k]) < square)
                    mask[j * nx + i] = 1;
    }
}
