// Who made a voxel, or why nobody did: the exposures that reach it, and what became of the rows that might have.
//
// Only where the extensions EXPMAP or DQ are asked for. Flagged rows and those that are not finite never enter a plane, so they are
// put aside while a slab is loaded. Rows are handed to the voxels that their drops reach.
#include "drop.h"
#include "native.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRIPES 16                      // even, then odd ones, as in the drizzle: no two threads share a voxel
#define SAMPLE 7                        // of so many rows one is measured for the places of slices, at all pixels along a slice in turn
#define HEAD 2                          // words of a voxel before those that hold a bit for each exposure
enum { FLAGS, FATE };                   // flags of all flagged rows that reach it; and bits:
enum { REJECTED_ROW = 1, INFINITE_ROW = 2 };

typedef struct { Row row; int32_t cell; uint32_t dq; } Flaw;    // dq 0: data or variance are not finite
typedef struct { Flaw *flaw; int64_t count, room; } Flaws;

typedef struct Reasons {
    int own, planes;                    // own: rows reach the cell they lie in only (nearest); planes: that there are flaws of
    int64_t words;                      // of a voxel
    Flaws *flaws;                       // of each plane, by thread
    uint32_t *voxel[3];                 // as the sums of the drizzle, with a border of one cell
} Reasons;

typedef struct {
    const Grid *grid;
    const Ring *ring;
    const Exposure *exposure;
    int z, odd, stripes;
} Job;

void stream_reasons_close(Ring *ring) {
    Reasons *r = ring->reasons;
    if (!r) return;
    for (int i = 0; r->flaws && i < r->planes * MAXTHREADS; i++) free(r->flaws[i].flaw);
    free(r->flaws);
    for (int i = 0; i < 3; i++) free(r->voxel[i]);
    free(r);
    ring->reasons = 0;
}

static int64_t bordered(const Grid *g) { return (int64_t)(g->nx + 2) * (g->ny + 2); }

// Have the ring put aside what explains its voxels; 0 where there is memory for it.
int stream_reasons_open(const Grid *grid, Ring *ring, int own) {
    Reasons *r = calloc(1, sizeof *r);
    if (!r) return -1;
    ring->reasons = r;
    r->own = own;
    r->planes = ring->nstaged + 2;                      // those that are loaded, and those before that are not drizzled yet
    r->words = HEAD + (ring->exposures + 31) / 32;
    int failed = !(r->flaws = calloc((size_t)r->planes * MAXTHREADS, sizeof *r->flaws));
    for (int i = 0; i < 3; i++) failed |= !(r->voxel[i] = calloc(bordered(grid) * r->words, sizeof(uint32_t)));
    if (failed) stream_reasons_close(ring);
    return failed ? -1 : 0;
}

static Flaws *flaws_of(const Ring *ring, int z, int thread) {
    const Reasons *r = ring->reasons;
    return r->flaws + z % r->planes * MAXTHREADS + thread;
}

// Before planes [first, last) are loaded.
void stream_reasons_forget(Ring *ring, int first, int last) {
    for (int z = first; z < last; z++)
        for (int t = 0; t < MAXTHREADS; t++) flaws_of(ring, z, t)->count = 0;
}

// Put rows aside that the loading leaves out. plane: of each row, minus `first`, -1 where it is not wanted now; words as in the file.
int put_aside(const Ring *ring, int thread, int first, int n, const int *plane, const float *fast, const float *slow, const int *cell,
              const uint32_t *lambda, const uint32_t *data, const uint32_t *stat, const uint32_t *dq) {
    const uint32_t harmful = __builtin_bswap32(~COSMICRAY), exponent = __builtin_bswap32(0x7f800000);
    for (int i = 0; i < n; i++) {
        const int infinite = (data[i] & exponent) == exponent || (stat[i] & exponent) == exponent;
        if (plane[i] < 0 || !(infinite || dq[i] & harmful)) continue;
        Flaws *to = flaws_of(ring, first + plane[i], thread);
        if (to->count == to->room) {
            const int64_t room = to->room * 5 / 4 + 256;
            Flaw *more = realloc(to->flaw, room * sizeof *more);
            if (!more) return -1;
            to->flaw = more;
            to->room = room;
        }
        to->flaw[to->count++] = (Flaw){{fast[i], slow[i], swapped(lambda[i]), 0}, cell[i], __builtin_bswap32(dq[i])};
    }
    return 0;
}

