// Stars on an image: stamps of a pixel-integrated elliptical Moffat, their sum, and the normal equations of a fit.
// Every star owns a box (x0, y0, width, height) inside the image; its stamp is stored row by row at start[star].
#include <stdint.h>

#include "lanes.h"
#include "stream.h"

#define GLOBALS 5 // a, b, c, beta of the Moffat and the background

typedef float Singles __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint64_t Bits __attribute__((vector_size(32)));
typedef uint64_t Marks __attribute__((vector_size(32), aligned(8), may_alias));

// log of normal numbers >= 1 to 1e-10: m 2^e with m in [0.71, 1.42), then the series of the inverse hyperbolic tangent
INLINE Lanes logarithm_of(Lanes t)
{
    const uint64_t half = 0x3fe6a09e667f3bcd; // bits of sqrt(1/2)
    const Bits above = (Bits)t - half;
    const Lanes e = (Lanes)((above >> 52) | 0x4330000000000000) - 0x1p52;
    const Lanes m = (Lanes)((above & 0xfffffffffffff) + half), s = (m - 1) / (m + 1), z = s * s, z2 = z * z;
    const Lanes series = (1. / 3 + z * (1. / 5)) + z2 * ((1. / 7 + z * (1. / 9)) + z2 * (1. / 11));
    return e * 0.69314718055994530942 + 2 * s * (1 + z * series);
}

// exp of numbers between -700 and 0 to 1e-11: 2^n times a Taylor series
INLINE Lanes exponential_of(Lanes y)
{
    const double round = 0x1.8p52; // adding and subtracting it rounds to an integer
    const Lanes n = y * 1.44269504088896340736 + round, r = y - (n - round) * 0.69314718055994530942;
    const Lanes r2 = r * r, r4 = r2 * r2;
    const Lanes first = (1 + r) + r2 * (1. / 2 + r * (1. / 6));
    const Lanes second = (1. / 24 + r * (1. / 120)) + r2 * (1. / 720 + r * (1. / 5040));
    const Lanes taylor = first + r4 * (second + r4 * (1. / 40320 + r * (1. / 362880)));
    return (Lanes)(((Bits)n + 1023) << 52) * taylor;
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

INLINE void put(float *to, Lanes from, int count)
{
    if (count == LANES)
        *(Singles *)to = __builtin_convertvector(from, Singles);
    else
        for (int i = 0; i < count; i++)
            to[i] = (float)from[i];
}

INLINE void add(double *to, Lanes from, int count, int back)
{
    from = fresh(from, back);
    if (count == LANES)
        *(Anywhere *)to += from;
    else
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
    double *model, *shape;     // where the box begins
    int64_t nx, size;
} Star;

// profile = (1 + a u^2 + 2 b u v + c v^2)^-beta, integrated over a pixel to second order: f + laplacian(f) / 24
INLINE void stamp_of(const Star *s, const int32_t *r, int count)
{
    const Lanes step = {0, 1, 2, 3};
    const double a = s->a, b = s->b, c = s->c, beta = s->beta, flux = s->flux, trace = 2 * (a + c);
    for (int32_t j = 0; j < r[3]; j++) {
        const double v = r[1] + j - s->y;
        for (int32_t next = 0; next < r[2]; next += LANES) {
            const int32_t i = low(next, r[2] - count), back = next - i;
            const int64_t n = (int64_t)j * r[2] + i, m = j * s->nx + i;
            const Lanes u = r[0] + i - s->x + step, tu = 2 * (a * u + b * v), tv = 2 * (b * u + c * v);
            const Lanes t = 1 + 0.5 * (u * tu + v * tv), inverse = 1 / t, logarithm = logarithm_of(t);
            const Lanes f = exponential_of(-beta * logarithm), h = beta * f * inverse, g = (beta + 1) * inverse;
            const Lanes square = tu * tu + tv * tv;
            const Lanes common = h * g * (trace - (beta + 2) * inverse * square) * (1. / 24) - h;
            const Lanes du = common * tu + h * g * (a * tu + b * tv) * (1. / 6);
            const Lanes dv = common * tv + h * g * (b * tu + c * tv) * (1. / 6);
            const Lanes profile = f + (g * square - trace) * h * (1. / 24);
            put(s->value + n, profile, count);
            put(s->east + n, -flux * (du * s->matrix[0] + dv * s->matrix[2]), count);
            put(s->north + n, -flux * (du * s->matrix[1] + dv * s->matrix[3]), count);
            add(s->model + m, flux * profile, count, back);
            add(s->shape + m, -flux * h * u * u, count, back);
            add(s->shape + s->size + m, -2 * flux * h * u * v, count, back);
            add(s->shape + 2 * s->size + m, -flux * h * v * v, count, back);
            add(s->shape + 3 * s->size + m, -flux * f * logarithm, count, back);
        }
    }
}

HOT void psf_stamps(int64_t stars, const double *x, const double *y, const double *amplitude, const int32_t *box,
                    const int64_t *start, const double *psf, const double *matrix, int64_t nx, int64_t size,
                    float *value, float *east, float *north, double *model, double *shape)
{
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        const int64_t m = r[1] * nx + r[0];
        const Star s = {x[k], y[k], amplitude[k], psf[0], psf[1], psf[2], psf[3], matrix, value + start[k],
                        east + start[k], north + start[k], model + m, shape + m, nx, size};
        if (r[2] >= LANES)
            stamp_of(&s, r, LANES);
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

// sum[a][q] = products of the three stamps of one star with three images under the weights; no image: 1
INLINE void border_of(const int32_t *r, int64_t start, const float *const stamp[3], int64_t nx, const double *weight,
                      const double *const image[3], int count, double sum[3][3])
{
    Lanes part[3][3] = {{{0}}};
    for (int32_t j = 0; j < r[3]; j++)
        for (int32_t next = 0; next < r[2]; next += LANES) {
            const int32_t i = low(next, r[2] - count);
            const int64_t n = start + (int64_t)j * r[2] + i, m = (int64_t)(r[1] + j) * nx + r[0] + i;
            const Lanes w = fresh(take(weight + m, count), next - i);
            Lanes with[3];
            for (int q = 0; q < 3; q++)
                with[q] = image[q] ? w * take(image[q] + m, count) : w;
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
                    const double *shape, double *gradient, double *border)
{
    const float *const stamp[3] = {value, east, north};
    const double *const first[3] = {shape, shape + size, shape + 2 * size};
    const double *const second[3] = {shape + 3 * size, 0, residual};
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        double sum[2][3][3];
        if (r[2] >= LANES) {
            border_of(r, start[k], stamp, nx, weight, first, LANES, sum[0]);
            border_of(r, start[k], stamp, nx, weight, second, LANES, sum[1]);
        } else {
            border_of(r, start[k], stamp, nx, weight, first, r[2], sum[0]);
            border_of(r, start[k], stamp, nx, weight, second, r[2], sum[1]);
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
HOT void psf_shape(int64_t size, const double *weight, const double *residual, const double *shape, double *block,
                   double *gradient)
{
    Lanes sum[GLOBALS][GLOBALS + 1] = {{{0}}};
    int64_t m = 0;
    for (; m + LANES <= size; m += LANES) {
        const Lanes w = *(const Anywhere *)(weight + m), one = {1, 1, 1, 1};
        const Lanes of[GLOBALS + 1] = {*(const Anywhere *)(shape + m), *(const Anywhere *)(shape + size + m),
                                       *(const Anywhere *)(shape + 2 * size + m),
                                       *(const Anywhere *)(shape + 3 * size + m), one,
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
