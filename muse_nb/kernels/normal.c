// Conjugate gradients on the normal equations of a fit of stars to many exposures, four right sides at once.
// A vector of unknowns holds, four columns side by side: the amplitude of each star in each exposure, the position
// (east, north) of each star, and the frame (a, b, c, beta, background; offset east, north) of each exposure.
#include <stdint.h>

#include "lanes.h"
#include "stream.h"

enum { SHAPE = 5, FRAME = 7 };
static const Lanes zero = {0};

typedef struct {                        // mirrored in structs.py
    int64_t exposures, stars, reference, most;
    double prior, tolerance;
    const int64_t *row;                 // CSR over (exposure, star); columns are stars of the same exposure
    const int32_t *column;
    const double *block, *border;       // 3x3 (amplitude, east, north) of each pair; 3x5 of each star with its exposure
    const double *shape;                // 5x5 of each exposure
    const double *a, *fa, *fx, *g, *q;  // the matrix without overlaps, factored: see normal.py
} Normal;
const int64_t sizeof_Normal = sizeof(Normal);  // held against structs.py by a test

INLINE int64_t length(const Normal *s) { return s->exposures * s->stars + 2 * s->stars + FRAME * s->exposures; }

// out = matrix times v
INLINE void apply(const Normal *s, const Anywhere *v, Anywhere *out, Anywhere *star)
{
    const int64_t stars = s->stars;
    const Anywhere *sky = v + s->exposures * stars, *frame = sky + 2 * stars;
    Anywhere *out_sky = out + s->exposures * stars, *out_frame = out_sky + 2 * stars;
    for (int64_t k = 0; k < 2 * stars; k++)
        out_sky[k] = s->prior * sky[k];
    for (int64_t i = 0; i < s->exposures; i++) {
        const Anywhere *f = frame + FRAME * i;
        Lanes own[FRAME] = {{0}};
        for (int p = 0; p < SHAPE; p++)
            for (int q = 0; q < SHAPE; q++)
                own[p] += s->shape[(SHAPE * i + p) * SHAPE + q] * f[q];
        for (int64_t k = 0; k < stars; k++) {
            star[3 * k] = v[i * stars + k];
            star[3 * k + 1] = sky[2 * k] + f[SHAPE];
            star[3 * k + 2] = sky[2 * k + 1] + f[SHAPE + 1];
        }
        for (int64_t k = 0; k < stars; k++) {
            const int64_t at = i * stars + k;
            const double *border = s->border + 3 * SHAPE * at;
            Lanes sum[3] = {{0}};
            for (int64_t pair = s->row[at]; pair < s->row[at + 1]; pair++) {
                const double *b = s->block + 9 * pair;
                const Anywhere *other = star + 3 * (int64_t)s->column[pair];
                for (int p = 0; p < 3; p++)
                    sum[p] += b[3 * p] * other[0] + b[3 * p + 1] * other[1] + b[3 * p + 2] * other[2];
            }
            for (int p = 0; p < 3; p++)
                for (int q = 0; q < SHAPE; q++) {
                    sum[p] += border[SHAPE * p + q] * f[q];
                    own[q] += border[SHAPE * p + q] * star[3 * k + p];
                }
            out[at] = sum[0];
            for (int axis = 0; axis < 2; axis++) {
                out_sky[2 * k + axis] += sum[1 + axis];
                own[SHAPE + axis] += sum[1 + axis];
            }
        }
        for (int p = 0; p < FRAME; p++)
            out_frame[FRAME * i + p] = i == s->reference && p >= SHAPE ? zero : own[p];
    }
}

