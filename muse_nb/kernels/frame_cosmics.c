// Cosmic-ray hits of a frame: pixels that are sharper than the optics can make a star or a line, grown and counted as hits.
#include "stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REACH 2         // pixels to either side that tell what light is there: beyond a sharp pixel, within a star
#define SIGMAS 8.f      // above that light
#define FLOOR 25.f      // electrons; a first look without the variance
#define SHARP 0.65f     // of the excess, over the nearest pixels: a line or star of FWHM 2 pixels has 0.5
#define TRACK 0.2f      // of the excess, and half of SIGMAS: what belongs to the same hit
#define LOUD 25.f      // times the photon noise: beside the slices, where the flat field has no light
#define DARK 100.f      // electrons; more than the read noise squared
#define LONGEST 2000    // pixels of a hit
#define NOTHING __builtin_nanf("")

typedef struct {
    const uint32_t *data, *dq, *stat;
    int64_t ny, nx;
    int swap;
} Image;

static inline uint32_t word(const Image *im, const uint32_t *plane, int64_t i) { return im->swap ? __builtin_bswap32(plane[i]) : plane[i]; }

static inline float number(const Image *im, const uint32_t *plane, int64_t i) {
    uint32_t u = word(im, plane, i);
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline float larger(float a, float b) { return a > b ? a : b; }
static inline int64_t larger_of(int64_t a, int64_t b) { return a > b ? a : b; }

HOT static void load_row(const uint32_t *from, int64_t nx, int swap, uint32_t *to) {
    if (swap) for (int64_t x = 0; x < nx; x++) to[x] = __builtin_bswap32(from[x]);
    else memcpy(to, from, 4 * nx);
}

// 1 where a pixel of the columns that are looked at is above the light two pixels away, along the row and along the column.
HOT static void first_look(const float *below, const float *row, const float *above, const uint8_t *columns, int64_t nx,
                           uint8_t *seen) {
    for (int64_t x = REACH; x < nx - REACH; x++) {
        float across = 0.5f * (row[x - REACH] + row[x + REACH]), along = 0.5f * (below[x] + above[x]);
        seen[x] = (row[x] - larger(across, along) > FLOOR) & columns[x];
    }
}

static inline int is_loud(float variance, float light) { return !(variance <= LOUD * (larger(light, 0) + DARK)); }

static int is_good(const Image *im, int64_t i) { return !im->dq || !(word(im, im->dq, i) & ~COSMICRAY); }

static inline float mean(const Image *im, int64_t before, int64_t after) {
    return 0.5f * (number(im, im->data, before) + number(im, im->data, after));
}

// Whether a pixel is `least` above what lies on both sides of it, and most of that is gone at its nearest neighbours.
static int is_sharp(const Image *im, int64_t i, int64_t step, float least) {
    float light = mean(im, i - REACH * step, i + REACH * step), excess = number(im, im->data, i) - light;
    return excess > least && mean(im, i - step, i + step) - light < (1 - SHARP) * excess;
}

// The excess that makes neighbours part of the hit at pixel i, or no number where i is no sharp pixel above the light.
static float excess_of_hit(const Image *im, int64_t i) {
    const int64_t nx = im->nx, far[4] = {i - REACH, i + REACH, i - REACH * nx, i + REACH * nx};
    float variance = 0, light = larger(mean(im, far[0], far[1]), mean(im, far[2], far[3]));
    for (int k = 0; k < 4; k++) {
        float v = number(im, im->stat, far[k]);
        if (!(v >= 0)) return NOTHING;
        variance = larger(variance, v);
    }
    float excess = number(im, im->data, i) - light, sigma = sqrtf(variance);
    if (is_loud(variance, light) || !(excess > SIGMAS * sigma)) return NOTHING;
    if (!is_sharp(im, i, 1, 0) && !is_sharp(im, i, nx, 0)) return NOTHING;
    return larger(TRACK * excess, 0.5f * SIGMAS * sigma);
}

// Mark a hit's pixels from one of them on, the flagged and the sharp; how many they are. `cut`: it leaves its slice to the right.
static int64_t grow(const Image *im, int64_t start, float least, const uint8_t *columns, uint8_t *taken, int64_t *stack, int *cut) {
    int64_t depth = 0, pixels = 0;
    *cut = 0;
    stack[depth++] = start;
    taken[start >> 3] |= 1 << (start & 7);
    while (depth) {
        int64_t i = stack[--depth], x = i % im->nx, y = i / im->nx;
        pixels++;
        *cut |= columns[x] && !columns[x + 1];
        for (int64_t v = larger_of(y - 1, REACH); v <= y + 1 && v < im->ny - REACH; v++)
            for (int64_t u = larger_of(x - 1, REACH); u <= x + 1 && u < im->nx - REACH; u++) {
                int64_t j = v * im->nx + u;
                if (taken[j >> 3] >> (j & 7) & 1 || depth + pixels >= LONGEST || !is_good(im, j)) continue;
                int flagged = im->dq && word(im, im->dq, j) & COSMICRAY;
                int sharp = is_sharp(im, j, 1, least) || is_sharp(im, j, im->nx, least);
                if (!flagged && (!sharp || is_loud(number(im, im->stat, j), number(im, im->data, j)))) continue;
                taken[j >> 3] |= 1 << (j & 7);
                stack[depth++] = j;
            }
    }
    return pixels;
}

// columns: 1 for those that are looked at; flags: whether any pixel has the recipe's flag; found: hits, their pixels.
// 0, or -1 without memory.
HOT int frame_cosmics(const uint32_t *data, const uint32_t *dq, const uint32_t *stat, int64_t ny, int64_t nx, int swap, int flags,
                      const uint8_t *columns, int64_t *found) {
    const Image im = {data, dq, stat, ny, nx, swap};
    found[0] = found[1] = 0;
    if (ny <= 2 * REACH || nx <= 2 * REACH) return 0;
    float *rows = malloc((2 * REACH + 1) * nx * sizeof(float));
    uint8_t *seen = calloc(nx + 8, 1), *taken = calloc((ny * nx >> 3) + 1, 1);
    int64_t *stack = malloc(LONGEST * sizeof(int64_t));
    int full = !rows || !seen || !taken || !stack;
    for (int64_t y = 0; !full && y < ny; y++) {
        load_row(data + y * nx, nx, swap, (uint32_t *)(rows + y % (2 * REACH + 1) * nx));
        int64_t at = y - REACH;
        if (at < REACH) continue;
        const float *row[3];
        for (int k = 0; k < 3; k++) row[k] = rows + (at + (k - 1) * REACH) % (2 * REACH + 1) * nx;
        first_look(row[0], row[1], row[2], columns, nx, seen);
        if (flags && dq) for (int64_t x = REACH; x < nx - REACH; x++) seen[x] |= columns[x] && word(&im, dq, at * nx + x) & COSMICRAY;
        for (int64_t block = 0; block < nx; block += 8) {
            uint64_t any;
            memcpy(&any, seen + block, 8);
            if (!any) continue;
            for (int64_t x = block; x < block + 8 && x < nx - REACH; x++) {
                int64_t i = at * nx + x;
                if (!seen[x] || is_loud(number(&im, stat, i), number(&im, data, i))) continue;
                if (taken[i >> 3] >> (i & 7) & 1 || !is_good(&im, i)) continue;
                float least = excess_of_hit(&im, i);
                if (least != least) {
                    if (!flags || !dq || !(word(&im, dq, i) & COSMICRAY)) continue;
                    least = __builtin_inff();  // the recipe's flags alone say how far it goes
                }
                int cut;
                int64_t pixels = grow(&im, i, least, columns, taken, stack, &cut);
                if (cut) continue;  // who counts all that reach over an edge counts too many: only those over the left one
                found[0]++;
                found[1] += pixels;
            }
        }
    }
    free(rows), free(seen), free(taken), free(stack);
    return full ? -1 : 0;
}
