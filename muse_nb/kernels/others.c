// Cosmic rays as no recipe finds them: what one exposure shows and no other, and what does not reach across its own slices.
//
// A star is as wide as the seeing, and every exposure shows it. A cosmic ray is in one exposure, and on the detector: it spreads
// along a slice and in wavelength, but the spaxels beside it across the slices were exposed elsewhere on the detector. A value
// is rejected where it exceeds, by sigma x MAD of its own noise, what the other exposures show around it (all but one, which
// may have a cosmic ray there too), and also twice what its own exposure shows across the slices: the latter spares stars in
// the exposure with the best seeing.
#include "stream.h"
#include <math.h>
#include <stdlib.h>

#define MAD_OF_SIGMA .6745f             // of a normal distribution
#define SHARPEST 2                      // a star's peak over its value one spaxel on, at most

typedef struct { float value; int32_t exposure; } Seen;

typedef struct {                        // a line of cells: what three planes hold, cell by cell, known cosmic rays left out
    Seen *seen;
    int *start, room;
} Line;

typedef struct {
    const Grid *grid;
    const Exposure *exposure;
    int z, failed[MAXTHREADS];
    Ring *ring;
    float sigma;
} Search;

static int gather(const Search *s, int row, int fast, Line *line) {
    const Plane *plane[3];
    int planes = 0, total = 0, at = 0;
    const int64_t first = (int64_t)row * fast;
    for (int z = s->z - 1; z <= s->z + 1; z++)
        if (z >= 0 && z < s->grid->nz) plane[planes++] = plane_at(s->ring, z);
    for (int k = 0; k < planes; k++) total += (int)(plane[k]->start[first + fast] - plane[k]->start[first]);
    if (total > line->room) {
        free(line->seen);
        line->room = total + total / 4;
        if (!(line->seen = malloc(line->room * sizeof *line->seen))) return -1;
    }
    for (int f = 0; f < fast; f++) {
        line->start[f] = at;
        for (int k = 0; k < planes; k++)
            for (uint32_t i = plane[k]->start[first + f]; i < plane[k]->start[first + f + 1]; i++) {
                const int tag = plane[k]->tag[i];
                if (!(tag & COSMIC)) line->seen[at++] = (Seen){plane[k]->value[i], tag & EXPOSURE};
            }
    }
    line->start[fast] = at;
    return 0;
}

// The largest values around a cell of the three exposures that show the largest, in falling order; exposure -1: there is none.
static void peaks_around(Line *const *lines, int f, int fast, Seen *peak) {
    const int left = f ? f - 1 : 0, right = f + 2 < fast ? f + 2 : fast;
    for (int i = 0; i < 3; i++) peak[i] = (Seen){-INFINITY, -1};
    for (int k = 0; k < 3; k++)
        for (int i = lines[k] ? lines[k]->start[left] : 0; lines[k] && i < lines[k]->start[right]; i++) {
            const Seen seen = lines[k]->seen[i];
            if (!(seen.value > peak[2].value)) continue;
            int at = 0;
            while (at < 2 && peak[at].exposure != seen.exposure) at++;
            if (peak[at].exposure == seen.exposure && !(seen.value > peak[at].value)) continue;
            for (; at && seen.value > peak[at - 1].value; at--) peak[at] = peak[at - 1];
            peak[at] = seen;
        }
}

// What the other exposures may show at most: the second of them, as the first may have a cosmic ray there too.
static float most_of_others(const Seen *peak, int exposure) {
    float first = -INFINITY;
    for (int i = 0; i < 3; i++) {
        if (peak[i].exposure == exposure || peak[i].exposure < 0) continue;
        if (first > -INFINITY) return peak[i].value;
        first = peak[i].value;
    }
    return first;
}

