// Drizzle: every row goes to the 2 x 2 x 2 voxels around it, weighted by the overlap of its drop with each of them.
#include "stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRIPES 16                      // even, then odd ones: no two threads share a voxel, whatever their number

#define AHEAD 16                        // rows are fetched this much before they are used

typedef struct {
    const Grid *grid;
    const Ring *ring;
    const float *weight;                // of the exposures
    int exposures, z, odd, stripes;
    int64_t flagged[MAXTHREADS];
} Drizzle;

INLINE double overlap(double reach, double distance, double drop) {
    double x = reach - fabs(distance);
    x = x > 0 ? x : 0;
    return x < drop ? x : drop;
}

INLINE Four overlap_four(double reach, Four distance, double drop, int vectors) {
    if (!vectors) {
        for (int i = 0; i < 4; i++) distance[i] = overlap(reach, distance[i], drop);
        return distance;
    }
    typedef int64_t Bits __attribute__((vector_size(32)));
    const Bits magnitude = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    Four x = reach - (Four)((Bits)distance & magnitude);
    x = (Four)((Bits)x & (x > 0));
    Four excess = x - drop;
    return x - (Four)((Bits)excess & (excess > 0));
}

INLINE Four square(const double *at, int64_t width) { return (Four){at[0], at[1], at[width], at[width + 1]}; }

// A voxel gets a row: sums of weight, weight x data and weight^2 x variance.
INLINE void add(double *to, double weight, Four linear, Four quadratic, int vectors) {
    if (!vectors) {
        to[0] += weight;
        to[1] += weight * linear[1];
        to[2] += weight * (weight * quadratic[2]);
        return;
    }
    Four w = {weight, weight, weight, weight}, sum;
    memcpy(&sum, to, sizeof sum);
    sum += w * (linear + w * quadratic);
    memcpy(to, &sum, sizeof sum);
}

INLINE int64_t drizzle_row_body(const Drizzle *d, int slow_index, int vectors) {
    const Grid *g = d->grid;
    const Ring *ring = d->ring;
    const Plane *plane = ring->plane + d->z % ring->nplane;
    const int fast = g->swap ? g->ny : g->nx;
    const int64_t width = fast + 2, step_x = g->swap ? width : 1, step_y = g->swap ? 1 : width;
    const double *sky_ra = ring->sky[0], *sky_dec = ring->sky[1], *sky_cos = ring->sky[2];
    const double drop_x = g->drop_ra * g->step, drop_y = g->drop_dec * g->step, drop_z = g->drop_lambda * g->lambda_step;
    const double reach_x = .5 * (drop_x + g->step), reach_y = .5 * (drop_y + g->step), reach_z = .5 * (drop_z + g->lambda_step);
    const double volume = 1 / (drop_x * drop_y * drop_z);
    const double lambda = d->z * g->lambda_step + g->lambda_min;
    int64_t flagged = 0;
    for (int f = 0; f < fast; f++) {
        const int64_t cell = (int64_t)slow_index * fast + f, here = (slow_index + 1) * width + f + 1;
        const uint32_t base = (uint32_t)cell * (uint32_t)d->exposures;
        for (uint32_t k = plane->start[cell]; k < plane->start[cell + 1]; k++) {
            const uint32_t order = plane->order[k], ahead = plane->order[k + AHEAD] & ~REJECTED;
            __builtin_prefetch(plane->row[ahead >> 25] + (ahead & 0x1ffffff));
            if (order & REJECTED) {
                flagged++;
                continue;
            }
            const Row *r = plane->row[order >> 25] + (order & 0x1ffffff);
            const double ra = r->ra + g->ra, dec = r->dec + g->dec, l = r->lambda;
            const double weight = d->weight[r->cell - base] * volume;
            const int x = -(ra > sky_ra[here]), y = -(dec < sky_dec[here]), z = -(l < lambda);     // lower corner of the 2 x 2 x 2
            const int64_t corner = here + x * step_x + y * step_y;
            const double near = (d->z + z) * g->lambda_step + g->lambda_min;
            const Four d_ra = square(sky_ra + corner, width) - ra, d_dec = square(sky_dec + corner, width) - dec;
            const Four sky = overlap_four(reach_x, d_ra * square(sky_cos + corner, width), drop_x, vectors)
                             * overlap_four(reach_y, d_dec, drop_y, vectors);
            const Four linear = {1, r->data, 0, 0}, quadratic = {0, 0, r->stat, 0};
            for (int j = 0; j < 2; j++) {
                const Four w = sky * (overlap(reach_z, near + j * g->lambda_step - l, drop_z) * weight);
                double *to = ring->sum[(d->z + z + j + 3) % 3] + 4 * corner;
                add(to, w[0], linear, quadratic, vectors);
                add(to + 4, w[1], linear, quadratic, vectors);
                add(to + 4 * width, w[2], linear, quadratic, vectors);
                add(to + 4 * width + 4, w[3], linear, quadratic, vectors);
            }
        }
    }
    return flagged;
}
TWICE(int64_t, drizzle_row, (const Drizzle *d, int slow_index), d, slow_index)

