// Stars on an image: stamps of a pixel-integrated elliptical Moffat, their sum, and the normal equations of a fit.
// Every star owns a box (x0, y0, width, height) inside the image; its stamp is stored row by row at start[star].
#include <math.h>
#include <stdint.h>

#define GLOBALS 5 // a, b, c, beta of the Moffat and the background

// profile = (1 + a u^2 + 2 b u v + c v^2)^-beta, integrated over a pixel to second order: f + laplacian(f) / 24
void psf_stamps(int64_t stars, const double *x, const double *y, const double *amplitude, const int32_t *box,
                const int64_t *start, const double *psf, const double *matrix, int64_t nx, int64_t size, double *value,
                double *east, double *north, double *model, double *shape)
{
    const double a = psf[0], b = psf[1], c = psf[2], beta = psf[3], trace = 2 * (a + c);
    for (int64_t k = 0; k < stars; k++) {
        const int32_t *r = box + 4 * k;
        const double flux = amplitude[k];
        int64_t n = start[k];
        for (int32_t j = r[1]; j < r[1] + r[3]; j++) {
            const double v = j - y[k];
            for (int32_t i = r[0]; i < r[0] + r[2]; i++, n++) {
                const double u = i - x[k];
                const double tu = 2 * (a * u + b * v), tv = 2 * (b * u + c * v);
                const double t = 1 + 0.5 * (u * tu + v * tv), inverse = 1 / t, logarithm = log(t);
                const double f = exp(-beta * logarithm), h = beta * f * inverse, g = (beta + 1) * inverse;
                const double square = tu * tu + tv * tv;
                const double common = -h + h * g * (trace - (beta + 2) * inverse * square) / 24;
                const double du = common * tu + h * g * (a * tu + b * tv) / 6;
                const double dv = common * tv + h * g * (b * tu + c * tv) / 6;
                const int64_t m = j * nx + i;
                value[n] = f + (g * square - trace) * h / 24;
                east[n] = -flux * (du * matrix[0] + dv * matrix[2]);
                north[n] = -flux * (du * matrix[1] + dv * matrix[3]);
                model[m] += flux * value[n];
                shape[m] -= flux * h * u * u;
                shape[size + m] -= 2 * flux * h * u * v;
                shape[2 * size + m] -= flux * h * v * v;
                shape[3 * size + m] -= flux * f * logarithm;
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
void psf_blocks(int64_t stars, const int32_t *box, const int64_t *start, const double *value, const double *east,
                const double *north, int64_t nx, const double *weight, const int64_t *row, const int32_t *column,
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
void psf_border(int64_t stars, const int32_t *box, const int64_t *start, const double *value, const double *east,
                const double *north, int64_t nx, int64_t size, const double *weight, const double *residual,
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
void psf_support(int64_t stars, const int32_t *box, const int64_t *start, const double *value, int64_t nx,
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
void psf_squares(int64_t stars, const int32_t *box, const int64_t *start, const double *value, int64_t nx,
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
