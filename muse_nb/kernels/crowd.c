// Fluxes of all stars of a field in each of many planes at once: weighted least squares of their known profiles and a
// background of hats on a mesh; what no profile explains is left out and the plane solved again.
// Every star has a box inside the plane whose first column and width are multiples of eight; so is the plane's width.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "stream.h"

enum { MOST_STEPS = 400, SAMPLES = 8192, MOST_GONE = 2000, AROUND = 3 };
static const double SMALL_GAIN = 1e-3; // of chi2 in a step of the solution: it has arrived
static const double SPREAD_OUT = 3;    // errors of a neighbour of what was left out that goes with it

typedef struct {                       // mirrored in structs.py
    int64_t stars, nx, ny, across, up; // nodes of the background in x and y
    const int32_t *box, *core;         // x0, y0, width, height of each profile, and of the part where its peak is
    const int64_t *start;
    const float *value;                // profiles, row by row
    const float *least;                // of a profile's values: those of its core lie above
    const int64_t *row;                // CSR of the later stars that overlap each
    const int32_t *column;
    const float *hat_x, *hat_y;        // the background's: (across, nx) and (up, ny)
    const int32_t *reach_x, *reach_y;  // where each is not 0: first and end; in x multiples of eight
    const float *base, *light;         // variance of a plane = level[0] base + level[1] light
    double clip, tolerance, of_mad;    // errors, share of the stars' light, and of the median |residual|
    double whole;                      // sum of the squares of a profile that lies inside the plane
    int64_t rounds;
} Crowd;
const int64_t sizeof_Crowd = sizeof(Crowd); // held against structs.py by a test

typedef struct {                       // of one plane; each thread has one
    float *weight, *part, *pair, *edge, *model, *residual, *sample;
    double *node, *diagonal, *right, *x, *r, *z, *p, *q;
    int64_t *first;                    // of each star's products with the nodes, in edge
    int32_t *near;                     // nodes that it overlaps: first and end in x, then in y
    int32_t *gone;                     // voxels that were left out last, and what they weighed
    float *weighed;
} Work;

static int64_t unknowns(const Crowd *c) { return c->stars + c->across * c->up; }
static int32_t low(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t high(int32_t a, int32_t b) { return a > b ? a : b; }

INLINE float sum_of(Eight v) { return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7])); }

HOT static double product(const float *a, const float *b, int64_t n)
{
    Eight sum = {0};
    for (int64_t i = 0; i < n; i += EIGHT) sum += *(const EightAnywhere *)(a + i) * *(const EightAnywhere *)(b + i);
    return sum_of(sum);
}

// A star's profile times the weights, its square, its product with the data, and the share of its square that has weight
HOT static void weigh_star(const Crowd *c, int64_t k, const float *weight, const float *data, float *part, double *to)
{
    const int32_t *b = c->box + 4 * k;
    double square = 0, with = 0, seen = 0;
    for (int32_t j = 0; j < b[3]; j++) {
        const float *p = c->value + c->start[k] + (int64_t)j * b[2], *w = weight + (int64_t)(b[1] + j) * c->nx + b[0];
        const float *d = data + (int64_t)(b[1] + j) * c->nx + b[0];
        Eight s = {0}, t = {0}, u = {0};
        for (int32_t i = 0; i < b[2]; i += EIGHT) {
            const Eight profile = *(const EightAnywhere *)(p + i), heavy = *(const EightAnywhere *)(w + i);
            const Eight mine = profile * heavy, plain = profile * profile;
            typedef int32_t Mask __attribute__((vector_size(32)));
            s += mine * profile;
            t += mine * *(const EightAnywhere *)(d + i);
            u += (Eight)((Mask)plain & (heavy > 0));
            *(EightAnywhere *)(part + (int64_t)j * b[2] + i) = mine;
        }
        square += sum_of(s);
        with += sum_of(t);
        seen += sum_of(u);
    }
    to[0] = square;
    to[1] = with;
    to[2] = seen < c->whole ? seen / c->whole : 1;
}

