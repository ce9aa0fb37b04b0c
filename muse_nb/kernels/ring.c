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
    free(ring->slopes);
    free(ring);
}

typedef struct { double ra, dec; } Sky;                        // [deg]

// Tangent plane to sky, FITS paper II.
static Sky sky_of(const Grid *g, int fast, int slow) {
    const double x = -g->step * ((g->swap ? slow : fast) + 1 - g->crpix_x), y = g->step * ((g->swap ? fast : slow) + 1 - g->crpix_y);
    const double phi = atan2(x, -y), theta = atan(DEG / sqrt(x * x + y * y)), pole = g->dec / DEG;
    const double east = cos(theta) * sin(phi), north = sin(theta) * cos(pole) + cos(theta) * sin(pole) * cos(phi);
    return (Sky){g->ra + atan2(east, north) * DEG, asin(sin(theta) * sin(pole) - cos(theta) * cos(pole) * cos(phi)) * DEG};
}

static void slopes_at(const Grid *g, int fast, int slow, int to_fast, int to_slow, float *ra, float *dec) {
    const Sky here = sky_of(g, fast, slow), there = sky_of(g, fast + to_fast, slow + to_slow);
    *ra = (float)((there.ra - here.ra) * cos(there.dec / DEG) / g->step);
    *dec = (float)((there.dec - here.dec) / g->step);
}

static Slope between(float first, float last, int cells) { return (Slope){first, cells > 1 ? (last - first) / (float)(cells - 1) : 0}; }

static Slopes slopes_of_line(const Grid *g, int slow, int cells) {
    float ra[2][2], dec[2][2];                                 // at the first and the last cell; along the line, to the next line
    for (int end = 0; end < 2; end++) {
        const int fast = end ? cells - 1 : 0;
        slopes_at(g, fast, slow, 1, 0, ra[end], dec[end]);
        slopes_at(g, fast, slow, 0, 1, ra[end] + 1, dec[end] + 1);
    }
    return (Slopes){between(ra[0][0], ra[1][0], cells), between(ra[0][1], ra[1][1], cells),
                    between(dec[0][0], dec[1][0], cells), between(dec[0][1], dec[1][1], cells)};
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
    ring->slopes = malloc(slow * sizeof *ring->slopes);
    int failed = !ring->staged || !ring->plane || !ring->guess || !ring->slopes;
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
    for (int s = 0; s < slow; s++) ring->slopes[s] = slopes_of_line(grid, s, fast);
    return ring;
}
