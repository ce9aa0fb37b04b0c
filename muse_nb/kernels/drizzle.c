// Drizzle: every row goes to the 2 x 2 x 2 voxels around it, weighted by the overlap of its drop with each of them.
#include "drop.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRIPES 16                      // even, then odd ones: no two threads share a voxel, whatever their number

#define DROPS 64                        // rows that are made ready together
#define APART 16                        // rows added one after the other are so far apart: none waits for the voxels of the last

typedef struct {
    const Grid *grid;
    const Ring *ring;
    float *weight;                      // of a drop of each exposure
    int z, odd, stripes;
    int64_t flagged[MAXTHREADS];
} Drizzle;

// The drops of rows, column by column, so that the processor can work on several at once.
typedef struct { float sky[4][DROPS], depth[2][DROPS]; int32_t corner[DROPS], lower[DROPS]; } Drops;

// Rows in the order of their cells; `cell` counts with the border, weight is 0 where a row is rejected.
typedef struct { const Row *row; const float *value; float weight[DROPS]; int32_t cell[DROPS]; } Batch;

INLINE void prepare_body(int swap, int width, const Sizes *s, const Slopes *slopes, int line, const Batch *rows, int n, Drops *to,
                         int vectors) {
    (void)vectors;
    for (int i = 0; i < n; i++) {
        const Drop drop = drop_of(swap, width, s, slopes, line, rows->cell[i], rows->row[i]);
        for (int k = 0; k < 4; k++) to->sky[k][i] = drop.sky[k];
        for (int k = 0; k < 2; k++) to->depth[k][i] = drop.depth[k] * rows->weight[i];
        to->corner[i] = drop.corner;
        to->lower[i] = drop.lower;
    }
}
THRICE(void, prepare,
      (int swap, int width, const Sizes *s, const Slopes *slopes, int line, const Batch *rows, int n, Drops *to),
      swap, width, s, slopes, line, rows, n, to)

// The voxels get their rows: sums of weight, weight x data and weight^2 x variance, two neighbours at a time.
INLINE void add_body(const Batch *rows, const Drops *drops, int n, float *const *sum, int64_t width, int vectors) {
    for (int first = 0; first < APART; first++) {
        for (int k = first; k < n; k += APART) {
            const float data = rows->value[k], stat = rows->row[k].stat;
            const Pair linear = {1, data, 0, 0, 1, data, 0, 0}, quadratic = {0, 0, stat, 0, 0, 0, stat, 0};
            for (int j = 0; j < 4; j++) {
                const float depth = drops->depth[j / 2][k], a = drops->sky[j % 2 * 2][k] * depth, b = drops->sky[j % 2 * 2 + 1][k] * depth;
                float *to = sum[1 - drops->lower[k] + j / 2] + 4 * (drops->corner[k] + j % 2 * width);
                if (!vectors) {
                    to[0] += a, to[1] += a * data, to[2] += a * (a * stat);
                    to[4] += b, to[5] += b * data, to[6] += b * (b * stat);
                    continue;
                }
                const Pair weight = {a, a, a, a, b, b, b, b};
                Pair total;
                memcpy(&total, to, sizeof total);
                total += weight * (linear + weight * quadratic);
                memcpy(to, &total, sizeof total);
            }
        }
    }
}
THRICE(void, add, (const Batch *rows, const Drops *drops, int n, float *const *sum, int64_t width), rows, drops, n, sum, width)

static int64_t drizzle_row(const Drizzle *d, int slow_index) {
    const Grid *g = d->grid;
    const Ring *ring = d->ring;
    const Plane *plane = plane_at(ring, d->z);
    const int fast = g->swap ? g->ny : g->nx;
    const int64_t width = fast + 2, line = (slow_index + 1) * width + 1;
    const Sizes sizes = sizes_of(g, d->z);
    float *const sum[3] = {ring->sum[(d->z + 2) % 3], ring->sum[d->z % 3], ring->sum[(d->z + 1) % 3]};
    const uint32_t *start = plane->start + (int64_t)slow_index * fast;
    Batch batch;
    Drops drops;
    int64_t flagged = 0;
    for (uint32_t k = start[0], f = 0; k < start[fast]; k += DROPS) {
        const int n = start[fast] - k < DROPS ? (int)(start[fast] - k) : DROPS;
        const uint16_t *tag = plane->tag + k;
        batch.row = plane->row + k;
        batch.value = plane->value + k;
        for (int i = 0; i < n; i++) {
            while (k + i >= start[f + 1]) f++;
            batch.cell[i] = (int32_t)(line + f);
            batch.weight[i] = tag[i] & REJECTED ? 0 : d->weight[tag[i] & EXPOSURE];
            flagged += tag[i] / REJECTED;
        }
        prepare(g->swap, (int)width, &sizes, ring->slopes + slow_index, (int)line, &batch, n, &drops);
        add(&batch, &drops, n, sum, width);
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
void stream_drizzle(const Grid *grid, Ring *ring, const Exposure *exposure, int z, int64_t *tally) {
    const int slow = grid->swap ? grid->nx : grid->ny, exposures = ring->exposures;
    float weight[exposures];
    for (int i = 0; i < exposures; i++)
        weight[i] = (float)(exposure[i].weight / (grid->drop_ra * grid->drop_dec * grid->drop_lambda));
    Drizzle d = {.grid = grid, .ring = ring, .weight = weight, .z = z, .stripes = slow >= 2 * STRIPES ? STRIPES : 2};
    for (d.odd = 0; d.odd < 2; d.odd++) run_threads(drizzle_share, &d, slow >= 2 * STRIPES ? ring->threads : 1);
    const Plane *plane = plane_at(ring, z);
    tally[0] = plane->total;
    tally[1] = 0;
    for (int t = 0; t < ring->threads; t++) tally[1] += d.flagged[t];
    memcpy(tally + 2, plane->bad, exposures * sizeof *tally);
}

// Values of plane z, which no further row can reach, as (y, x) arrays; NaN where no row fell. Its sums are set to zero.
void stream_finish(const Grid *grid, Ring *ring, int z, float *data, float *stat) {
    const int fast = grid->swap ? grid->ny : grid->nx, slow = grid->swap ? grid->nx : grid->ny;
    float *sum = ring->sum[(z + 3) % 3];
    for (int s = 0; z >= 0 && s < slow; s++) {
        const float *from = sum + 4 * ((int64_t)(s + 1) * (fast + 2) + 1);
        for (int f = 0; f < fast; f++, from += 4) {
            int64_t to = grid->swap ? (int64_t)f * slow + s : (int64_t)s * fast + f;
            const double weight = from[0];
            int reached = weight > 0;
            data[to] = reached ? (float)(from[1] / weight) : NAN;
            stat[to] = reached ? (float)(from[2] / (weight * weight)) : NAN;
        }
    }
    memset(sum, 0, (int64_t)(fast + 2) * (slow + 2) * 4 * sizeof *sum);
}