HOT static float overlap(const Crowd *c, int64_t k, int64_t l, const float *part)
{
    const int32_t *a = c->box + 4 * k, *b = c->box + 4 * l;
    const int32_t x = high(a[0], b[0]), y = high(a[1], b[1]);
    const int32_t wide = low(a[0] + a[2], b[0] + b[2]) - x, end = low(a[1] + a[3], b[1] + b[3]);
    Eight sum = {0};
    for (int32_t j = y; j < end; j++) {
        const float *p = part + (int64_t)(j - a[1]) * a[2] + x - a[0];
        const float *q = c->value + c->start[l] + (int64_t)(j - b[1]) * b[2] + x - b[0];
        for (int32_t i = 0; i < wide; i += EIGHT) sum += *(const EightAnywhere *)(p + i) * *(const EightAnywhere *)(q + i);
    }
    return sum_of(sum);
}

// Products of a star with the background's nodes that it overlaps
static void edges_of(const Crowd *c, int64_t k, const float *part, const int32_t *near, float *edge)
{
    const int32_t *b = c->box + 4 * k;
    const int32_t columns = near[1] - near[0];
    for (int32_t m = near[0]; m < near[1]; m++) {
        const int32_t x = high(b[0], c->reach_x[2 * m]), end = low(b[0] + b[2], c->reach_x[2 * m + 1]);
        for (int32_t j = 0; j < b[3] && x < end; j++) {
            const double s = product(part + (int64_t)j * b[2] + x - b[0], c->hat_x + m * c->nx + x, end - x);
            for (int32_t n = near[2]; n < near[3]; n++)
                edge[(n - near[2]) * columns + m - near[0]] += (float)(s * c->hat_y[n * c->ny + b[1] + j]);
        }
    }
}

// Products of the nodes with each other and with the data
static void nodes_of(const Crowd *c, const Work *s, const float *data)
{
    const int64_t nodes = c->across * c->up;
    double *right = s->right + c->stars;
    memset(s->node, 0, nodes * nodes * sizeof(double));
    memset(right, 0, nodes * sizeof(double));
    for (int64_t y = 0; y < c->ny; y++) {
        const float *w = s->weight + y * c->nx, *d = data + y * c->nx;
        for (int64_t m = 0; m < c->across; m++) {
            const int32_t x = c->reach_x[2 * m], end = c->reach_x[2 * m + 1];
            for (int32_t i = x; i < end; i++) s->part[i] = w[i] * c->hat_x[m * c->nx + i];
            const double with = product(s->part + x, d + x, end - x);
            for (int64_t o = m; o < c->across && o < m + 2; o++) {
                const int32_t from = high(x, c->reach_x[2 * o]);
                const double both = from < end ? product(s->part + from, c->hat_x + o * c->nx + from, end - from) : 0;
                for (int64_t n = 0; n < c->up; n++) {
                    if (y < c->reach_y[2 * n] || y >= c->reach_y[2 * n + 1]) continue;
                    const double mine = c->hat_y[n * c->ny + y];
                    if (o == m) right[n * c->across + m] += with * mine;
                    for (int64_t q = 0; q < c->up; q++) {
                        if (y < c->reach_y[2 * q] || y >= c->reach_y[2 * q + 1]) continue;
                        const double value = both * mine * c->hat_y[q * c->ny + y];
                        s->node[(n * c->across + m) * nodes + q * c->across + o] += value;
                        if (o != m) s->node[(q * c->across + o) * nodes + n * c->across + m] += value;
                    }
                }
            }
        }
    }
}

static void build(const Crowd *c, const Work *s, const float *data, float *information, float *share)
{
    const int64_t nodes = c->across * c->up;
    memset(s->edge, 0, s->first[c->stars] * sizeof(float));
    for (int64_t k = 0; k < c->stars; k++) {
        double told[3];
        weigh_star(c, k, s->weight, data, s->part, told);
        information[k] = (float)told[0];
        share[k] = (float)told[2];
        const int there = told[0] > 0;
        s->diagonal[k] = there ? told[0] : 1;
        s->right[k] = there ? told[1] : 0;
        for (int64_t pair = c->row[k]; pair < c->row[k + 1]; pair++) s->pair[pair] = there ? overlap(c, k, c->column[pair], s->part) : 0;
        if (there) edges_of(c, k, s->part, s->near + 4 * k, s->edge + s->first[k]);
    }
    nodes_of(c, s, data);
    for (int64_t m = 0; m < nodes; m++) {
        double *own = s->node + m * nodes + m;
        if (!(*own > 0)) *own = 1;
        s->diagonal[c->stars + m] = *own;
    }
}

