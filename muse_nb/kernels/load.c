// Rows of a slab of planes: read, put on the grid with the recipe's own roundings, sorted by cell.
#include "native.h"
#include "stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct { float ra[CHUNK], dec[CHUNK]; int cell[CHUNK], plane[CHUNK]; } Places;
typedef struct { const Grid *grid; Exposure *exposure; int exposures; Ring *ring; int first, last; int failed[MAXTHREADS]; } Load;

// Position of rows and their cell. The recipe keeps offsets in RA and DEC as float32, in degrees, and so do we.
HOT static void place(const Grid *g, const Exposure *e, const uint32_t *x, const uint32_t *y, int n, Places *p) {
    const double sd = e->sin_dec, cd = e->cos_dec, icd = 1 / cd;
    const double k2 = sd / cd / 2, k3 = (1 + 2 * sd * sd) / (6 * cd * cd), k4 = (9 * sd + 6 * sd * sd * sd) / (24 * cd * cd * cd);
    const double scale = DEG / g->step, cx = g->crpix_x - 1, cy = g->crpix_y - 1, xmax = g->nx - 1, ymax = g->ny - 1;
    const int fx = g->swap ? g->ny : 1, fy = g->swap ? 1 : g->nx;
    for (int i = 0; i < n; i++) {
        float ra = swapped(x[i]), dec = swapped(y[i]);
        if (e->kind == NATIVE) {
            double t, u;
            to_sky(ra, dec, sd, cd, &t, &u);
            double t2 = t * t;
            u *= icd;                                           // atan and asin around DEC0 as series
            ra = (float)(t * (1 - t2 * (1. / 3 - t2 / 5)) * DEG);
            dec = (float)(u * (1 + u * (k2 + u * (k3 + u * k4))) * DEG);
        }
        ra = (float)(ra + e->d_ra);
        dec = (float)(dec + e->d_dec);
        double a = ra / DEG, b = dec / DEG, a2 = a * a, b2 = b * b;
        double sin_a = a * (1 - a2 / 6 * (1 - a2 / 20)), one_less_cos_a = a2 / 2 * (1 - a2 / 12 * (1 - a2 / 30));
        double sin_b = b * (1 - b2 / 6 * (1 - b2 / 20)), one_less_cos_b = b2 / 2 * (1 - b2 / 12 * (1 - b2 / 30));
        double cos_dec = g->cos_dec * (1 - one_less_cos_b) - g->sin_dec * sin_b;
        double depth = scale / ((1 - one_less_cos_b) - cos_dec * g->cos_dec * one_less_cos_a);
        double px = cx - cos_dec * sin_a * depth + .5, py = cy + (sin_b + cos_dec * g->sin_dec * one_less_cos_a) * depth + .5;
        px = px < 0 ? 0 : px > xmax ? xmax : px;                // beyond the edge: the edge cell, as the recipe does
        py = py < 0 ? 0 : py > ymax ? ymax : py;
        p->ra[i] = ra;
        p->dec[i] = dec;
        p->cell[i] = (int)px * fx + (int)py * fy;
    }
}

// Plane of each row minus `first`, or -1 where it is not wanted now.
HOT static void choose(const Grid *g, const uint32_t *lambda, int n, int first, int last, int *plane) {
    const double inverse = 1 / g->lambda_step;
    for (int i = 0; i < n; i++) {
        float l = swapped(lambda[i]);
        int z = (int)((l - g->lambda_min) * inverse + .5);
        int wanted = z >= first && z < last && l >= g->lambda_low && l <= g->lambda_high;
        plane[i] = wanted ? z - first : -1;
    }
}

typedef struct { uint32_t *word[NCOLUMN]; Places *places; int64_t *fill; } Buffers;

static int keep(const Load *load, int number, int thread, Buffers *b, int skip, int n) {
    const Exposure *e = load->exposure + number;
    Ring *ring = load->ring;
    uint32_t *count = ring->count[thread];
    for (int z = load->first; z < load->last; z++) {
        Plane *p = ring->plane + z % ring->nplane;
        int64_t need = b->fill[z - load->first] + n;
        if (need <= p->room[thread]) continue;
        int64_t room = need * 5 / 4 + 4096;
        Row *row = realloc(p->row[thread], room * sizeof *row);
        if (!row) return -1;
        p->row[thread] = row;
        p->room[thread] = room;
    }
    for (int i = 0; i < n; i++) {
        int z = b->places->plane[skip + i];
        uint32_t dq = __builtin_bswap32(b->word[DQ][i]);
        if (z < 0 || dq & ~COSMICRAY) continue;
        float data = swapped(b->word[DATA][i]), stat = swapped(b->word[STAT][i]);
        if (!isfinite(data) || !isfinite(stat)) {
            __atomic_fetch_add(ring->plane[(load->first + z) % ring->nplane].bad + number, 1, __ATOMIC_RELAXED);
            continue;
        }
        uint32_t cell = b->places->cell[i];
        Plane *p = ring->plane + (load->first + z) % ring->nplane;
        p->row[thread][b->fill[z]++] = (Row){b->places->ra[i], b->places->dec[i], swapped(b->word[LAMBDA][skip + i]),
                                             stat * e->flux * e->flux, data * e->flux,
                                             (cell * load->exposures + number) | (dq ? REJECTED : 0)};
        count[z * ring->cells + cell]++;
    }
    return 0;
}

