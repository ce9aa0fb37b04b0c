// Stars on an image: stamps of a pixel-integrated elliptical Moffat, their sum, and the normal equations of a fit.
// Every star owns a box (x0, y0, width, height) inside the image; its stamp is stored row by row at start[star].
#include <stdint.h>

#include "stream.h"

#define GLOBALS 5 // a, b, c, beta of the Moffat and the background

typedef double Lanes __attribute__((vector_size(32))); // four pixels of a row: SSE2 and NEON do them in two halves
typedef double Anywhere __attribute__((vector_size(32), aligned(8), may_alias));
typedef float Singles __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint64_t Bits __attribute__((vector_size(32)));
enum { LANES = 4 };

// log of normal numbers >= 1 to 1e-13: m 2^e with m in [0.71, 1.42), then the series of the inverse hyperbolic tangent
INLINE Lanes logarithm_of(Lanes t)
{
    const uint64_t half = 0x3fe6a09e667f3bcd; // bits of sqrt(1/2)
    const Bits above = (Bits)t - half;
    const Lanes e = (Lanes)((above >> 52) | 0x4330000000000000) - 0x1p52;
    const Lanes m = (Lanes)((above & 0xfffffffffffff) + half), s = (m - 1) / (m + 1), z = s * s;
    const Lanes high = 1. / 11 + z * (1. / 13 + z * (1. / 15 + z * (1. / 17)));
    const Lanes series = z * (1. / 3 + z * (1. / 5 + z * (1. / 7 + z * (1. / 9 + z * high))));
    return e * 0.69314718055994530942 + 2 * s * (1 + series);
}

// exp of numbers between -700 and 0 to 1e-13: 2^n times a Taylor series
INLINE Lanes exponential_of(Lanes y)
{
    const double round = 0x1.8p52; // adding and subtracting it rounds to an integer
    const Lanes n = y * 1.44269504088896340736 + round, r = y - (n - round) * 0.69314718055994530942;
    const Lanes high = 1. / 720 + r * (1. / 5040 + r * (1. / 40320 + r * (1. / 362880 + r * (1. / 3628800))));
    const Lanes taylor = 1 + r * (1 + r * (1. / 2 + r * (1. / 6 + r * (1. / 24 + r * (1. / 120 + r * high)))));
    return (Lanes)(((Bits)n + 1023) << 52) * taylor;
}

INLINE void put(float *to, Lanes from, int count)
{
    if (count == LANES)
        *(Singles *)to = __builtin_convertvector(from, Singles);
    else
        for (int i = 0; i < count; i++)
            to[i] = (float)from[i];
}

INLINE void add(double *to, Lanes from, int count)
{
    if (count == LANES)
        *(Anywhere *)to += from;
    else
        for (int i = 0; i < count; i++)
            to[i] += from[i];
}

// profile = (1 + a u^2 + 2 b u v + c v^2)^-beta, integrated over a pixel to second order: f + laplacian(f) / 24
HOT void psf_stamps(int64_t stars, const double *x, const double *y, const double *amplitude, const int32_t *box,
                    const int64_t *start, const double *psf, const double *matrix, int64_t nx, int64_t size,
                    float *value, float *east, float *north, double *model, double *shape)
{
    const double a = psf[0], b = psf[1], c = psf[2], beta = psf[3], trace = 2 * (a + c);
    const Lanes step = {0, 1, 2, 3};
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        const double flux = amplitude[k];
        for (int32_t j = 0; j < r[3]; j++) {
            const double v = r[1] + j - y[k];
            for (int32_t i = 0; i < r[2]; i += LANES) {
                const int64_t n = start[k] + (int64_t)j * r[2] + i, m = (int64_t)(r[1] + j) * nx + r[0] + i;
                const int count = r[2] - i < LANES ? r[2] - i : LANES;
                const Lanes u = r[0] + i - x[k] + step, tu = 2 * (a * u + b * v), tv = 2 * (b * u + c * v);
                const Lanes t = 1 + 0.5 * (u * tu + v * tv), inverse = 1 / t, logarithm = logarithm_of(t);
                const Lanes f = exponential_of(-beta * logarithm), h = beta * f * inverse, g = (beta + 1) * inverse;
                const Lanes square = tu * tu + tv * tv;
                const Lanes common = h * g * (trace - (beta + 2) * inverse * square) * (1. / 24) - h;
                const Lanes du = common * tu + h * g * (a * tu + b * tv) * (1. / 6);
                const Lanes dv = common * tv + h * g * (b * tu + c * tv) * (1. / 6);
                const Lanes profile = f + (g * square - trace) * h * (1. / 24);
                put(value + n, profile, count);
                put(east + n, -flux * (du * matrix[0] + dv * matrix[2]), count);
                put(north + n, -flux * (du * matrix[1] + dv * matrix[3]), count);
                add(model + m, flux * profile, count);
                add(shape + m, -flux * h * u * u, count);
                add(shape + size + m, -2 * flux * h * u * v, count);
                add(shape + 2 * size + m, -flux * h * v * v, count);
                add(shape + 3 * size + m, -flux * f * logarithm, count);
            }
        }
    }
}