// out = matrix times v
HOT static void apply(const Crowd *c, const Work *s, const double *v, double *out)
{
    const int64_t nodes = c->across * c->up;
    const double *below = v + c->stars;
    double *out_below = out + c->stars;
    for (int64_t m = 0; m < nodes; m++) {
        double sum = 0;
        for (int64_t n = 0; n < nodes; n++) sum += s->node[m * nodes + n] * below[n];
        out_below[m] = sum;
    }
    for (int64_t k = 0; k < c->stars; k++) out[k] = s->diagonal[k] * v[k];
    for (int64_t k = 0; k < c->stars; k++) {
        const double mine = v[k];
        double sum = 0;
        for (int64_t pair = c->row[k]; pair < c->row[k + 1]; pair++) {
            const int32_t l = c->column[pair];
            sum += s->pair[pair] * v[l];
            out[l] += s->pair[pair] * mine;
        }
        const int32_t *near = s->near + 4 * k;
        const float *edge = s->edge + s->first[k];
        for (int32_t n = near[2]; n < near[3]; n++)
            for (int32_t m = near[0]; m < near[1]; m++) {
                const int64_t at = n * c->across + m;
                sum += *edge * below[at];
                out_below[at] += *edge++ * mine;
            }
        out[k] += sum;
    }
}

// z = what r would be solved by, about: a sweep of Gauss and Seidel through the stars, and back; nodes each alone
HOT static void precondition(const Crowd *c, const Work *s, double *r, double *z)
{
    for (int64_t i = 0; i < unknowns(c); i++) z[i] = r[i];
    for (int64_t k = 0; k < c->stars; k++) {
        const double mine = z[k] / s->diagonal[k];
        for (int64_t pair = c->row[k]; pair < c->row[k + 1]; pair++) z[c->column[pair]] -= s->pair[pair] * mine;
    }
    for (int64_t k = c->stars - 1; k >= 0; k--) {
        double sum = z[k];
        for (int64_t pair = c->row[k]; pair < c->row[k + 1]; pair++) sum -= s->pair[pair] * z[c->column[pair]];
        z[k] = sum / s->diagonal[k];
    }
    for (int64_t i = c->stars; i < unknowns(c); i++) z[i] /= s->diagonal[i];
}

// Conjugate gradients from where x is
HOT static int solve(const Crowd *c, const Work *s)
{
    const int64_t n = unknowns(c);
    double rz = 0;
    int step = 0, calm = 0;
    apply(c, s, s->x, s->q);
    for (int64_t i = 0; i < n; i++) {
        s->r[i] = s->right[i] - s->q[i];
    }
    precondition(c, s, s->r, s->z);
    for (int64_t i = 0; i < n; i++) {
        s->p[i] = s->z[i];
        rz += s->r[i] * s->z[i];
    }
    for (; step < MOST_STEPS && rz > 0 && calm < 3; step++) {
        double bend = 0, next = 0;
        apply(c, s, s->p, s->q);
        for (int64_t i = 0; i < n; i++) bend += s->p[i] * s->q[i];
        if (!(bend > 0)) break;
        const double alpha = rz / bend;
        calm = alpha * rz < SMALL_GAIN ? calm + 1 : 0;
        for (int64_t i = 0; i < n; i++) {
            s->x[i] += alpha * s->p[i];
            s->r[i] -= alpha * s->q[i];
        }
        precondition(c, s, s->r, s->z);
        for (int64_t i = 0; i < n; i++) next += s->r[i] * s->z[i];
        for (int64_t i = 0; i < n; i++) s->p[i] = s->z[i] + next / rz * s->p[i];
        rz = next;
    }
    return step;
}

HOT static void add_star(const Crowd *c, int64_t k, float flux, float *model)
{
    const int32_t *b = c->box + 4 * k;
    for (int32_t j = 0; j < b[3]; j++) {
        const float *p = c->value + c->start[k] + (int64_t)j * b[2];
        float *m = model + (int64_t)(b[1] + j) * c->nx + b[0];
        for (int32_t i = 0; i < b[2]; i += EIGHT) *(EightAnywhere *)(m + i) += flux * *(const EightAnywhere *)(p + i);
    }
}