static void drizzle_share(void *argument, int thread, int threads) {
    Drizzle *d = argument;
    int slow = d->grid->swap ? d->grid->nx : d->grid->ny, number = 0;
    for (int stripe = d->odd; stripe < d->stripes; stripe += 2, number++) {
        if (number % threads != thread) continue;
        for (int s = slow * stripe / d->stripes; s < slow * (stripe + 1) / d->stripes; s++) d->flagged[thread] += drizzle_row(d, s);
    }
}

// Add the rows of plane z to the sums of planes z - 1, z and z + 1. tally: rows of the plane, of these rejected as cosmic
// rays, and for each exposure the rows that were left out because they are not finite.
void stream_drizzle(const Grid *grid, Ring *ring, const Exposure *exposure, int exposures, int z, int64_t *tally) {
    int slow = grid->swap ? grid->nx : grid->ny;
    float weight[exposures];
    for (int i = 0; i < exposures; i++) weight[i] = exposure[i].weight;
    Drizzle d = {.grid = grid, .ring = ring, .weight = weight, .exposures = exposures, .z = z};
    d.stripes = slow >= 2 * STRIPES ? STRIPES : 2;
    for (d.odd = 0; d.odd < 2; d.odd++) run_threads(drizzle_share, &d, slow >= 2 * STRIPES ? ring->threads : 1);
    const Plane *plane = ring->plane + z % ring->nplane;
    tally[0] = plane->total;
    tally[1] = 0;
    for (int t = 0; t < ring->threads; t++) tally[1] += d.flagged[t];
    memcpy(tally + 2, plane->bad, exposures * sizeof *tally);
}

// Values of plane z, which no further row can reach, as (y, x) arrays; NaN where no row fell. Its sums are set to zero.
void stream_finish(const Grid *grid, Ring *ring, int z, float *data, float *stat) {
    const int fast = grid->swap ? grid->ny : grid->nx, slow = grid->swap ? grid->nx : grid->ny;
    double *sum = ring->sum[(z + 3) % 3];
    for (int s = 0; z >= 0 && s < slow; s++) {
        const double *from = sum + 4 * ((int64_t)(s + 1) * (fast + 2) + 1);
        for (int f = 0; f < fast; f++, from += 4) {
            int64_t to = grid->swap ? (int64_t)f * slow + s : (int64_t)s * fast + f;
            int reached = from[0] > 2.3e-308;
            data[to] = reached ? (float)(from[1] / from[0]) : NAN;
            stat[to] = reached ? (float)(from[2] / (from[0] * from[0])) : NAN;
        }
    }
    memset(sum, 0, (int64_t)(fast + 2) * (slow + 2) * 4 * sizeof *sum);
}