// Read one exposure's blocks [block, end), those that reach into the slab, in pieces of at most CHUNK rows.
static int read_blocks(const Load *load, int number, int thread, Buffers *b, int64_t block, int64_t end) {
    const Exposure *e = load->exposure + number;
    const Grid *g = load->grid;
    double low = g->lambda_min + (load->first - .5) * g->lambda_step - 1e-3;
    double high = g->lambda_min + (load->last - .5) * g->lambda_step + 1e-3;
    while (block < end) {
        if (!(e->index[2 * block + 1] >= low && e->index[2 * block] <= high)) { block++; continue; }
        int64_t stop = block;
        while (stop < end && stop - block < CHUNK / BLOCK && e->index[2 * stop + 1] >= low && e->index[2 * stop] <= high) stop++;
        int64_t first = block * BLOCK, last = stop * BLOCK < e->nrow ? stop * BLOCK : e->nrow;
        int n = (int)(last - first), skip = 0;
        block = stop;
        if (read_column(e, LAMBDA, first, n, b->word[LAMBDA])) return -1;
        choose(g, b->word[LAMBDA], n, load->first, load->last, b->places->plane);
        while (skip < n && b->places->plane[skip] < 0) skip++;
        while (n > skip && b->places->plane[n - 1] < 0) n--;
        if (!(n -= skip)) continue;
        for (int column = 0; column < NCOLUMN; column++)
            if (column != LAMBDA && read_column(e, column, first + skip, n, b->word[column])) return -1;
        place(g, e, b->word[XPOS], b->word[YPOS], n, b->places);
        if (keep(load, number, thread, b, skip, n)) return -1;
    }
    return 0;
}

// A thread reads its share of all rows of all exposures taken as one sequence, so that the order does not depend on threads.
static void load_share(void *argument, int thread, int threads) {
    Load *load = argument;
    Ring *ring = load->ring;
    Buffers b = {.places = malloc(sizeof(Places)), .fill = calloc(load->last - load->first, sizeof(int64_t))};
    uint32_t *words = malloc(NCOLUMN * CHUNK * sizeof *words);
    load->failed[thread] = !b.places || !b.fill || !words;
    for (int c = 0; c < NCOLUMN; c++) b.word[c] = words + c * CHUNK;
    memset(ring->count[thread], 0, (load->last - load->first) * ring->cells * sizeof(uint32_t));
    int64_t all = 0, before = 0;
    for (int i = 0; i < load->exposures; i++) all += (load->exposure[i].nrow + BLOCK - 1) / BLOCK;
    int64_t from = all * thread / threads, to = all * (thread + 1) / threads;
    for (int i = 0; i < load->exposures && !load->failed[thread]; i++) {
        int64_t blocks = (load->exposure[i].nrow + BLOCK - 1) / BLOCK;
        int64_t first = from - before > 0 ? from - before : 0, end = to - before < blocks ? to - before : blocks;
        if (first < end) load->failed[thread] |= read_blocks(load, i, thread, &b, first, end);
        before += blocks;
    }
    for (int z = load->first; z < load->last; z++) ring->plane[z % ring->nplane].count[thread] = b.fill ? b.fill[z - load->first] : 0;
    free(b.places);
    free(b.fill);
    free(words);
}

// Counting sort, first half: where each thread's rows of a cell begin.
static void begin_share(void *argument, int thread, int threads) {
    Load *load = argument;
    Ring *ring = load->ring;
    for (int z = load->first + thread; z < load->last; z += threads) {
        Plane *p = ring->plane + z % ring->nplane;
        uint32_t sum = 0;
        int64_t at = (z - load->first) * ring->cells;
        for (int64_t c = 0; c < ring->cells; c++) {
            p->start[c] = sum;
            for (int t = 0; t < threads; t++) {
                uint32_t k = ring->count[t][at + c];
                ring->count[t][at + c] = sum;
                sum += k;
            }
        }
        p->start[ring->cells] = sum;
        p->total = sum;
        if (sum >= p->capacity) {
            p->capacity = (int64_t)sum + sum / 32 + 1;
            free(p->value);
            free(p->order);
            p->value = malloc((p->capacity + 16) * sizeof *p->value);
            p->order = malloc((p->capacity + 16) * sizeof *p->order);
            load->failed[thread] |= !p->value || !p->order;
        }
    }
}