static void subtract(const Crowd *c, const Work *s, const float *data)
{
    memset(s->model, 0, c->nx * c->ny * sizeof(float));
    for (int64_t k = 0; k < c->stars; k++) add_star(c, k, (float)s->x[k], s->model);
    for (int64_t y = 0; y < c->ny; y++) {
        float *line = s->residual + y * c->nx;
        for (int64_t i = 0; i < c->nx; i++) line[i] = data[y * c->nx + i] - s->model[y * c->nx + i];
        for (int64_t n = 0; n < c->up; n++) {
            if (y < c->reach_y[2 * n] || y >= c->reach_y[2 * n + 1]) continue;
            for (int64_t m = 0; m < c->across; m++) {
                const float level = (float)(s->x[c->stars + n * c->across + m] * c->hat_y[n * c->ny + y]);
                const float *hat = c->hat_x + m * c->nx;
                for (int32_t i = c->reach_x[2 * m]; i < c->reach_x[2 * m + 1]; i++) line[i] -= level * hat[i];
            }
        }
    }
}

static float middle_of(float *v, int64_t n)
{
    int64_t left = 0, right = n - 1;
    const int64_t want = n / 2;
    while (left < right) {
        const float pivot = v[(left + right) / 2];
        int64_t i = left, j = right;
        while (i <= j) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i <= j) {
                const float other = v[i];
                v[i++] = v[j];
                v[j--] = other;
            }
        }
        if (want <= j) right = j;
        else if (want >= i) left = i;
        else break;
    }
    return v[want];
}

// Scatter of the residuals over what the weights say, by the median of some of them
static double scatter_of(const Crowd *c, const Work *s)
{
    const int64_t size = c->nx * c->ny, step = size / SAMPLES + 1;
    int64_t n = 0;
    for (int64_t i = 0; i < size; i += step)
        if (s->weight[i] > 0) s->sample[n++] = fabsf(s->residual[i]) * sqrtf(s->weight[i]);
    return n ? c->of_mad * middle_of(s->sample, n) : 0;
}

static void leave_out(const Work *s, int64_t i, int64_t *gone)
{
    if (*gone < MOST_GONE) {
        s->gone[*gone] = (int32_t)i;
        s->weighed[*gone] = s->weight[i];
    }
    s->weight[i] = 0;
    ++*gone;
}

// Whether a voxel stands out about as far as any near it: what was hit pulls the fit, and others with it, which are looked
// at again without it
static int stands_out(const Crowd *c, const float *height, int64_t x, int64_t y)
{
    const float own = height[y * c->nx + x];
    for (int64_t v = y > AROUND ? y - AROUND : 0; v <= y + AROUND && v < c->ny; v++)
        for (int64_t u = x > AROUND ? x - AROUND : 0; u <= x + AROUND && u < c->nx; u++)
            if (height[v * c->nx + u] > 2 * own) return 0;
    return 1;
}

// Leave out what no profile explains, and neighbours that stand out with it; returns how many were found, gone: with neighbours
static int64_t reject(const Crowd *c, const Work *s, double scatter, int64_t *gone)
{
    const float least = (float)(c->clip * scatter), beside = (float)(SPREAD_OUT * scatter), share = (float)c->tolerance;
    float *height = s->part; // residuals over the errors
    for (int64_t i = 0; i < c->nx * c->ny; i++) height[i] = fabsf(s->residual[i]) * sqrtf(s->weight[i]);
    int64_t found = 0;
    for (int64_t y = 0; y < c->ny; y++)
        for (int64_t x = 0; x < c->nx; x++) {
            const int64_t i = y * c->nx + x;
            if (!(s->weight[i] > 0) || height[i] <= least) continue;
            if (fabsf(s->residual[i]) <= share * fabsf(s->model[i])) continue;
            if (!stands_out(c, height, x, y)) continue;
            found++;
            leave_out(s, i, gone);
            for (int64_t v = y > 0 ? y - 1 : 0; v <= y + 1 && v < c->ny; v++)
                for (int64_t u = x > 0 ? x - 1 : 0; u <= x + 1 && u < c->nx; u++) {
                    const int64_t o = v * c->nx + u;
                    const float r = s->residual[o];
                    if (s->weight[o] > 0 && r * s->residual[i] > 0 && fabsf(r) > share * fabsf(s->model[o])
                        && height[o] > beside)
                        leave_out(s, o, gone);
                }
        }
    return found;
}

