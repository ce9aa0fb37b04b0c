// Rows of a slab of planes: read, put on the grid with the recipe's own roundings, sorted by cell.
#include "native.h"
#include "stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct { float ra[CHUNK], dec[CHUNK]; int cell[CHUNK], plane[CHUNK]; } Places;
typedef struct { float lambda[CHUNK], data[CHUNK], stat[CHUNK]; } Values;
typedef struct { const Grid *grid; Exposure *exposure; int exposures; Ring *ring; int first, last; int failed[MAXTHREADS]; } Load;

// Position of rows and their cell. The recipe keeps offsets in RA and DEC as float32, in degrees, and so do we.
INLINE void place_body(const Grid *g, const Exposure *e, const uint32_t *x, const uint32_t *y, int n, Places *p, int vectors) {
    (void)vectors;
    const Pole pole = pole_at(e->sin_dec, e->cos_dec);
    const double scale = DEG / g->step, cx = g->crpix_x - 1, cy = g->crpix_y - 1, xmax = g->nx - 1, ymax = g->ny - 1;
    const double g_sin = g->sin_dec, g_cos = g->cos_dec, d_ra = e->d_ra, d_dec = e->d_dec;
    const int fx = g->swap ? g->ny : 1, fy = g->swap ? 1 : g->nx, native = e->kind == NATIVE;
    for (int i = 0; i < n; i++) {
        float ra = swapped(x[i]), dec = swapped(y[i]);
        if (native) sky_offset(ra, dec, &pole, &ra, &dec);
        ra = (float)(ra + d_ra);
        dec = (float)(dec + d_dec);
        double east, north;
        tangent_plane(ra, dec, g_sin, g_cos, scale, &east, &north);
        double px = cx - east + .5, py = cy + north + .5;
        px = px < 0 ? 0 : px > xmax ? xmax : px;                // beyond the edge: the edge cell, as the recipe does
        py = py < 0 ? 0 : py > ymax ? ymax : py;
        p->ra[i] = ra;
        p->dec[i] = dec;
        p->cell[i] = (int)px * fx + (int)py * fy;
    }
}
THRICE(void, place, (const Grid *g, const Exposure *e, const uint32_t *x, const uint32_t *y, int n, Places *p), g, e, x, y, n, p)

// Plane of each row minus `first`, or -1 where it is not wanted now.
INLINE void choose_body(const Grid *g, const uint32_t *lambda, int n, int first, int last, int *plane, int vectors) {
    (void)vectors;
    const double inverse = 1 / g->lambda_step;
    for (int i = 0; i < n; i++) {
        float l = swapped(lambda[i]);
        int z = (int)((l - g->lambda_min) * inverse + .5);
        int wanted = (z >= first) & (z < last) & (l >= g->lambda_low) & (l <= g->lambda_high);
        plane[i] = wanted ? z - first : -1;
    }
}
THRICE(void, choose, (const Grid *g, const uint32_t *lambda, int n, int first, int last, int *plane), g, lambda, n, first, last, plane)

typedef struct { uint32_t *word[NCOLUMN]; Places *places; Values *values; int64_t *fill; Row **row; Key **key; } Buffers;

static int make_room(const Load *load, int thread, Buffers *b, int n) {
    for (int z = 0; z < load->last - load->first; z++) {
        Plane *p = load->ring->plane + (load->first + z) % load->ring->nplane;
        int64_t need = b->fill[z] + n;
        if (need > p->room[thread]) {
            int64_t room = need * 5 / 4 + 4096;
            Row *row = realloc(p->row[thread], room * sizeof *row);
            if (row) p->row[thread] = row;
            Key *key = realloc(p->key[thread], room * sizeof *key);
            if (key) p->key[thread] = key;
            if (!row || !key) return -1;
            p->room[thread] = room;
        }
        b->row[z] = p->row[thread];
        b->key[z] = p->key[thread];
    }
    return 0;
}

