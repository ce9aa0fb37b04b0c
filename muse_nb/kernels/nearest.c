// Nearest: a voxel takes the row of its own cell that lies closest to its centre. The recipe means the same, but has a sign
// slip in the distance.
#include "stream.h"
#include <math.h>
#include <string.h>

typedef struct {
    const Grid *grid;
    const Ring *ring;
    int z;
    float *data, *stat;
    int64_t flagged[MAXTHREADS];
} Nearest;

static void nearest_share(void *argument, int thread, int threads) {
    Nearest *job = argument;
    const Grid *g = job->grid;
    const Ring *ring = job->ring;
    const Plane *plane = plane_at(ring, job->z);
    const int fast = g->swap ? g->ny : g->nx, slow = g->swap ? g->nx : g->ny;
    const double lambda = job->z * g->lambda_step + g->lambda_min;
    for (int s = slow * thread / threads; s < slow * (thread + 1) / threads; s++) {
        for (int f = 0; f < fast; f++) {
            const int64_t cell = (int64_t)s * fast + f;
            const int64_t to = g->swap ? (int64_t)f * slow + s : cell;
            double least = INFINITY;
            job->data[to] = job->stat[to] = NAN;
            for (uint32_t k = plane->start[cell]; k < plane->start[cell + 1]; k++) {
                if (plane->tag[k] & REJECTED) {
                    job->flagged[thread]++;
                    continue;
                }
                const Row *row = plane->row + k;
                const double l = (row->lambda - lambda) / g->lambda_step;
                const double distance = row->fast * row->fast + row->slow * row->slow + l * l;
                if (distance >= least) continue;
                least = distance;
                job->data[to] = plane->value[k];
                job->stat[to] = row->stat;
            }
        }
    }
}

// Values of plane z as (y, x) arrays, NaN where no row fell. tally: as of stream_drizzle.
void stream_nearest(const Grid *grid, Ring *ring, int z, float *data, float *stat, int64_t *tally) {
    Nearest job = {.grid = grid, .ring = ring, .z = z, .data = data, .stat = stat};
    run_threads(nearest_share, &job, ring->threads);
    const Plane *plane = plane_at(ring, z);
    tally[0] = plane->total;
    tally[1] = 0;
    for (int t = 0; t < ring->threads; t++) tally[1] += job.flagged[t];
    memcpy(tally + 2, plane->bad, ring->exposures * sizeof *tally);
}
