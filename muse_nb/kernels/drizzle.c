// Drizzle: every row goes to the 2 x 2 x 2 voxels around it, weighted by the overlap of its drop with each of them.
#include "stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRIPES 16                      // even, then odd ones: no two threads share a voxel, whatever their number

#define DROPS 64                        // rows that are made ready together

typedef struct {
    const Grid *grid;
    const Ring *ring;
    const float *weight;                // of the exposures
    int exposures, same_weight, z, odd, stripes;
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

INLINE Four square(const double *at, int64_t width) {
    Two first, second;
    memcpy(&first, at, sizeof first);
    memcpy(&second, at + width, sizeof second);
    return (Four){first[0], first[1], second[0], second[1]};
}

// A row ready to be added: what the processor can work out for many rows at once, before the sums have to wait for each other.
typedef struct {
    double sky[4];                      // overlaps with the 2 x 2 cells
    double depth[2];                    // overlaps with the two planes, times the weight of the exposure
    float data, stat;
    int32_t corner, plane;              // the lower of the cells; the lower of the planes, 0 or 1 in `sum`
} Drop;

typedef struct { double drop_x, drop_y, drop_z, reach_x, reach_y, reach_z, planes[3]; int64_t width, step_x, step_y; } Sizes;

INLINE void prepare(const Drizzle *d, const Sizes *s, const Row *r, float data, double weight, int64_t here, Drop *to, int vectors) {
    const Grid *g = d->grid;
    const double *sky_ra = d->ring->sky[0], *sky_dec = d->ring->sky[1], *sky_cos = d->ring->sky[2];
    const double ra = r->ra + g->ra, dec = r->dec + g->dec, lambda = r->lambda;
    const int64_t west = ra > sky_ra[here], south = dec < sky_dec[here];
    const int lower = lambda < s->planes[1];
    const int64_t corner = here - (west ? s->step_x : 0) - (south ? s->step_y : 0);
    const Four d_ra = square(sky_ra + corner, s->width) - ra, d_dec = square(sky_dec + corner, s->width) - dec;
    const Four sky = overlap_four(s->reach_x, d_ra * square(sky_cos + corner, s->width), s->drop_x, vectors)
                     * overlap_four(s->reach_y, d_dec, s->drop_y, vectors);
    memcpy(to->sky, &sky, sizeof sky);
    for (int j = 0; j < 2; j++)
        to->depth[j] = overlap(s->reach_z, s->planes[1 - lower + j] - lambda, s->drop_z) * weight;
    to->data = data, to->stat = r->stat;
    to->corner = (int32_t)corner, to->plane = 1 - lower;
}

// The 2 x 2 x 2 voxels get a row: sums of weight, weight x data and weight^2 x variance.
INLINE void add(const Drop *drop, double *const *sum, int64_t width, int vectors) {
    const Four linear = {1, drop->data, 0, 0}, quadratic = {0, 0, drop->stat, 0};
    for (int j = 0; j < 2; j++) {
        double *plane = sum[drop->plane + j] + 4 * (int64_t)drop->corner;
        for (int i = 0; i < 4; i++) {
            double *to = plane + (i & 1) * 4 + (i >> 1) * 4 * width, weight = drop->sky[i] * drop->depth[j];
            if (!vectors) {
                to[0] += weight;
                to[1] += weight * linear[1];
                to[2] += weight * (weight * quadratic[2]);
                continue;
            }
            Four w = {weight, weight, weight, weight}, total;
            memcpy(&total, to, sizeof total);
            total += w * (linear + w * quadratic);
            memcpy(to, &total, sizeof total);
        }
    }
}

INLINE int64_t drizzle_row_body(const Drizzle *d, int slow_index, int vectors) {
    const Grid *g = d->grid;
    const Ring *ring = d->ring;
    const Plane *plane = ring->plane + d->z % ring->nplane;
    const int fast = g->swap ? g->ny : g->nx;
    const int64_t width = fast + 2;
    Sizes sizes = {.drop_x = g->drop_ra * g->step, .drop_y = g->drop_dec * g->step, .drop_z = g->drop_lambda * g->lambda_step,
                   .width = width, .step_x = g->swap ? width : 1, .step_y = g->swap ? 1 : width};
    sizes.reach_x = .5 * (sizes.drop_x + g->step), sizes.reach_y = .5 * (sizes.drop_y + g->step);
    sizes.reach_z = .5 * (sizes.drop_z + g->lambda_step);
    for (int i = 0; i < 3; i++) sizes.planes[i] = (d->z + i - 1) * g->lambda_step + g->lambda_min;
    const double volume = 1 / (sizes.drop_x * sizes.drop_y * sizes.drop_z), same_weight = d->weight[0] * volume;
    double *const sum[3] = {ring->sum[(d->z + 2) % 3], ring->sum[d->z % 3], ring->sum[(d->z + 1) % 3]};
    Drop drops[DROPS];
    int ready = 0;
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
            const uint32_t thread = order >> 25, number = order & 0x1ffffff;
            const double weight = d->same_weight ? same_weight : d->weight[plane->key[thread][number].cell - base] * volume;
            prepare(d, &sizes, plane->row[thread] + number, plane->value[k], weight, here, drops + ready++, vectors);
            if (ready == DROPS)
                for (int i = ready = 0; i < DROPS; i++) add(drops + i, sum, width, vectors);
        }
    }
    for (int i = 0; i < ready; i++) add(drops + i, sum, width, vectors);
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
    Drizzle d = {.grid = grid, .ring = ring, .weight = weight, .exposures = exposures, .same_weight = 1, .z = z};
    for (int i = 0; i < exposures; i++) {
        weight[i] = exposure[i].weight;
        d.same_weight &= weight[i] == weight[0];
    }
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