// Values of rows as the processor has them; plane becomes -1 where a row is flagged, and -2 - plane where it is not but its data
// or variance are not finite.
INLINE void values_body(float flux, const uint32_t *lambda, const uint32_t *data, const uint32_t *stat, const uint32_t *dq, int n,
                        int *plane, Values *v, int vectors) {
    (void)vectors;
    const uint32_t harmful = __builtin_bswap32(~COSMICRAY), exponent = 0x7f800000;
    for (int i = 0; i < n; i++) {
        const uint32_t d = __builtin_bswap32(data[i]), s = __builtin_bswap32(stat[i]);
        const int infinite = ((d & exponent) == exponent) | ((s & exponent) == exponent);
        const int z = (plane[i] < 0) | ((dq[i] & harmful) != 0) ? -1 : plane[i];
        plane[i] = infinite & (z >= 0) ? -2 - z : z;
        v->lambda[i] = swapped(lambda[i]);
        v->data[i] = swapped(data[i]) * flux;
        v->stat[i] = swapped(stat[i]) * flux * flux;
    }
}
THRICE(void, values,
      (float flux, const uint32_t *lambda, const uint32_t *data, const uint32_t *stat, const uint32_t *dq, int n, int *plane, Values *v),
      flux, lambda, data, stat, dq, n, plane, v)

