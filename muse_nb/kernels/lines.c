// A Gaussian on a sloping continuum in each of many spectra, by Levenberg-Marquardt; errors from the inverse of the normal matrix.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

enum { PARAMETERS = 5, MOST_PLANES = 4096, ITERATIONS = 40, RESULTS = 8 };
static const double SMALL_STEP = 1e-8; // of chi2: the fit has arrived

typedef struct {
    int64_t spectra, planes;
    const float *data, *variance; // shape (planes, spectra); variance may be NULL: all the same
    const double *x;              // (planes,), from the expected centre
    double reach, width, narrowest, widest;
    float *result;                // (RESULTS, spectra): flux, centre, sigma, continuum, their errors
} Fits;

typedef struct { int n; double x[MOST_PLANES], y[MOST_PLANES], w[MOST_PLANES]; } Spectrum;

// p: amplitude, centre, sigma, continuum at x = 0, slope. Returns chi2; the normal matrix and the right side where asked for.
HOT static double model(const Spectrum *s, const double *p, double m[PARAMETERS][PARAMETERS], double *r)
{
    double chi2 = 0;
    if (m) {
        memset(m, 0, sizeof(double[PARAMETERS][PARAMETERS]));
        memset(r, 0, sizeof(double[PARAMETERS]));
    }
    for (int k = 0; k < s->n; k++) {
        const double u = (s->x[k] - p[1]) / p[2], g = u * u < 50 ? exp(-.5 * u * u) : 0;
        const double d = s->y[k] - (p[0] * g + p[3] + p[4] * s->x[k]), w = s->w[k];
        chi2 += w * d * d;
        if (!m) continue;
        if (g == 0) { // most planes: the line does not reach there
            const double x = s->x[k];
            r[3] += w * d;
            r[4] += w * d * x;
            m[3][3] += w;
            m[4][3] += w * x;
            m[4][4] += w * x * x;
            continue;
        }
        const double j[PARAMETERS] = {g, p[0] * g * u / p[2], p[0] * g * u * u / p[2], 1, s->x[k]};
        for (int a = 0; a < PARAMETERS; a++) {
            r[a] += w * d * j[a];
            for (int b = 0; b <= a; b++) m[a][b] += w * j[a] * j[b];
        }
    }
    return chi2;
}

// Cholesky factor of a symmetric matrix, of which the lower half is given, in its place; 0 where it has none
static int factor(double m[PARAMETERS][PARAMETERS])
{
    for (int a = 0; a < PARAMETERS; a++)
        for (int b = 0; b <= a; b++) {
            double sum = m[a][b];
            for (int c = 0; c < b; c++) sum -= m[a][c] * m[b][c];
            if (a == b && !(sum > 0)) return 0;
            m[a][b] = a == b ? sqrt(sum) : sum / m[b][b];
        }
    return 1;
}

static void solve(double l[PARAMETERS][PARAMETERS], const double *r, double *step)
{
    for (int a = 0; a < PARAMETERS; a++) {
        step[a] = r[a];
        for (int b = 0; b < a; b++) step[a] -= l[a][b] * step[b];
        step[a] /= l[a][a];
    }
    for (int a = PARAMETERS - 1; a >= 0; a--) {
        for (int b = a + 1; b < PARAMETERS; b++) step[a] -= l[b][a] * step[b];
        step[a] /= l[a][a];
    }
}

static void collect(const Fits *f, int64_t i, Spectrum *s)
{
    s->n = 0;
    for (int64_t k = 0; k < f->planes && s->n < MOST_PLANES; k++) {
        const float y = f->data[k * f->spectra + i], v = f->variance ? f->variance[k * f->spectra + i] : 1;
        if (!isfinite(y) || !(v > 0) || !isfinite(v)) continue;
        s->x[s->n] = f->x[k];
        s->y[s->n] = y;
        s->w[s->n++] = 1. / v;
    }
}

