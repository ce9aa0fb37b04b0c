// Why is a voxel NaN? Rows of pixel tables are scattered to the voxels in question, with the drizzle's own overlaps.
#include "native.h"
#include "stream.h"
#include <math.h>
#include <stdint.h>

static inline uint32_t native(uint32_t u, int swap) { return swap ? __builtin_bswap32(u) : u; }

// ---- a plane of a cube: where are data, from which plane to which -------------------------------------------------
// first, last and count are updated for every spaxel that is not NaN; returns the number of NaN, adds infinities
static inline __attribute__((always_inline)) int64_t cover(const uint32_t *restrict plane, int64_t n, const int swap,
                                                           int32_t k, int32_t *restrict first, int32_t *restrict last,
                                                           int32_t *restrict count, int64_t *infinite) {
    int64_t missing = 0, inf = 0;
    for (int64_t start = 0; start < n; start += 4096) {
        int m = n - start < 4096 ? (int)(n - start) : 4096;
        int32_t nan = 0, infs = 0;
        const uint32_t *p = plane + start;
        int32_t *restrict f = first + start, *restrict l = last + start, *restrict c = count + start;
        for (int i = 0; i < m; i++) {
            uint32_t bits = native(p[i], swap) & 0x7fffffffu;
            int32_t here = bits <= 0x7f800000u, early = here ? k : INT32_MAX;
            infs += bits == 0x7f800000u;
            nan += 1 - here;
            f[i] = early < f[i] ? early : f[i];
            l[i] = here ? k : l[i];
            c[i] += here;
        }
        missing += nan;
        inf += infs;
    }
    *infinite += inf;
    return missing;
}

HOT int64_t plane_coverage(const uint32_t *plane, int64_t n, int swap, int32_t k, int32_t *first, int32_t *last,
                           int32_t *count, int64_t *infinite) {
    return swap ? cover(plane, n, 1, k, first, last, count, infinite) : cover(plane, n, 0, k, first, last, count, infinite);
}

// ---- rows of a pixel table -----------------------------------------------------------------------------------------
typedef struct {
    int32_t nx, ny, nz, pad;
    double crval3, cd33, crpix3;  // wavelength of plane k: (k + 1 - crpix3) cd33 + crval3
    double drop_x, drop_y, drop_z;  // size of a drop, degrees and Angstrom
    double size_x, size_y, size_z;  // size of a voxel
    const double *ra, *dec, *cosdec;  // of each spaxel
    double ra0, dec0;             // zero point of the rows' positions
} Voxels;

typedef struct {  // what reaches a voxel
    float good;    // largest weight of a row with dq 0
    float bad;     // largest overlap of a flagged row, and what it is:
    int32_t dq, origin, table;
    uint32_t common;  // flags that all its flagged rows share
    uint8_t near;         // a row lies in it or beside it
    uint8_t nonfinite;    // a row with dq 0 that is not finite spoils it, or was left out of it
    uint8_t only_badpix;  // the flagged row above has no flags but those that the bad-pixel table gave it
    uint8_t zero_weight;  // a row with dq 0 reaches it, with a weight that vanishes
} Story;

typedef struct {  // the recipe's formulas with its rounding: rows that lie on the border of two cells go where it puts them
    int32_t native;          // positions are native spherical (radian), else celestial, relative to the pointing (degrees)
    int32_t cut;             // bits: the cube was cut at its low x, high x, low y, ...
    double ra, dec;          // pointing of the table
    double crval1, crval2, crpix1, crpix2, cd11, cd12, cd21, cd22;
} Place;

// Held against structs.py by a test.
const int64_t sizeof_Voxels = sizeof(Voxels), sizeof_Story = sizeof(Story), sizeof_Place = sizeof(Place);

// Rows up to a cell beyond the edge go to the edge cell, as by the recipe; where the cube was cut out of a larger one they
// stay in the cell they fell in, within three cells.
static inline int32_t cell_at(double p, int32_t n, int low_cut, int high_cut) {
    if (!(p > -3)) return -3;
    if (p < 0) return p > -1 && !low_cut ? 0 : (int32_t)floor(p);
    return p < n ? (int32_t)p : p < n + 1 && !high_cut ? n - 1 : p < n + 2 ? (int32_t)p : n + 2;
}

HOT void place_rows(const Voxels *g, const Place *q, int64_t n, const float *xpos, const float *ypos,
                    const float *wavelength, float *a, float *b, int32_t *cell) {
    const Pole pole = pole_at(sin(q->dec / DEG), cos(q->dec / DEG));
    const double s0 = sin(q->crval2 / DEG), c0 = cos(q->crval2 / DEG);
    const double det = q->cd11 * q->cd22 - q->cd12 * q->cd21, shift_a = q->ra - q->crval1, shift_b = q->dec - q->crval2;
    for (int64_t r = 0; r < n; r++) {
        float ra = xpos[r], dec = ypos[r];
        if (q->native) sky_offset(ra, dec, &pole, &ra, &dec);
        a[r] = ra = (float)(ra + shift_a);
        b[r] = dec = (float)(dec + shift_b);
        double x, y;
        tangent_plane(ra, dec, s0, c0, DEG, &x, &y);
        double px = (q->cd22 * x - q->cd12 * y) / det + q->crpix1 - .5, py = (q->cd11 * y - q->cd21 * x) / det + q->crpix2 - .5;
        double pz = (wavelength[r] - g->crval3) / g->cd33 + g->crpix3 - .5;
        cell[3 * r] = cell_at(px, g->nx, q->cut & 1, q->cut & 2);
        cell[3 * r + 1] = cell_at(py, g->ny, q->cut & 4, q->cut & 8);
        cell[3 * r + 2] = cell_at(pz, g->nz, q->cut & 16, q->cut & 32);
    }
}