// z = what r would be solved by if no two stars overlapped; work holds 7 for each exposure
INLINE void precondition(const Normal *s, const Anywhere *r, Anywhere *z, Anywhere *work)
{
    const int64_t n = s->exposures, stars = s->stars;
    const Anywhere *r_frame = r + n * stars + 2 * stars;
    Anywhere *sky = z + n * stars, *frame = sky + 2 * stars;
    for (int64_t k = 0; k < 2 * stars; k++)
        sky[k] = r[n * stars + k];
    for (int64_t i = 0; i < n; i++) {
        Lanes left[FRAME];
        for (int p = 0; p < FRAME; p++)
            left[p] = r_frame[FRAME * i + p];
        for (int64_t k = 0; k < stars; k++) {
            const int64_t at = i * stars + k;
            const double *fa = s->fa + FRAME * at;
            const Lanes share = r[at] / s->a[at];
            for (int p = 0; p < FRAME; p++)
                left[p] -= fa[p] * share;
            sky[2 * k] -= fa[SHAPE] * share;
            sky[2 * k + 1] -= fa[SHAPE + 1] * share;
            z[at] = share;
        }
        for (int p = 0; p < FRAME; p++)
            work[FRAME * i + p] = left[p];
    }
    for (int64_t k = 0; k < stars; k++) {
        const double *g = s->g + 4 * k;
        const Lanes east = sky[2 * k], north = sky[2 * k + 1];
        sky[2 * k] = g[0] * east + g[1] * north;
        sky[2 * k + 1] = g[2] * east + g[3] * north;
    }
    for (int64_t i = 0; i < n; i++) {
        Lanes left[FRAME];
        for (int p = 0; p < FRAME; p++)
            left[p] = work[FRAME * i + p];
        for (int64_t k = 0; k < stars; k++) {
            const double *fx = s->fx + 2 * FRAME * (i * stars + k);
            for (int p = 0; p < FRAME; p++)
                left[p] -= fx[p] * sky[2 * k] + fx[FRAME + p] * sky[2 * k + 1];
        }
        for (int p = 0; p < FRAME; p++)
            work[FRAME * i + p] = i == s->reference && p >= SHAPE ? zero : left[p];
    }
    for (int64_t u = 0; u < FRAME * n; u++) {
        Lanes sum = zero;
        for (int64_t w = 0; w < FRAME * n; w++)
            sum += s->q[FRAME * n * u + w] * work[w];
        frame[u] = u / FRAME == s->reference && u % FRAME >= SHAPE ? zero : sum;
    }
    for (int64_t k = 0; k < stars; k++) {
        const double *g = s->g + 4 * k;
        Lanes east = zero, north = zero;
        for (int64_t i = 0; i < n; i++) {
            const double *fx = s->fx + 2 * FRAME * (i * stars + k);
            for (int p = 0; p < FRAME; p++) {
                east += fx[p] * frame[FRAME * i + p];
                north += fx[FRAME + p] * frame[FRAME * i + p];
            }
        }
        sky[2 * k] -= g[0] * east + g[1] * north;
        sky[2 * k + 1] -= g[2] * east + g[3] * north;
        for (int64_t i = 0; i < n; i++) {
            const double *fa = s->fa + FRAME * (i * stars + k);
            Lanes sum = fa[SHAPE] * sky[2 * k] + fa[SHAPE + 1] * sky[2 * k + 1];
            for (int p = 0; p < FRAME; p++)
                sum += fa[p] * frame[FRAME * i + p];
            z[i * stars + k] -= sum / s->a[i * stars + k];
        }
    }
}

INLINE Lanes dot(const Anywhere *a, const Anywhere *b, int64_t n)
{
    Lanes sum = zero;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

// x = right sides solved: each column until its residual fell by `tolerance`, or `most` steps
// work holds 3 vectors of unknowns, 3 for each star and 7 for each exposure
HOT void normal_solve(const Normal *s, const Anywhere *right, Anywhere *x, Anywhere *work)
{
    const int64_t n = length(s);
    Anywhere *r = work, *p = r + n, *q = p + n, *star = q + n, *frame = star + 3 * s->stars;
    for (int64_t i = 0; i < n; i++) {
        r[i] = right[i];
        x[i] = zero;
    }
    precondition(s, r, p, frame);
    Lanes rz = dot(r, p, n);
    const Lanes enough = s->tolerance * s->tolerance * rz;
    for (int64_t step = 0; step < s->most; step++) {
        if (!(rz[0] > enough[0] || rz[1] > enough[1] || rz[2] > enough[2] || rz[3] > enough[3]))
            break;
        apply(s, p, q, star);
        const Lanes bend = dot(p, q, n);
        Lanes alpha, beta;
        for (int c = 0; c < LANES; c++) // bend <= 0 is rounding: nothing to gain along p
            alpha[c] = rz[c] > enough[c] && bend[c] > 0 ? rz[c] / bend[c] : 0;
        for (int64_t i = 0; i < n; i++) {
            x[i] += alpha * p[i];
            r[i] -= alpha * q[i];
        }
        precondition(s, r, q, frame);
        const Lanes before = rz;
        rz = dot(r, q, n);
        for (int c = 0; c < LANES; c++)
            beta[c] = alpha[c] > 0 ? rz[c] / before[c] : 0;
        for (int64_t i = 0; i < n; i++)
            p[i] = q[i] + beta * p[i];
    }
}