static int32_t low(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t high(int32_t a, int32_t b) { return a > b ? a : b; }

// Stars whose boxes overlap, row by row as in a CSR matrix, each with itself; column may be NULL to count only.
int64_t psf_pairs(int64_t stars, const int32_t *box, int64_t *row, int32_t *column)
{
    int64_t n = 0;
    row[0] = 0;
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        for (int64_t l = 0; l < stars; l++) {
            const int32_t *s = box + 4 * l;
            if (r[0] >= s[0] + s[2] || s[0] >= r[0] + r[2] || r[1] >= s[1] + s[3] || s[1] >= r[1] + r[3])
                continue;
            if (column)
                column[n] = (int32_t)l;
            n++;
        }
        row[k + 1] = n;
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

// block[pair] = 3x3 products of the stamps' (value, east, north) under the weights, for every pair of psf_pairs
void psf_blocks(int64_t stars, const int32_t *box, const int64_t *start, const float *value, const float *east,
                const float *north, int64_t nx, const double *weight, const int64_t *row, const int32_t *column,
                double *block)
{
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        for (int64_t pair = row[k]; pair < row[k + 1]; pair++) {
            const int32_t l = column[pair];
            if (l < k)
                continue; // filled as the transpose when l was k
            const int32_t *s = box + 4 * l;
            const int32_t x0 = high(r[0], s[0]), x1 = low(r[0] + r[2], s[0] + s[2]);
            const int32_t y0 = high(r[1], s[1]), y1 = low(r[1] + r[3], s[1] + s[3]);
            double sum[9] = {0};
            for (int32_t j = y0; j < y1; j++) {
                const int64_t p = start[k] + (int64_t)(j - r[1]) * r[2] - r[0];
                const int64_t q = start[l] + (int64_t)(j - s[1]) * s[2] - s[0];
                const double *w = weight + j * nx;
                for (int32_t i = x0; i < x1; i++) {
                    const double v = w[i] * value[p + i], e = w[i] * east[p + i], n = w[i] * north[p + i];
                    const double vl = value[q + i], el = east[q + i], nl = north[q + i];
                    sum[0] += v * vl;
                    sum[1] += v * el;
                    sum[2] += v * nl;
                    sum[3] += e * vl;
                    sum[4] += e * el;
                    sum[5] += e * nl;
                    sum[6] += n * vl;
                    sum[7] += n * el;
                    sum[8] += n * nl;
                }
            }
            double *to = block + 9 * pair, *back = block + 9 * place(row, column, l, (int32_t)k);
            for (int a = 0; a < 3; a++)
                for (int b = 0; b < 3; b++)
                    back[3 * b + a] = to[3 * a + b] = sum[3 * a + b];
        }
    }
}

// gradient[star] = stamps times weighted residual; border[star] = stamps times the PSF's derivatives and a constant
void psf_border(int64_t stars, const int32_t *box, const int64_t *start, const float *value, const float *east,
                const float *north, int64_t nx, int64_t size, const double *weight, const double *residual,
                const double *shape, double *gradient, double *border)
{
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        double sum[3][GLOBALS + 1] = {{0}};
        int64_t n = start[k];
        for (int32_t j = r[1]; j < r[1] + r[3]; j++)
            for (int32_t i = r[0]; i < r[0] + r[2]; i++, n++) {
                const int64_t m = j * nx + i;
                const double w = weight[m], stamp[3] = {value[n], east[n], north[n]};
                const double with[GLOBALS + 1] = {w * shape[m], w * shape[size + m], w * shape[2 * size + m],
                                                  w * shape[3 * size + m], w, w * residual[m]};
                for (int a = 0; a < 3; a++)
                    for (int q = 0; q <= GLOBALS; q++)
                        sum[a][q] += stamp[a] * with[q];
            }
        for (int a = 0; a < 3; a++) {
            gradient[3 * k + a] = sum[a][GLOBALS];
            for (int q = 0; q < GLOBALS; q++)
                border[(3 * k + a) * GLOBALS + q] = sum[a][q];
        }
    }
}

// For every star: pixels of its core (above half of its peak) that are `ok`; sums of its square, plain and weighted
void psf_support(int64_t stars, const int32_t *box, const int64_t *start, const float *value, int64_t nx,
                 const uint8_t *ok, const double *weight, double *core, double *square, double *weighted)
{
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        double inside = 0, plain = 0, seen = 0;
        int64_t n = start[k];
        for (int32_t j = r[1]; j < r[1] + r[3]; j++)
            for (int32_t i = r[0]; i < r[0] + r[2]; i++, n++) {
                const int64_t m = j * nx + i;
                const double v = value[n];
                inside += v > 0.5 && ok[m];
                plain += v * v;
                seen += v * v * weight[m];
            }
        core[k] = inside;
        square[k] = plain;
        weighted[k] = seen;
    }
}

// image += factor[star] * value^2
void psf_squares(int64_t stars, const int32_t *box, const int64_t *start, const float *value, int64_t nx,
                 const double *factor, double *image)
{
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        int64_t n = start[k];
        for (int32_t j = r[1]; j < r[1] + r[3]; j++)
            for (int32_t i = r[0]; i < r[0] + r[2]; i++, n++)
                image[j * nx + i] += factor[k] * value[n] * value[n];
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
            const double total = sum[p][q][0] + sum[p][q][1] + sum[p][q][2] + sum[p][q][3];
            if (q == GLOBALS)
                gradient[p] = total;
            else
                block[GLOBALS * p + q] = block[GLOBALS * q + p] = total;
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