// The voxels that a row reaches: their words, how many.
typedef struct { uint32_t *voxel[8]; int n; } Reached;

static Reached reach(const Job *job, int64_t cell, Row row) {
    const Grid *g = job->grid;
    const Ring *ring = job->ring;
    const Reasons *r = ring->reasons;
    const int fast = g->swap ? g->ny : g->nx, line = (int)(cell / fast), width = fast + 2, first = (line + 1) * width + 1;
    const int here = first + (int)(cell % fast);                        // counted with the border
    uint32_t *const plane[3] = {r->voxel[(job->z + 2) % 3], r->voxel[job->z % 3], r->voxel[(job->z + 1) % 3]};
    if (r->own) return (Reached){{plane[1] + here * r->words}, 1};
    const Sizes sizes = sizes_of(g, job->z);
    const Drop drop = drop_of(g->swap, width, &sizes, ring->slopes + line, first, here, row);
    Reached to = {.n = 0};
    for (int depth = 0; depth < 2; depth++)
        for (int k = 0; k < 4; k++)
            if (drop.sky[k] * drop.depth[depth] > 0)
                to.voxel[to.n++] = plane[1 - drop.lower + depth] + (drop.corner + k % 2 + k / 2 * width) * r->words;
    return to;
}

static void add_row(const Job *job, int slow) {
    const Plane *plane = plane_at(job->ring, job->z);
    const int fast = job->grid->swap ? job->grid->ny : job->grid->nx;
    for (int64_t cell = (int64_t)slow * fast; cell < (int64_t)(slow + 1) * fast; cell++)
        for (uint32_t k = plane->start[cell]; k < plane->start[cell + 1]; k++) {
            const int tag = plane->tag[k], number = tag & EXPOSURE;
            const Reached at = reach(job, cell, plane->row[k]);
            for (int i = 0; i < at.n; i++) {
                if (tag & COSMIC) at.voxel[i][FLAGS] |= COSMICRAY;                     // the table says so
                else if (tag & REJECTED) at.voxel[i][FATE] |= REJECTED_ROW;
                else if (job->exposure[number].weight > 0) at.voxel[i][HEAD + number / 32] |= 1u << number % 32;
            }
        }
}

static void add_stripes(void *argument, int thread, int threads) {
    const Job *job = argument;
    const int slow = job->grid->swap ? job->grid->nx : job->grid->ny;
    int number = 0;
    for (int stripe = job->odd; stripe < job->stripes; stripe += 2, number++)
        if (number % threads == thread)
            for (int s = slow * stripe / job->stripes; s < slow * (stripe + 1) / job->stripes; s++) add_row(job, s);
}

static void add_flaws(void *argument, int thread, int threads) {
    (void)threads;                                                                      // one list for each
    const Job *job = argument;
    const Flaws *flaws = flaws_of(job->ring, job->z, thread);
    for (int64_t i = 0; i < flaws->count; i++) {
        const Flaw *f = flaws->flaw + i;
        const int word = f->dq ? FLAGS : FATE;
        const uint32_t bits = f->dq ? f->dq : INFINITE_ROW;
        const Reached at = reach(job, f->cell, f->row);
        for (int k = 0; k < at.n; k++) __atomic_fetch_or(at.voxel[k] + word, bits, __ATOMIC_RELAXED);
    }
}

// Hand the rows of plane z, whose cosmic rays are known, to the voxels they reach in planes z - 1, z and z + 1.
void stream_reasons_add(const Grid *grid, const Ring *ring, const Exposure *exposure, int z) {
    const int slow = grid->swap ? grid->nx : grid->ny, threads = slow >= 2 * STRIPES ? ring->threads : 1;
    Job job = {.grid = grid, .ring = ring, .exposure = exposure, .z = z, .stripes = slow >= 2 * STRIPES ? STRIPES : 2};
    for (job.odd = 0; job.odd < 2; job.odd++) run_threads(add_stripes, &job, threads);
    run_threads(add_flaws, &job, ring->threads);
}