static int64_t pair_of(const Crowd *c, int64_t k, int32_t l)
{
    int64_t first = c->row[k], end = c->row[k + 1];
    while (first < end) {
        const int64_t middle = (first + end) / 2;
        if (c->column[middle] < l) first = middle + 1;
        else end = middle;
    }
    return first < c->row[k + 1] && c->column[first] == l ? first : -1;
}

// Take a voxel out of the equations that were built with it
static void take_out(const Crowd *c, const Work *s, int32_t i, float weight, float value, float *information, int32_t *who, float *profile)
{
    const int32_t x = (int32_t)(i % c->nx), y = (int32_t)(i / c->nx);
    const int64_t nodes = c->across * c->up;
    int64_t n = 0;
    for (int64_t k = 0; k < c->stars; k++) {
        const int32_t *b = c->box + 4 * k;
        if (x < b[0] || y < b[1] || x >= b[0] + b[2] || y >= b[1] + b[3]) continue;
        const float p = c->value[c->start[k] + (int64_t)(y - b[1]) * b[2] + x - b[0]];
        if (p == 0 || !(information[k] > 0)) continue;
        who[n] = (int32_t)k;
        profile[n++] = p;
    }
    for (int64_t a = 0; a < n; a++) {
        const int32_t k = who[a];
        const float heavy = weight * profile[a];
        const double own = s->diagonal[k] - (double)heavy * profile[a];
        s->diagonal[k] = own > 1e-4 * s->diagonal[k] ? own : 1e-4 * s->diagonal[k];
        information[k] = (float)s->diagonal[k];
        s->right[k] -= (double)heavy * value;
        for (int64_t b = a + 1; b < n; b++) {
            const int64_t pair = pair_of(c, k, who[b]);
            if (pair >= 0) s->pair[pair] -= heavy * profile[b];
        }
        const int32_t *near = s->near + 4 * k;
        for (int32_t q = near[2]; q < near[3]; q++)
            for (int32_t m = near[0]; m < near[1]; m++)
                s->edge[s->first[k] + (int64_t)(q - near[2]) * (near[1] - near[0]) + m - near[0]]
                    -= heavy * c->hat_x[m * c->nx + x] * c->hat_y[q * c->ny + y];
    }
    for (int64_t q = 0; q < c->up; q++)
        for (int64_t m = 0; m < c->across; m++) {
            const double hat = (double)c->hat_x[m * c->nx + x] * c->hat_y[q * c->ny + y];
            if (hat == 0) continue;
            s->right[c->stars + q * c->across + m] -= weight * hat * value;
            for (int64_t r = 0; r < c->up; r++)
                for (int64_t o = 0; o < c->across; o++)
                    s->node[(q * c->across + m) * nodes + r * c->across + o]
                        -= weight * hat * c->hat_x[o * c->nx + x] * c->hat_y[r * c->ny + y];
            double *own = s->node + (q * c->across + m) * (nodes + 1);
            if (!(*own > 0)) *own = 1;
            s->diagonal[c->stars + q * c->across + m] = *own;
        }
}

// Mean square of the residuals of each star's core over what the weights say, and the share of the core that has none
static void cores(const Crowd *c, const Work *s, float *chi2, float *missing)
{
    for (int64_t k = 0; k < c->stars; k++) {
        const int32_t *b = c->box + 4 * k, *core = c->core + 4 * k;
        double sum = 0;
        int32_t good = 0, all = 0;
        for (int32_t y = core[1]; y < core[1] + core[3]; y++)
            for (int32_t x = core[0]; x < core[0] + core[2]; x++) {
                if (c->value[c->start[k] + (int64_t)(y - b[1]) * b[2] + x - b[0]] <= c->least[k]) continue;
                const int64_t i = y * c->nx + x;
                all++;
                if (!(s->weight[i] > 0)) continue;
                good++;
                sum += (double)s->residual[i] * s->residual[i] * s->weight[i];
            }
        chi2[k] = good ? (float)(sum / good) : NAN;
        missing[k] = all ? 1 - (float)good / all : 1;
    }
}

