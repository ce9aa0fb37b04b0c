// Planes in the order of their cells, by counting; a few at a time, so that they are still in the caches when they are drizzled.
#include "stream.h"
#include <stdlib.h>
#include <string.h>

#define AHEAD 24                        // places are fetched this many rows before they are written to

typedef struct { Ring *ring; int first, last, failed[MAXTHREADS]; } Sort;

static int make_room(Plane *plane, int64_t rows) {
    plane->total = rows;
    if (rows <= plane->capacity) return 0;
    plane->capacity = rows + rows / 16 + 64;
    free(plane->value);
    free(plane->row);
    free(plane->tag);
    plane->value = calloc(plane->capacity + SPARE, sizeof *plane->value);
    plane->row = malloc(plane->capacity * sizeof *plane->row);
    plane->tag = malloc(plane->capacity * sizeof *plane->tag);
    return plane->value && plane->row && plane->tag ? 0 : -1;
}

static int sort_plane(const Ring *ring, const Staged *staged, Plane *plane) {
    int64_t rows = 0;
    for (int t = 0; t < ring->threads; t++) rows += staged->pile[t].count;
    if (make_room(plane, rows)) return -1;
    uint32_t *const end = plane->start + 1;             // of each cell: at first how many rows it has, then where the next one goes
    memset(plane->start, 0, (ring->cells + 2) * sizeof *plane->start);
    for (int t = 0; t < ring->threads; t++) {
        const Pile *pile = staged->pile + t;
        for (int64_t i = 0; i < pile->count; i++) end[(pile->cell[i] & ~KNOWN) + 1]++;
    }
    for (int64_t c = 0; c < ring->cells; c++) end[c + 1] += end[c];
    for (int t = 0; t < ring->threads; t++) {
        const Pile *pile = staged->pile + t;
        int64_t i = 0;
        for (int e = 0; e < ring->exposures; e++)
            for (; i < pile->end[e]; i++) {
                const uint32_t cell = pile->cell[i], to = end[cell & ~KNOWN]++;
                const uint32_t ahead = end[pile->cell[i + AHEAD < pile->count ? i + AHEAD : i] & ~KNOWN];
                __builtin_prefetch(plane->row + ahead, 1);
                __builtin_prefetch(plane->value + ahead, 1);
                plane->value[to] = pile->value[i];
                plane->row[to] = pile->row[i];
                plane->tag[to] = (uint16_t)(e | (cell & KNOWN ? COSMIC | REJECTED : 0));
            }
    }
    memcpy(plane->bad, staged->bad, ring->exposures * sizeof *plane->bad);
    return 0;
}

static void sort_share(void *argument, int thread, int threads) {
    Sort *sort = argument;
    const Ring *ring = sort->ring;
    for (int z = sort->first + thread; z < sort->last && !sort->failed[thread]; z += threads)
        sort->failed[thread] = sort_plane(ring, ring->staged + z % ring->nstaged, plane_at(ring, z));
}

// Sort what is staged up to plane `last`, as many planes at a time as there are threads. 0 where there was memory for it.
int stream_sort(Ring *ring, int last) {
    int failed = 0;
    while (ring->sorted <= last && ring->sorted < ring->loaded && !failed) {
        const int left = ring->loaded - ring->sorted, planes = left < ring->threads ? left : ring->threads;
        Sort sort = {.ring = ring, .first = ring->sorted, .last = ring->sorted + planes};
        run_threads(sort_share, &sort, planes);
        for (int t = 0; t < planes; t++) failed |= sort.failed[t];
        ring->sorted += planes;
    }
    return failed ? -1 : 0;
}
