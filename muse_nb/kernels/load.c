// Rows of a slab of planes: read, put on the grid with the recipe's own roundings, and staged plane by plane.
#include "native.h"
#include "stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct { float fast[CHUNK], slow[CHUNK]; int cell[CHUNK], plane[CHUNK]; } Places;
typedef struct { uint32_t cell[CHUNK]; float value[CHUNK]; Row row[CHUNK]; } Rows;
typedef struct { const Grid *grid; Exposure *exposure; Ring *ring; int first, last; int failed[MAXTHREADS]; } Load;

// The cell of rows and where in it they are. The recipe keeps offsets in RA and DEC as float32, in degrees: so are they rounded here.
INLINE void place_body(const Grid *g, const Exposure *e, const uint32_t *x, const uint32_t *y, int n, Places *p, int vectors) {
    (void)vectors;
    const Pole pole = pole_at(e->sin_dec, e->cos_dec);
    const double scale = DEG / g->step, cx = g->crpix_x - 1, cy = g->crpix_y - 1, xmax = g->nx - 1, ymax = g->ny - 1;
    const double g_sin = g->sin_dec, g_cos = g->cos_dec, d_ra = e->d_ra, d_dec = e->d_dec, turn = e->turn;
    const int swap = g->swap, fx = swap ? g->ny : 1, fy = swap ? 1 : g->nx, native = e->kind == NATIVE;
    for (int i = 0; i < n; i++) {
        float ra = swapped(x[i]), dec = swapped(y[i]);
        if (native) sky_offset(ra + turn, dec, &pole, &ra, &dec);
        ra = (float)(ra + d_ra);
        dec = (float)(dec + d_dec);
        double east, north;
        tangent_plane(ra, dec, g_sin, g_cos, scale, &east, &north);
        const double px = cx - east + .5, py = cy + north + .5;
        const int ix = (int)(px < 0 ? 0 : px > xmax ? xmax : px);       // beyond the edge: the edge cell, as the recipe does
        const int iy = (int)(py < 0 ? 0 : py > ymax ? ymax : py);
        const float x = (float)(px - ix - .5), y = (float)(py - iy - .5);
        p->fast[i] = swap ? y : x;
        p->slow[i] = swap ? x : y;
        p->cell[i] = ix * fx + iy * fy;
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

typedef struct { uint32_t *word[NCOLUMN]; Places *places; Rows *rows; Pile **pile; } Buffers;

static int make_room(Pile *pile, int64_t n) {
    if (pile->count + n <= pile->room) return 0;
    const int64_t room = (pile->count + n) * 5 / 4 + 4096;
    uint32_t *cell = realloc(pile->cell, room * sizeof *cell);
    if (cell) pile->cell = cell;
    float *value = realloc(pile->value, room * sizeof *value);
    if (value) pile->value = value;
    Row *row = realloc(pile->row, room * sizeof *row);
    if (row) pile->row = row;
    if (!cell || !value || !row) return -1;
    pile->room = room;
    return 0;
}

// Rows as they are staged; plane becomes -1 where a row is flagged, and -2 - plane where it is not but its data or variance are
// not finite.
INLINE void convert_body(float flux, uint32_t *const *word, int skip, const Places *p, int n, int *plane, Rows *to, int vectors) {
    (void)vectors;
    const uint32_t harmful = __builtin_bswap32(~COSMICRAY), exponent = 0x7f800000;
    const uint32_t *lambda = word[LAMBDA] + skip, *data = word[DATA], *stat = word[STAT], *dq = word[DQ];
    for (int i = 0; i < n; i++) {
        const uint32_t d = __builtin_bswap32(data[i]), s = __builtin_bswap32(stat[i]);
        const int infinite = ((d & exponent) == exponent) | ((s & exponent) == exponent);
        const int z = (plane[i] < 0) | ((dq[i] & harmful) != 0) ? -1 : plane[i];
        plane[i] = infinite & (z >= 0) ? -2 - z : z;
        to->cell[i] = (uint32_t)p->cell[i] | (dq[i] ? KNOWN : 0);
        to->value[i] = swapped(data[i]) * flux;
    }
    for (int i = 0; i < n; i++) to->row[i] = (Row){p->fast[i], p->slow[i], swapped(lambda[i]), swapped(stat[i]) * flux * flux};
}
THRICE(void, convert, (float flux, uint32_t *const *word, int skip, const Places *p, int n, int *plane, Rows *to),
       flux, word, skip, p, n, plane, to)

// Stage rows: those of one wavelength lie side by side in a table, so that runs of them go to the same plane.
static int keep(const Load *load, int number, int thread, Buffers *b, int skip, int n) {
    const Ring *ring = load->ring;
    int *plane = b->places->plane + skip;
    const Rows *rows = b->rows;
    if (ring->reasons && put_aside(ring, thread, load->first, n, plane, b->places->fast, b->places->slow, b->places->cell,
                                   b->word[LAMBDA] + skip, b->word[DATA], b->word[STAT], b->word[DQ])) return -1;
    convert(load->exposure[number].flux, b->word, skip, b->places, n, plane, b->rows);
    for (int i = 0, end; i < n; i = end) {
        const int z = plane[i];
        for (end = i + 1; end < n && plane[end] == z;) end++;
        const int run = end - i;
        if (z == -1) continue;
        if (z < 0) {
            __atomic_fetch_add(ring->staged[(load->first - 2 - z) % ring->nstaged].bad + number, run, __ATOMIC_RELAXED);
            continue;
        }
        Pile *pile = b->pile[z];
        if (make_room(pile, run)) return -1;
        memcpy(pile->cell + pile->count, rows->cell + i, run * sizeof *rows->cell);
        memcpy(pile->value + pile->count, rows->value + i, run * sizeof *rows->value);
        memcpy(pile->row + pile->count, rows->row + i, run * sizeof *rows->row);
        pile->count += run;
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
    Buffers b = {.places = malloc(sizeof(Places)), .rows = malloc(sizeof(Rows)), .pile = malloc(planes * sizeof(Pile *))};
    uint32_t *words = malloc(NCOLUMN * CHUNK * sizeof *words);
    load->failed[thread] = !b.places || !b.rows || !b.pile || !words;
    for (int c = 0; c < NCOLUMN; c++) b.word[c] = words + c * CHUNK;
    for (int z = 0; b.pile && z < planes; z++) {
        b.pile[z] = ring->staged[(load->first + z) % ring->nstaged].pile + thread;
        b.pile[z]->count = 0;
    }
    int64_t all = 0, before = 0;
    for (int i = 0; i < ring->exposures; i++) all += (load->exposure[i].nrow + BLOCK - 1) / BLOCK;
    int64_t from = all * thread / threads, to = all * (thread + 1) / threads;
    for (int i = 0; i < ring->exposures && !load->failed[thread]; i++) {
        int64_t blocks = (load->exposure[i].nrow + BLOCK - 1) / BLOCK;
        int64_t first = from - before > 0 ? from - before : 0, end = to - before < blocks ? to - before : blocks;
        if (first < end) load->failed[thread] |= read_blocks(load, i, thread, &b, first, end);
        for (int z = 0; z < planes; z++) b.pile[z]->end[i] = b.pile[z]->count;
        before += blocks;
    }
    free(b.places);
    free(b.rows);
    free(b.pile);
    free(words);
}

// Stage planes [first, last); 0 where all could be read and there was memory for it. What was staged before is sorted first.
int stream_load(const Grid *grid, Exposure *exposure, Ring *ring, int first, int last) {
    if (first != ring->loaded) ring->sorted = ring->loaded = first;
    if (stream_sort(ring, first - 1)) return -1;
    Load *load = calloc(1, sizeof *load);
    if (!load) return -1;
    load->grid = grid, load->exposure = exposure, load->ring = ring, load->first = first, load->last = last;
    for (int z = first; z < last; z++) memset(ring->staged[z % ring->nstaged].bad, 0, ring->exposures * sizeof(int64_t));
    run_threads(load_share, load, ring->threads);
    int failed = 0;
    for (int t = 0; t < ring->threads; t++) failed |= load->failed[t];
    free(load);
    ring->loaded = last;
    return failed ? -1 : 0;
}