typedef struct {
    const Crowd *c;
    int64_t planes;
    float *data;                       // in, NaN where there is none; out, where asked for, the residuals
    const double *level;               // two of each plane: see base and light
    float *flux, *information, *share, *chi2, *missing; // (planes, stars)
    float *ground;                     // (planes, nodes)
    double *scatter;                   // (planes,)
    int32_t *rejected, *steps;         // (planes,)
    int residuals, failed;
} Planes;

static void *room(size_t bytes) { return calloc(1, bytes + 64); }

static int open_work(const Crowd *c, Work *s)
{
    const int64_t nodes = c->across * c->up, n = unknowns(c), size = c->nx * c->ny;
    memset(s, 0, sizeof *s);
    s->first = room((c->stars + 1) * sizeof(int64_t));
    s->near = room(4 * c->stars * sizeof(int32_t));
    if (!s->first || !s->near) return 0;
    for (int64_t k = 0; k < c->stars; k++) {
        const int32_t *b = c->box + 4 * k;
        int32_t *near = s->near + 4 * k;
        for (int axis = 0; axis < 2; axis++) {
            const int32_t *reach = axis ? c->reach_y : c->reach_x, nodes_here = (int32_t)(axis ? c->up : c->across);
            int32_t first = 0, end = nodes_here;
            while (first < end && reach[2 * first + 1] <= b[axis]) first++;
            while (end > first && reach[2 * end - 2] >= b[axis] + b[2 + axis]) end--;
            near[2 * axis] = first;
            near[2 * axis + 1] = end;
        }
        s->first[k + 1] = s->first[k] + (int64_t)(near[1] - near[0]) * (near[3] - near[2]);
    }
    s->gone = room(MOST_GONE * sizeof(int32_t));
    s->weighed = room(MOST_GONE * sizeof(float));
    s->weight = room(size * sizeof(float));
    s->part = room(size * sizeof(float));
    s->model = room(size * sizeof(float));
    s->residual = room(size * sizeof(float));
    s->sample = room((2 * SAMPLES + 1) * sizeof(float));
    s->pair = room(c->row[c->stars] * sizeof(float));
    s->edge = room(s->first[c->stars] * sizeof(float));
    s->node = room(nodes * nodes * sizeof(double));
    double **vectors[] = {&s->diagonal, &s->right, &s->x, &s->r, &s->z, &s->p, &s->q};
    for (int v = 0; v < 7; v++)
        if (!(*vectors[v] = room(n * sizeof(double)))) return 0;
    return s->gone && s->weighed && s->weight && s->part && s->model && s->residual && s->sample && s->pair && s->edge && s->node;
}

