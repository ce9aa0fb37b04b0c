// Which voxels the drop of a row reaches, and how much of it each of them gets.
#ifndef DROP_H
#define DROP_H

#include "stream.h"
#include <math.h>

typedef struct { float reach_x, reach_y, reach_z, drop_x, drop_y, drop_z; double lambda, per_plane; } Sizes;    // in voxels

// 2 x 2 cells from `corner` on, in two planes of which the lower may be the one before: overlaps on the sky, and in wavelength.
typedef struct { float sky[4], depth[2]; int32_t corner, lower; } Drop;

static inline Sizes sizes_of(const Grid *g, int z) {
    return (Sizes){.reach_x = (float)(.5 * (g->drop_ra + 1)), .reach_y = (float)(.5 * (g->drop_dec + 1)),
                   .reach_z = (float)(.5 * (g->drop_lambda + 1)), .drop_x = (float)g->drop_ra, .drop_y = (float)g->drop_dec,
                   .drop_z = (float)g->drop_lambda, .lambda = z * g->lambda_step + g->lambda_min, .per_plane = 1 / g->lambda_step};
}

// Overlap of a drop with a voxel along one axis, in voxels, when their centres are this far apart.
INLINE float overlap(float reach, float distance, float drop) {
    float x = reach - fabsf(distance);
    x = x > 0 ? x : 0;
    return x < drop ? x : drop;
}

INLINE float along(Slope slope, float cells) { return slope.start + slope.change * cells; }

// The drop of a row in a line of cells, of which `line` is the first and `width` further on is the next. A cell's neighbours lie by
// the slopes, which is good to 1e-6 of a voxel.
INLINE Drop drop_of(int swap, int width, const Sizes *s, const Slopes *slopes, int line, int cell, Row row) {
    const float cells = (float)(cell - line);
    const float ra_fast = along(slopes->ra_fast, cells), ra_slow = along(slopes->ra_slow, cells);
    const float dec_fast = along(slopes->dec_fast, cells), dec_slow = along(slopes->dec_slow, cells);
    const float p = -(row.fast * ra_fast + row.slow * ra_slow), q = -(row.fast * dec_fast + row.slow * dec_slow);
    const float l = (float)((row.lambda - s->lambda) * s->per_plane);
    const int west = p < 0, south = q > 0, fast = swap ? south : west, slow = swap ? west : south, lower = l < 0;
    const float f = (float)-fast, h = (float)-slow, z = (float)-lower;
    const float x = p + f * ra_fast + h * ra_slow, y = q + f * dec_fast + h * dec_slow;
    return (Drop){
        .sky = {overlap(s->reach_x, x, s->drop_x) * overlap(s->reach_y, y, s->drop_y),
                overlap(s->reach_x, x + ra_fast, s->drop_x) * overlap(s->reach_y, y + dec_fast, s->drop_y),
                overlap(s->reach_x, x + ra_slow, s->drop_x) * overlap(s->reach_y, y + dec_slow, s->drop_y),
                overlap(s->reach_x, x + (ra_fast + ra_slow), s->drop_x) * overlap(s->reach_y, y + (dec_fast + dec_slow), s->drop_y)},
        .depth = {overlap(s->reach_z, z - l, s->drop_z), overlap(s->reach_z, z + 1 - l, s->drop_z)},
        .corner = cell - fast - slow * width,
        .lower = lower,
    };
}
#endif
