// The memory of a streaming combine: planes that are staged, planes that are sorted, and the sums of voxels.
#include "stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void stream_close(Ring *ring) {
    for (int i = 0; ring->staged && i < ring->nstaged; i++) {
        for (int t = 0; t < ring->threads; t++) {
            Pile *pile = ring->staged[i].pile + t;
            free(pile->cell);
            free(pile->value);
            free(pile->row);
            free(pile->end);
        }
        free(ring->staged[i].bad);
    }
    for (int i = 0; ring->plane && i < ring->nplane; i++) {
        Plane *plane = ring->plane + i;
        free(plane->start);
        free(plane->value);
        free(plane->row);
        free(plane->tag);
        free(plane->bad);
    }
    free(ring->staged);
    free(ring->plane);
    free(ring->guess);
    for (int i = 0; i < 3; i++) free(ring->sum[i]);
    for (int i = 0; i < 3; i++) free(ring->sky[i]);
    free(ring);
}

// Sky of the cells and their border: tangent plane to sky, FITS paper II.
static void lay_out(const Grid *grid, Ring *ring, int fast, int slow) {
    for (int64_t i = 0; i < (int64_t)(fast + 2) * (slow + 2); i++) {
        int f = (int)(i % (fast + 2)), s = (int)(i / (fast + 2));
        double x = -grid->step * ((grid->swap ? s : f) - grid->crpix_x), y = grid->step * ((grid->swap ? f : s) - grid->crpix_y);
        double phi = atan2(x, -y), theta = atan(DEG / sqrt(x * x + y * y)), pole = grid->dec / DEG;
        double east = cos(theta) * sin(phi), north = sin(theta) * cos(pole) + cos(theta) * sin(pole) * cos(phi);
        ring->sky[0][i] = grid->ra + atan2(east, north) * DEG;
        ring->sky[1][i] = asin(sin(theta) * sin(pole) - cos(theta) * cos(pole) * cos(phi)) * DEG;
        ring->sky[2][i] = cos(ring->sky[1][i] / DEG);
    }
}

// A ring for `slab` planes at a time; NULL where there is no memory for it, or more exposures or voxels than it can number.
Ring *stream_open(const Grid *grid, int exposures, int slab, int threads) {
    Ring *ring = calloc(1, sizeof *ring);
    if (!ring || exposures > EXPOSURE || (double)grid->nx * grid->ny >= KNOWN) {
        free(ring);
        return 0;
    }
    int fast = grid->swap ? grid->ny : grid->nx, slow = grid->swap ? grid->nx : grid->ny;
    int64_t bordered = (int64_t)(fast + 2) * (slow + 2);
    ring->threads = threads < 1 ? 1 : threads > MAXTHREADS ? MAXTHREADS : threads;
    ring->exposures = exposures;
    ring->nstaged = slab;
    ring->nplane = ring->threads + 2;
    ring->cells = (int64_t)fast * slow;
    ring->staged = calloc(ring->nstaged, sizeof *ring->staged);
    ring->plane = calloc(ring->nplane, sizeof *ring->plane);
    ring->guess = calloc(ring->cells, sizeof *ring->guess);
    int failed = !ring->staged || !ring->plane || !ring->guess;
    for (int i = 0; i < 3; i++) failed |= !(ring->sky[i] = malloc(bordered * sizeof(double)));
    for (int i = 0; i < ring->nstaged && !failed; i++) {
        Staged *staged = ring->staged + i;
        failed = !(staged->bad = calloc(exposures, sizeof *staged->bad));
        for (int t = 0; t < ring->threads; t++) failed |= !(staged->pile[t].end = calloc(exposures, sizeof(int64_t)));
    }
    for (int i = 0; i < ring->nplane && !failed; i++) {
        ring->plane[i].start = calloc(ring->cells + 2, sizeof(uint32_t));
        ring->plane[i].bad = calloc(exposures, sizeof(int64_t));
        failed = !ring->plane[i].start || !ring->plane[i].bad;
    }
    for (int i = 0; i < 3; i++) {
        size_t size = bordered * 4 * sizeof(float);
        failed |= posix_memalign((void **)(ring->sum + i), 64, size) != 0;      // no voxel's sums in two cache lines
        if (!failed) memset(ring->sum[i], 0, size);
    }
    if (failed) {
        stream_close(ring);
        return 0;
    }
    lay_out(grid, ring, fast, slow);
    return ring;
}