// Number of exposures in each voxel of plane z, which no further row can reach, and why it is NaN: rejected, infinite and none are
// the values for these causes; the flags of its rows where all are flagged; 0 where there are data. As (y, x) arrays.
void stream_reasons_finish(const Grid *grid, Ring *ring, int z, const float *data, uint32_t rejected, uint32_t infinite, uint32_t none,
                           int16_t *number, uint32_t *dq) {
    const Reasons *r = ring->reasons;
    const int fast = grid->swap ? grid->ny : grid->nx, slow = grid->swap ? grid->nx : grid->ny;
    uint32_t *voxel = r->voxel[(z + 3) % 3];
    for (int s = 0; z >= 0 && s < slow; s++)
        for (int f = 0; f < fast; f++) {
            const uint32_t *from = voxel + r->words * ((int64_t)(s + 1) * (fast + 2) + f + 1);
            const int64_t to = grid->swap ? (int64_t)f * slow + s : (int64_t)s * fast + f;
            int count = 0;
            for (int64_t w = HEAD; w < r->words; w++) count += __builtin_popcount(from[w]);
            if (!isnan(data[to])) {
                number[to] = (int16_t)count;
                dq[to] = 0;
                continue;
            }
            number[to] = 0;
            dq[to] = from[FATE] & REJECTED_ROW ? rejected : from[FATE] & INFINITE_ROW ? infinite : from[FLAGS] ? from[FLAGS] : none;
        }
    memset(voxel, 0, bordered(grid) * r->words * sizeof *voxel);
}

// For each IFU and slice, up to 25 and 64 of them: rows of a sample that fall on the cube, and the sums of their x and y [pixel].
// The column of dq is to be that of the origin. 0 where the table can be read.
int stream_slices(const Grid *g, const Exposure *e, double *sums) {
    const Pole pole = pole_at(e->sin_dec, e->cos_dec);
    const int columns[4] = {XPOS, YPOS, LAMBDA, DQ};
    uint32_t *words = malloc(4 * CHUNK * sizeof *words);
    int failed = !words;
    for (int64_t first = 0; first < e->nrow && !failed; first += CHUNK) {
        const int n = (int)(e->nrow - first < CHUNK ? e->nrow - first : CHUNK);
        for (int c = 0; c < 4; c++) failed |= read_column(e, columns[c], first, n, words + c * CHUNK);
        for (int i = (int)((SAMPLE - first % SAMPLE) % SAMPLE); i < n && !failed; i += SAMPLE) {
            const float lambda = swapped(words[2 * CHUNK + i]);
            if (!(lambda >= g->lambda_low && lambda <= g->lambda_high)) continue;
            float ra = swapped(words[i]), dec = swapped(words[CHUNK + i]);
            if (e->kind == NATIVE) sky_offset(ra + e->turn, dec, &pole, &ra, &dec);
            double east, north;
            tangent_plane((float)(ra + e->d_ra), (float)(dec + e->d_dec), g->sin_dec, g->cos_dec, DEG / g->step, &east, &north);
            const double x = floor(g->crpix_x - 1 - east + .5), y = floor(g->crpix_y - 1 + north + .5);
            const double z = floor((lambda - g->lambda_min) / g->lambda_step + .5);
            if (!(x > -3 && x < g->nx + 2 && y > -3 && y < g->ny + 2 && z > -3 && z < g->nz + 2)) continue;
            const uint32_t origin = __builtin_bswap32(words[3 * CHUNK + i]);
            double *to = sums + 3 * ((origin >> 6 & 31) % 25 * 64 + (origin & 63));
            to[0] += 1;
            to[1] += x < 0 ? 0 : x >= g->nx ? g->nx - 1 : x;
            to[2] += y < 0 ? 0 : y >= g->ny ? g->ny - 1 : y;
        }
    }
    free(words);
    return failed ? -1 : 0;
}