static void sort_share(void *argument, int thread, int threads) {
    (void)threads;
    Load *load = argument;
    Ring *ring = load->ring;
    for (int z = load->first; z < load->last; z++) {
        Plane *p = ring->plane + z % ring->nplane;
        const Row *row = p->row[thread];
        uint32_t *position = ring->count[thread] + (z - load->first) * ring->cells;
        for (int64_t i = 0; i < p->count[thread]; i++) {
            uint32_t k = position[(row[i].cell & ~REJECTED) / (uint32_t)load->exposures]++;
            p->value[k] = row[i].data;
            p->order[k] = (row[i].cell & REJECTED) | (uint32_t)thread << 25 | (uint32_t)i;
        }
    }
}

// Load planes [first, last) into the ring; 0 where all could be read and there was memory for it.
int stream_load(const Grid *grid, Exposure *exposure, int exposures, Ring *ring, int first, int last) {
    Load *load = calloc(1, sizeof *load);
    if (!load || (double)ring->cells * exposures >= 2147483648.) return -1;
    load->grid = grid, load->exposure = exposure, load->exposures = exposures, load->ring = ring;
    load->first = first, load->last = last;
    for (int z = first; z < last; z++) memset(ring->plane[z % ring->nplane].bad, 0, exposures * sizeof(int64_t));
    int failed = 0;
    Task tasks[3] = {load_share, begin_share, sort_share};
    for (int k = 0; k < 3 && !failed; k++) {
        run_threads(tasks[k], load, ring->threads);
        for (int t = 0; t < ring->threads; t++) failed |= load->failed[t];
    }
    free(load);
    return failed ? -1 : 0;
}

void stream_close(Ring *ring) {
    for (int i = 0; ring->plane && i < ring->nplane; i++) {
        Plane *p = ring->plane + i;
        for (int t = 0; t < MAXTHREADS; t++) free(p->row[t]);
        free(p->bad);
        free(p->start);
        free(p->order);
        free(p->value);
    }
    free(ring->plane);
    for (int t = 0; t < MAXTHREADS; t++) free(ring->count[t]);
    for (int i = 0; i < 3; i++) free(ring->sum[i]);
    free(ring->sky);
    free(ring);
}

// A ring for `slab` planes at a time; NULL where there is no memory for it.
Ring *stream_open(const Grid *grid, int exposures, int slab, int threads) {
    Ring *ring = calloc(1, sizeof *ring);
    if (!ring) return 0;
    int fast = grid->swap ? grid->ny : grid->nx, slow = grid->swap ? grid->nx : grid->ny;
    int64_t bordered = (int64_t)(fast + 2) * (slow + 2);
    ring->nplane = slab + 2;
    ring->threads = threads < 1 ? 1 : threads > MAXTHREADS ? MAXTHREADS : threads;
    ring->cells = (int64_t)fast * slow;
    ring->plane = calloc(ring->nplane, sizeof *ring->plane);
    ring->sky = malloc(bordered * 3 * sizeof(double));
    int failed = !ring->plane || !ring->sky;
    for (int i = 0; i < ring->nplane && !failed; i++) {
        ring->plane[i].start = calloc(ring->cells + 1, sizeof(uint32_t));
        ring->plane[i].bad = calloc(exposures, sizeof(int64_t));
        failed = !ring->plane[i].start || !ring->plane[i].bad;
    }
    for (int t = 0; t < ring->threads; t++) failed |= !(ring->count[t] = malloc(ring->cells * slab * sizeof(uint32_t)));
    for (int i = 0; i < 3; i++) failed |= !(ring->sum[i] = calloc(bordered * 4, sizeof(double)));
    if (failed) {
        stream_close(ring);
        return 0;
    }
    double *sky = ring->sky;
    for (int s = 0; s < slow + 2; s++)
        for (int f = 0; f < fast + 2; f++, sky += 3) {          // tangent plane to sky, FITS paper II
            double x = -grid->step * ((grid->swap ? s : f) - grid->crpix_x), y = grid->step * ((grid->swap ? f : s) - grid->crpix_y);
            double phi = atan2(x, -y), theta = atan(DEG / sqrt(x * x + y * y)), dp = grid->dec / DEG;
            sky[0] = grid->ra + atan2(cos(theta) * sin(phi), sin(theta) * cos(dp) + cos(theta) * sin(dp) * cos(phi)) * DEG;
            sky[1] = asin(sin(theta) * sin(dp) - cos(theta) * cos(dp) * cos(phi)) * DEG;
            sky[2] = cos(sky[1] / DEG);
        }
    return ring;
}
