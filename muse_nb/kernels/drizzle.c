// Drizzle: every row goes to the 2 x 2 x 2 voxels around it, weighted by the overlap of its drop with each of them.
#include "stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRIPES 16                      // even, then odd ones: no two threads share a voxel, whatever their number

typedef struct { const Grid *grid; Ring *ring; const Exposure *exposure; int exposures, z, odd, stripes; int64_t flagged[MAXTHREADS]; } Drizzle;

static inline double overlap(double reach, double distance, double drop) {
    double x = reach - fabs(distance);
    return x < 0 ? 0 : x > drop ? drop : x;
}

HOT static int64_t drizzle_row(const Drizzle *d, int slow_index) {
    const Grid *g = d->grid;
    Ring *ring = d->ring;
    const Plane *plane = ring->plane + d->z % ring->nplane;
    const int fast = g->swap ? g->ny : g->nx;
    const int64_t width = fast + 2;
    const double drop = g->drop_sky * g->step, drop_z = g->drop_lambda * g->lambda_step;
    const double reach = .5 * (drop + g->step), reach_z = .5 * (drop_z + g->lambda_step), volume = 1 / (drop * drop * drop_z);
    const double lambda = d->z * g->lambda_step + g->lambda_min;
    int64_t flagged = 0;
    for (int f = 0; f < fast; f++) {
        const int64_t cell = (int64_t)slow_index * fast + f, here = (slow_index + 1) * width + f + 1;
        const double *centre = ring->sky + 3 * here;
        for (uint32_t k = plane->start[cell]; k < plane->start[cell + 1]; k++) {
            uint32_t order = plane->order[k];
            if (order & REJECTED) {
                flagged++;
                continue;
            }
            const Row *r = plane->row[order >> 25] + (order & 0x1ffffff);
            const double ra = r->ra + g->ra, dec = r->dec + g->dec, l = r->lambda;
            const double weight = d->exposure[r->cell - (uint32_t)cell * d->exposures].weight * volume;
            const int x = -(ra > centre[0]), y = -(dec < centre[1]), z = -(l < lambda);     // lower corner of the 2 x 2 x 2
            const int64_t corner = here + (g->swap ? x : y) * width + (g->swap ? y : x);
            const double base = (d->z + z) * g->lambda_step + g->lambda_min;
            const double wz[2] = {overlap(reach_z, base - l, drop_z) * weight, overlap(reach_z, base + g->lambda_step - l, drop_z) * weight};
            const int64_t voxel[4] = {corner, corner + 1, corner + width, corner + width + 1};
            double sky[4];
            for (int i = 0; i < 4; i++) {
                const double *s = ring->sky + 3 * voxel[i];
                sky[i] = overlap(reach, (s[0] - ra) * s[2], drop) * overlap(reach, s[1] - dec, drop);
            }
            const double data = r->data, stat = r->stat;
            for (int j = 0; j < 2; j++) {
                double *sum = ring->sum[(d->z + z + j + 3) % 3];
                for (int i = 0; i < 4; i++) {
                    double w = sky[i] * wz[j], *to = sum + 4 * voxel[i];
                    to[0] += w;
                    to[1] += w * data;
                    to[2] += w * w * stat;
                }
            }
        }
    }
    return flagged;
}

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
    Drizzle d = {.grid = grid, .ring = ring, .exposure = exposure, .exposures = exposures, .z = z, .stripes = slow >= 2 * STRIPES ? STRIPES : 2};
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