static inline double overlap(double distance, double drop, double size) {
    double x = 0.5 * (drop + size) - distance;
    double most = drop < size ? drop : size;
    return x > most ? most : x;
}

static inline double area(const Voxels *g, int64_t spaxel, double ra, double dec) {
    double x = overlap(fabs(g->ra[spaxel] - ra) * g->cosdec[spaxel], g->drop_x, g->size_x);
    if (x <= 0) return 0;
    double y = overlap(fabs(g->dec[spaxel] - dec), g->drop_y, g->size_y);
    return y <= 0 ? 0 : x * y;
}

static inline double depth(const Voxels *g, int k, double wavelength) {
    double centre = (k + 1. - g->crpix3) * g->cd33 + g->crval3;
    return overlap(fabs(centre - wavelength), g->drop_z, g->size_z);
}

#define AROUND(i, c, n) for (int i = (c) > 0 ? (c) - 1 : 0; i <= (c) + 1 && i < (n); i++)

// planes that any row reaches, by spaxel
void row_coverage(const Voxels *g, int64_t n, const float *a, const float *b, const float *wavelength,
                  const int32_t *cell, int32_t *first, int32_t *last) {
    for (int64_t r = 0; r < n; r++) {
        int cx = cell[3 * r], cy = cell[3 * r + 1], cz = cell[3 * r + 2], low = g->nz, high = -1;
        AROUND(k, cz, g->nz) if (depth(g, k, wavelength[r]) > 0) {
            low = k < low ? k : low;
            high = k > high ? k : high;
        }
        if (high < 0) continue;
        double ra = a[r] + g->ra0, dec = b[r] + g->dec0;
        AROUND(y, cy, g->ny) AROUND(x, cx, g->nx) {
            int64_t s = (int64_t)y * g->nx + x;
            if (first[s] <= low && last[s] >= high) continue;
            if (area(g, s, ra, dec) <= 0) continue;
            if (low < first[s]) first[s] = low;
            if (high > last[s]) last[s] = high;
        }
    }
}

// voxel: number of its story or -1, planes z0 to z1; table_dq: flags that the bad-pixel table gave to the row, or 0;
// spreads: a good row that is not finite spoils all voxels near it (0 x NaN), otherwise it is left out
void row_stories(const Voxels *g, int64_t n, const float *a, const float *b, const float *wavelength,
                 const int32_t *cell, const int32_t *dq, const int32_t *table_dq, const int32_t *origin,
                 const uint8_t *finite, const float *weight, int32_t table, int32_t z0, int32_t z1, int32_t spreads,
                 const int32_t *voxel, Story *stories) {
    for (int64_t r = 0; r < n; r++) {
        int cx = cell[3 * r], cy = cell[3 * r + 1], cz = cell[3 * r + 2];
        if (cz < z0 - 1 || cz > z1) continue;
        double ra = a[r] + g->ra0, dec = b[r] + g->dec0, w = weight ? weight[r] : 1;
        int nonfinite = !dq[r] && !finite[r];
        AROUND(k, cz, g->nz) {
            if (k < z0 || k >= z1) continue;
            double deep = -1;
            AROUND(y, cy, g->ny) AROUND(x, cx, g->nx) {
                int64_t s = (int64_t)y * g->nx + x;
                int32_t number = voxel[(int64_t)(k - z0) * g->ny * g->nx + s];
                if (number < 0) continue;
                Story *t = stories + number;
                t->near = 1;
                if (nonfinite && spreads) t->nonfinite = 1;
                if (deep < 0) deep = fmax(depth(g, k, wavelength[r]), 0);
                double v = deep > 0 ? deep * area(g, s, ra, dec) / (g->drop_x * g->drop_y * g->drop_z) : 0;
                if (v <= 0) continue;
                if (nonfinite && !spreads) {
                    t->nonfinite = 1;
                    continue;
                }
                if (!dq[r]) {
                    if (w * v < 2.3e-308) t->zero_weight = 1;
                    else if (w * v > t->good) t->good = (float)(w * v);
                    continue;
                }
                t->common = t->bad > 0 ? t->common & (uint32_t)dq[r] : (uint32_t)dq[r];
                int only_badpix = table_dq && table_dq[r] && !(dq[r] & ~table_dq[r]);
                if (only_badpix > t->only_badpix || (only_badpix == t->only_badpix && v > t->bad)) {
                    t->dq = only_badpix ? table_dq[r] : dq[r];
                    t->origin = origin[r];
                    t->table = table;
                    t->only_badpix = (uint8_t)only_badpix;
                }
                if (v > t->bad) t->bad = (float)v;
            }
        }
    }
}
