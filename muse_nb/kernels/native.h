// From native spherical coordinates to offsets on the sky, by series that are exact to 1e-11 in a field of a few degrees.
#ifndef NATIVE_H
#define NATIVE_H

#include "stream.h"

#define HALF_PI 1.57079632679489661923

// sine and cosine of an angle in 0 .. 2 pi: reduced to +-pi/4, then Taylor series; the compiler vectorises it
static inline void sine_cosine(double angle, double *sine, double *cosine) {
    const double round = 6755399441055744.;         // adding and subtracting it rounds to an integer
    double turns = (angle * (1 / HALF_PI) + round) - round, r = angle - turns * HALF_PI, z = r * r;
    double s = r * (1 + z * (-1. / 6 + z * (1. / 120 + z * (-1. / 5040 + z * (1. / 362880 - z * (1. / 39916800))))));
    double c = 1 + z * (-.5 + z * (1. / 24 + z * (-1. / 720 + z * (1. / 40320 + z * (-1. / 3628800 + z * (1. / 479001600))))));
    int quarter = (int)turns;
    double a = quarter & 1 ? c : s, b = quarter & 1 ? s : c;
    *sine = quarter & 2 ? -a : a;
    *cosine = (quarter + 1) & 2 ? -b : b;
}

// tan(RA - RA0) and sin(DEC) - sin(DEC0) of native longitude phi and y = native latitude - pi/2 (small)
static inline void to_sky(double phi, double y, double sin_dec, double cos_dec, double *tan_ra, double *d_sin) {
    double sine, cosine, y2 = y * y;
    double sin_r = -y * (1 - y2 * (1. / 6) * (1 - y2 * (1. / 20))), one_less_cos_r = y2 * .5 * (1 - y2 * (1. / 12));
    sine_cosine(phi, &sine, &cosine);
    *tan_ra = sin_r * sine / ((1 - one_less_cos_r) * cos_dec + sin_r * sin_dec * cosine);
    *d_sin = -one_less_cos_r * sin_dec - sin_r * cos_dec * cosine;
}

typedef struct { double sin_dec, cos_dec, inverse_cos, k2, k3, k4; } Pole;  // a pointing, and the series of arcsine around it

static inline Pole pole_at(double sd, double cd) {
    return (Pole){sd, cd, 1 / cd, sd / cd / 2, (1 + 2 * sd * sd) / (6 * cd * cd), (9 * sd + 6 * sd * sd * sd) / (24 * cd * cd * cd)};
}

// RA - RA0 and DEC - DEC0 [deg] of the same, as float32 like the recipe's
static inline void sky_offset(double phi, double y, const Pole *p, float *ra, float *dec) {
    double t, u;
    to_sky(phi, y, p->sin_dec, p->cos_dec, &t, &u);
    double t2 = t * t;
    u *= p->inverse_cos;
    *ra = (float)(t * (1 - t2 * (1. / 3 - t2 * .2)) * DEG);
    *dec = (float)(u * (1 + u * (p->k2 + u * (p->k3 + u * p->k4))) * DEG);
}

// Tangent plane: scale (1: in radians) times the distance to the east and to the north of the reference [deg from it]
static inline void tangent_plane(float ra, float dec, double sin_dec, double cos_dec, double scale, double *east, double *north) {
    double a = ra * (1 / DEG), b = dec * (1 / DEG), a2 = a * a, b2 = b * b;
    double sin_a = a * (1 - a2 * (1. / 6) * (1 - a2 * (1. / 20))), one_less_cos_a = a2 * .5 * (1 - a2 * (1. / 12) * (1 - a2 * (1. / 30)));
    double sin_b = b * (1 - b2 * (1. / 6) * (1 - b2 * (1. / 20))), one_less_cos_b = b2 * .5 * (1 - b2 * (1. / 12) * (1 - b2 * (1. / 30)));
    double cosine = cos_dec * (1 - one_less_cos_b) - sin_dec * sin_b;
    double depth = scale / ((1 - one_less_cos_b) - cosine * cos_dec * one_less_cos_a);
    *east = cosine * sin_a * depth;
    *north = (sin_b + cosine * sin_dec * one_less_cos_a) * depth;
}
#endif