// The largest value of an exposure beside a cell, in the slices before and after; where one of these is not there, at least
// the largest of the others.
static float across(const Search *s, Line *const *lines, int f, int fast, int exposure, const Seen *peak) {
    const Exposure *e = s->exposure + exposure;
    const int to_fast = s->grid->swap ? e->across_y : e->across_x, to_slow = s->grid->swap ? e->across_x : e->across_y;
    float largest = -INFINITY;
    int sides = 0;
    for (int sign = -1; sign <= 1; sign += 2) {
        int seen = 0;
        for (int along = -1; along <= 1; along++) {
            const int step_fast = sign * to_fast - along * to_slow, step_slow = sign * to_slow + along * to_fast, cell = f + step_fast;
            if (step_fast < -1 || step_fast > 1 || step_slow < -1 || step_slow > 1 || cell < 0 || cell >= fast) continue;
            const Line *line = lines[1 + step_slow];
            for (int i = line ? line->start[cell] : 0; line && i < line->start[cell + 1]; i++) {
                if (line->seen[i].exposure != exposure) continue;
                seen = 1;
                largest = line->seen[i].value > largest ? line->seen[i].value : largest;
            }
        }
        sides += seen;
    }
    const Seen other = peak[peak[0].exposure == exposure];
    if (sides == 2) return largest;
    return other.exposure < 0 ? INFINITY : other.value > largest ? other.value : largest;
}

static void search_row(const Search *s, int row, int fast, Line *const *lines) {
    Plane *plane = plane_at(s->ring, s->z);
    const uint32_t *start = plane->start + (int64_t)row * fast;
    for (int f = 0; f < fast; f++) {
        if (start[f] == start[f + 1]) continue;
        Seen peak[3];
        peaks_around(lines, f, fast, peak);
        for (uint32_t i = start[f]; i < start[f + 1]; i++) {
            const float value = plane->value[i];
            const int exposure = plane->tag[i] & EXPOSURE;
            const float others = most_of_others(peak, exposure), stat = plane->row[i].stat;
            if (plane->tag[i] & REJECTED || !(value > others)) continue;
            const float excess = s->sigma * MAD_OF_SIGMA * sqrtf(stat > 0 ? stat : 0);
            const float own = across(s, lines, f, fast, exposure, peak);
            if (value > others + excess && value > SHARPEST * (own > 0 ? own : 0) + excess)
                plane->tag[i] |= REJECTED;
        }
    }
}

static void search_share(void *argument, int thread, int threads) {
    Search *s = argument;
    const int fast = s->grid->swap ? s->grid->ny : s->grid->nx, slow = s->grid->swap ? s->grid->nx : s->grid->ny;
    const int first = slow * thread / threads, last = slow * (thread + 1) / threads;
    Line line[3] = {{0}};
    int failed = 0;
    for (int i = 0; i < 3; i++) failed |= !(line[i].start = malloc((fast + 1) * sizeof(int)));
    for (int ahead = first ? first - 1 : 0; ahead <= last && !failed; ahead++) {
        if (ahead < slow) failed = gather(s, ahead, fast, line + ahead % 3);
        const int row = ahead - 1;
        if (row < first || row >= last || failed) continue;
        Line *const lines[3] = {row ? line + (row - 1) % 3 : 0, line + row % 3, row + 1 < slow ? line + (row + 1) % 3 : 0};
        search_row(s, row, fast, lines);
    }
    for (int i = 0; i < 3; i++) {
        free(line[i].seen);
        free(line[i].start);
    }
    s->failed[thread] = failed;
}

// Mark what only one exposure shows of plane z; it and its neighbours must be in the ring. 0 where there was memory for it.
int stream_others(const Grid *grid, Ring *ring, const Exposure *exposure, int z, double sigma) {
    Search s = {.grid = grid, .exposure = exposure, .z = z, .ring = ring, .sigma = (float)sigma};
    run_threads(search_share, &s, ring->threads);
    int failed = 0;
    for (int t = 0; t < ring->threads; t++) failed |= s.failed[t];
    return failed ? -1 : 0;
}