// Where a line of the expected width fits best on the continuum of all planes: a first guess
static void guess(const Fits *f, const Spectrum *s, double *p)
{
    double w0 = 0, wx = 0, wxx = 0, wy = 0, wxy = 0, best = -1;
    for (int k = 0; k < s->n; k++) {
        if (fabs(s->x[k]) < f->reach) continue;
        w0 += s->w[k]; wx += s->w[k] * s->x[k]; wxx += s->w[k] * s->x[k] * s->x[k];
        wy += s->w[k] * s->y[k]; wxy += s->w[k] * s->x[k] * s->y[k];
    }
    const double det = w0 * wxx - wx * wx;
    p[4] = det > 1e-9 * w0 * wxx ? (w0 * wxy - wx * wy) / det : 0;
    p[3] = w0 > 0 ? (wy - p[4] * wx) / w0 : 0;
    p[0] = 0; p[1] = 0; p[2] = f->width;
    for (int c = 0; c < s->n; c++) {
        if (fabs(s->x[c]) > f->reach) continue;
        double gg = 0, gd = 0;
        for (int k = 0; k < s->n; k++) {
            const double u = (s->x[k] - s->x[c]) / f->width;
            if (u * u > 9) continue;
            const double g = exp(-.5 * u * u);
            gg += s->w[k] * g * g;
            gd += s->w[k] * g * (s->y[k] - p[3] - p[4] * s->x[k]);
        }
        if (gg > 0 && gd * gd / gg > best) {
            best = gd * gd / gg;
            p[0] = gd / gg;
            p[1] = s->x[c];
        }
    }
}

static int good(const Fits *f, const double *p)
{
    return p[2] >= f->narrowest && p[2] <= f->widest && fabs(p[1]) <= f->reach && isfinite(p[0]) && isfinite(p[3]);
}

static int fit(const Fits *f, const Spectrum *s, double *p, double covariance[PARAMETERS][PARAMETERS], double *chi2)
{
    double m[PARAMETERS][PARAMETERS], r[PARAMETERS], damping = 1e-3;
    *chi2 = model(s, p, m, r);
    for (int round = 0; round < ITERATIONS; round++) {
        double l[PARAMETERS][PARAMETERS], step[PARAMETERS], next[PARAMETERS];
        memcpy(l, m, sizeof l);
        for (int a = 0; a < PARAMETERS; a++) l[a][a] *= 1 + damping;
        if (!factor(l)) return 0;
        solve(l, r, step);
        for (int a = 0; a < PARAMETERS; a++) next[a] = p[a] + step[a];
        if (next[2] < f->narrowest) next[2] = f->narrowest;
        if (next[2] > f->widest) next[2] = f->widest;
        if (next[1] < -f->reach) next[1] = -f->reach;
        if (next[1] > f->reach) next[1] = f->reach;
        const double there = model(s, next, 0, 0);
        if (!(there < *chi2)) {
            if (damping > 1e8 || there - *chi2 <= SMALL_STEP * *chi2) break;
            damping *= 10;
            continue;
        }
        const double gain = *chi2 - there;
        memcpy(p, next, sizeof next);
        *chi2 = model(s, p, m, r);
        damping = damping > 1e-9 ? damping / 10 : damping;
        if (gain <= SMALL_STEP * *chi2) break;
    }
    if (!factor(m)) return 0;
    for (int a = 0; a < PARAMETERS; a++) {
        double unit[PARAMETERS] = {0};
        unit[a] = 1;
        solve(m, unit, covariance[a]);
    }
    return good(f, p);
}

static void one(const Fits *f, int64_t i, Spectrum *s)
{
    double p[PARAMETERS], c[PARAMETERS][PARAMETERS], chi2;
    float *to = f->result + i;
    for (int n = 0; n < RESULTS; n++) to[n * f->spectra] = NAN;
    collect(f, i, s);
    if (s->n < 2 * PARAMETERS) return;
    guess(f, s, p);
    if (!fit(f, s, p, c, &chi2)) return;
    const double root = 2.50662827463100050242, scale = f->variance ? 1 : chi2 / (s->n - PARAMETERS);
    const double flux = root * p[0] * p[2];
    const double spread = root * root * (p[2] * p[2] * c[0][0] + p[0] * p[0] * c[2][2] + 2 * p[0] * p[2] * c[0][2]);
    const double told[RESULTS] = {flux, p[1], p[2], p[3] + p[4] * p[1], sqrt(spread * scale), sqrt(c[1][1] * scale),
                                  sqrt(c[2][2] * scale), sqrt(c[3][3] * scale)};
    for (int n = 0; n < RESULTS; n++) to[n * f->spectra] = (float)told[n];
}

static void share(void *argument, int thread, int threads)
{
    const Fits *f = argument;
    Spectrum *s = malloc(sizeof *s);
    if (!s) return;
    for (int64_t i = f->spectra * thread / threads; i < f->spectra * (thread + 1) / threads; i++) one(f, i, s);
    free(s);
}

void fit_lines(int64_t spectra, int64_t planes, const float *data, const float *variance, const double *x, double reach,
               double width, double narrowest, double widest, int threads, float *result)
{
    Fits f = {spectra, planes, data, variance, x, reach, width, narrowest, widest, result};
    run_threads(share, &f, threads < 1 ? 1 : threads);
}