static int keep(const Load *load, int number, int thread, Buffers *b, int skip, int n) {
    if (make_room(load, thread, b, n)) return -1;
    const Ring *ring = load->ring;
    const Places *places = b->places;
    const Values *v = b->values;
    const uint32_t *dq = b->word[DQ], exposures = load->exposures;
    int *plane = b->places->plane + skip;
    values(load->exposure[number].flux, b->word[LAMBDA] + skip, b->word[DATA], b->word[STAT], dq, n, plane, b->values);
    for (int i = 0; i < n; i++) {
        const int z = plane[i];
        if (z < 0) {
            if (z < -1)
                __atomic_fetch_add(ring->plane[(load->first - 2 - z) % ring->nplane].bad + number, 1, __ATOMIC_RELAXED);
            continue;
        }
        const uint32_t cell = places->cell[i];
        const int64_t at = b->fill[z]++;
        b->row[z][at] = (Row){places->ra[i], places->dec[i], v->lambda[i], v->stat[i]};
        b->key[z][at] = (Key){(cell * exposures + number) | (dq[i] ? REJECTED : 0), v->data[i]};
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
    const int planes = load->last - load->first;
    Buffers b = {.places = malloc(sizeof(Places)), .values = malloc(sizeof(Values)), .fill = calloc(planes, sizeof(int64_t)),
                 .row = calloc(planes, sizeof(Row *)), .key = calloc(planes, sizeof(Key *))};
    uint32_t *words = malloc(NCOLUMN * CHUNK * sizeof *words);
    load->failed[thread] = !b.places || !b.values || !b.fill || !b.row || !b.key || !words;
    for (int c = 0; c < NCOLUMN; c++) b.word[c] = words + c * CHUNK;
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
    free(b.values);
    free(b.fill);
    free(b.row);
    free(b.key);
    free(words);
}

// Number of a row's cell: a division by the number of exposures, exact, and faster by its inverse.
static inline uint32_t cell_of(Key key, double inverse) { return (uint32_t)(((int)(key.cell & ~REJECTED) + .5) * inverse); }

// Sort the rows of a plane by cell, by counting them.
static int sort_plane(Plane *p, int64_t cells, int threads, double inverse, uint32_t *place) {
    p->total = 0;
    for (int t = 0; t < threads; t++) p->total += p->count[t];
    if (p->total >= p->capacity) {
        p->capacity = p->total + p->total / 32 + 1;
        free(p->value);
        free(p->order);
        p->value = malloc((p->capacity + AHEAD) * sizeof *p->value);
        p->order = calloc(p->capacity + AHEAD, sizeof *p->order);
        if (!p->value || !p->order) return -1;
    }
    memset(place, 0, cells * sizeof *place);
    for (int t = 0; t < threads; t++)
        for (int64_t i = 0; i < p->count[t]; i++) place[cell_of(p->key[t][i], inverse)]++;
    uint32_t sum = 0;
    for (int64_t c = 0; c < cells; c++) {
        const uint32_t count = place[c];
        p->start[c] = place[c] = sum;
        sum += count;
    }
    p->start[cells] = sum;
    for (int t = 0; t < threads; t++)
        for (int64_t i = 0; i < p->count[t]; i++) {
            const Key key = p->key[t][i];
            const uint32_t k = place[cell_of(key, inverse)]++;
            p->value[k] = key.data;
            p->order[k] = (key.cell & REJECTED) | (uint32_t)t << 25 | (uint32_t)i;
        }
    return 0;
}

static void sort_share(void *argument, int thread, int threads) {
    Load *load = argument;
    Ring *ring = load->ring;
    uint32_t *place = malloc(ring->cells * sizeof *place);
    int failed = !place;
    for (int z = load->first + thread; z < load->last && !failed; z += threads)
        failed = sort_plane(ring->plane + z % ring->nplane, ring->cells, ring->threads, 1. / load->exposures, place);
    load->failed[thread] |= failed;
    free(place);
}

// Load planes [first, last) into the ring; 0 where all could be read and there was memory for it.
int stream_load(const Grid *grid, Exposure *exposure, int exposures, Ring *ring, int first, int last) {
    Load *load = calloc(1, sizeof *load);
    if (!load || (double)ring->cells * exposures >= 2147483648.) return -1;
    load->grid = grid, load->exposure = exposure, load->exposures = exposures, load->ring = ring;
    load->first = first, load->last = last;
    for (int z = first; z < last; z++) memset(ring->plane[z % ring->nplane].bad, 0, exposures * sizeof(int64_t));
    int failed = 0;
    Task tasks[2] = {load_share, sort_share};
    for (int k = 0; k < 2 && !failed; k++) {
        run_threads(tasks[k], load, ring->threads);
        for (int t = 0; t < ring->threads; t++) failed |= load->failed[t];
    }
    free(load);
    return failed ? -1 : 0;
}

void stream_close(Ring *ring) {
    for (int i = 0; ring->plane && i < ring->nplane; i++) {
        Plane *p = ring->plane + i;
        for (int t = 0; t < MAXTHREADS; t++) {
            free(p->row[t]);
            free(p->key[t]);
        }
        free(p->bad);
        free(p->start);
        free(p->order);
        free(p->value);
    }
    free(ring->plane);
    free(ring->guess);
    for (int i = 0; i < 3; i++) free(ring->sum[i]);
    for (int i = 0; i < 3; i++) free(ring->sky[i]);
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
    ring->guess = calloc(ring->cells, sizeof *ring->guess);
    int failed = !ring->plane || !ring->guess;
    for (int i = 0; i < 3; i++) failed |= !(ring->sky[i] = malloc(bordered * sizeof(double)));
    for (int i = 0; i < ring->nplane && !failed; i++) {
        ring->plane[i].start = calloc(ring->cells + 1, sizeof(uint32_t));
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
    for (int64_t i = 0; i < bordered; i++) {                    // tangent plane to sky, FITS paper II
        int f = (int)(i % (fast + 2)), s = (int)(i / (fast + 2));
        double x = -grid->step * ((grid->swap ? s : f) - grid->crpix_x), y = grid->step * ((grid->swap ? f : s) - grid->crpix_y);
        double phi = atan2(x, -y), theta = atan(DEG / sqrt(x * x + y * y)), pole = grid->dec / DEG;
        double east = cos(theta) * sin(phi), north = sin(theta) * cos(pole) + cos(theta) * sin(pole) * cos(phi);
        ring->sky[0][i] = grid->ra + atan2(east, north) * DEG;
        ring->sky[1][i] = asin(sin(theta) * sin(pole) - cos(theta) * cos(pole) * cos(phi)) * DEG;
        ring->sky[2][i] = cos(ring->sky[1][i] / DEG);
    }
    return ring;
}