static void close_work(Work *s)
{
    void *all[] = {s->first, s->near, s->gone, s->weighed, s->weight, s->part, s->model, s->residual, s->sample, s->pair, s->edge, s->node,
                   s->diagonal, s->right, s->x, s->r, s->z, s->p, s->q};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void one_plane(const Planes *f, const Work *s, int64_t k)
{
    const Crowd *c = f->c;
    const int64_t size = c->nx * c->ny, nodes = c->across * c->up;
    float *data = f->data + k * size;
    const float by_base = (float)f->level[2 * k], by_light = (float)f->level[2 * k + 1];
    for (int64_t i = 0; i < size; i++) {
        const float variance = by_base * c->base[i] + by_light * c->light[i];
        const int good = isfinite(data[i]) && variance > 0 && isfinite(variance);
        s->weight[i] = good ? 1 / variance : 0;
        if (!good) data[i] = 0;
    }
    int64_t round = 0, left_out = 0;
    f->steps[k] = 0;
    float *information = f->information + k * c->stars;
    build(c, s, data, information, f->share + k * c->stars);
    for (;; round++) {
        int64_t gone = 0;
        f->steps[k] += solve(c, s);
        subtract(c, s, data);
        f->scatter[k] = scatter_of(c, s);
        const int64_t found = round < c->rounds ? reject(c, s, f->scatter[k], &gone) : 0;
        left_out += found;
        if (!found) break;
        if (gone > MOST_GONE) build(c, s, data, information, f->share + k * c->stars);
        else
            for (int64_t i = 0; i < gone; i++) // the solution's vectors are free now
                take_out(c, s, s->gone[i], s->weighed[i], data[s->gone[i]], information, (int32_t *)s->z, s->part);
    }
    f->rejected[k] = (int32_t)left_out;
    cores(c, s, f->chi2 + k * c->stars, f->missing + k * c->stars);
    for (int64_t i = 0; i < c->stars; i++) f->flux[k * c->stars + i] = f->information[k * c->stars + i] > 0 ? (float)s->x[i] : NAN;
    for (int64_t i = 0; i < nodes; i++) f->ground[k * nodes + i] = (float)s->x[c->stars + i];
    if (f->residuals)
        for (int64_t i = 0; i < size; i++) data[i] = s->weight[i] > 0 ? s->residual[i] : NAN;
}

static void share_planes(void *argument, int thread, int threads)
{
    Planes *f = argument;
    Work work;
    if (open_work(f->c, &work))
        for (int64_t k = f->planes * thread / threads; k < f->planes * (thread + 1) / threads; k++) one_plane(f, &work, k);
    else
        f->failed = 1;
    close_work(&work);
}

// 0 where memory was short
int crowd_planes(const Crowd *c, int64_t planes, float *data, const double *level, int residuals, int threads, float *flux,
                 float *information, float *share, float *chi2, float *missing, float *ground, double *scatter,
                 int32_t *rejected, int32_t *steps)
{
    Planes f = {c, planes, data, level, flux, information, share, chi2, missing, ground, scatter, rejected, steps, residuals, 0};
    run_threads(share_planes, &f, threads < 1 ? 1 : threads > MAXTHREADS ? MAXTHREADS : threads);
    return !f.failed;
}

// Profiles of total light 1: an elliptical Moffat, integrated over a pixel to second order, and a correction of its core by
// elliptical radius, linear between the values of a table; 0 beyond each star's reach.
typedef struct {
    int64_t stars;
    const double *x, *y, *reach, *moffat, *table;
    double step, norm;
    int64_t values;
    const int32_t *box;
    const int64_t *start;
    float *value;
} Profiles;

static void share_profiles(void *argument, int thread, int threads)
{
    const Profiles *p = argument;
    const float a = (float)p->moffat[0], b = (float)p->moffat[1], d = (float)p->moffat[2], beta = (float)p->moffat[3];
    const float norm = (float)p->norm, trace = 2 * (a + d), inverse_step = (float)(1 / p->step), last = (float)(p->values - 1);
    for (int64_t k = thread; k < p->stars; k += threads) {
        const int32_t *r = p->box + 4 * k;
        const float reach2 = (float)(p->reach[k] * p->reach[k]);
        for (int32_t j = 0; j < r[3]; j++)
            for (int32_t i = 0; i < r[2]; i++) {
                const float u = (float)(r[0] + i - p->x[k]), v = (float)(r[1] + j - p->y[k]);
                float *to = p->value + p->start[k] + (int64_t)j * r[2] + i;
                *to = 0;
                if (u * u + v * v > reach2) continue;
                const float tu = 2 * (a * u + b * v), tv = 2 * (b * u + d * v), square = .5f * (u * tu + v * tv);
                const float inverse = 1 / (1 + square), f = expf(-beta * log1pf(square)), h = beta * f * inverse;
                float shape = f + ((beta + 1) * inverse * (tu * tu + tv * tv) - trace) * h * (1.f / 24);
                const float at = sqrtf(square) * inverse_step;
                if (at < last) {
                    const int n = (int)at;
                    shape += (float)(p->table[n] + (at - n) * (p->table[n + 1] - p->table[n]));
                }
                *to = norm * shape;
            }
    }
}

void crowd_profiles(int64_t stars, const double *x, const double *y, const double *reach, const double *moffat,
                    const double *table, int64_t values, double step, double norm, const int32_t *box,
                    const int64_t *start, int threads, float *value)
{
    Profiles p = {stars, x, y, reach, moffat, table, step, norm, values, box, start, value};
    run_threads(share_profiles, &p, threads < 1 ? 1 : threads > MAXTHREADS ? MAXTHREADS : threads);
}

// Light of stars of these fluxes, added to an image
void crowd_add(const Crowd *c, const double *flux, float *image)
{
    for (int64_t k = 0; k < c->stars; k++)
        if (flux[k] != 0) add_star(c, k, (float)flux[k], image);
}
