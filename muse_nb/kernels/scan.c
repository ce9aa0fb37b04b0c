// How well an exposure shows a list of sources at every offset of a list: the coarse placement before the fit.
#include <math.h>
#include <stdint.h>

#include "stream.h"

// value of the pixel nearest to (x, y); 0 off the image
INLINE double nearest(const double *image, int64_t ny, int64_t nx, double x, double y)
{
    const int64_t i = (int64_t)floor(x + 0.5), j = (int64_t)floor(y + 0.5);
    return i < 0 || j < 0 || i >= nx || j >= ny ? 0 : image[j * nx + i];
}

// image interpolated between its pixels; 0 off the image
INLINE double between(const double *image, int64_t ny, int64_t nx, double x, double y)
{
    if (!(x >= 0 && y >= 0 && x <= nx - 1 && y <= ny - 1))
        return 0;
    int64_t i = (int64_t)x, j = (int64_t)y;
    i -= i == nx - 1 && i > 0;
    j -= j == ny - 1 && j > 0;
    const double u = x - i, v = y - j, *at = image + j * nx + i;
    const int64_t right = nx > 1, up = ny > 1 ? nx : 0;
    return (1 - v) * ((1 - u) * at[0] + u * at[right]) + v * ((1 - u) * at[up] + u * at[up + right]);
}

// likelihood[offset] = sum over sources of worth[due][seen], linear between the columns; matched[offset] = sources seen above 4
// x, y: the sources at offset 0; dx, dy: what each offset adds, all in pixels
// worth: a row for each 1 / `fine` of what is due from 0 to `cap`, a column for each of what is seen from `least` to `cap`
HOT void scan_offsets(int64_t offsets, const double *dx, const double *dy, int64_t sources, const double *x,
                      const double *y, const double *amplitude, int64_t ny, int64_t nx, const double *significance,
                      const double *inverse_error, const double *worth, double fine, double least, double cap,
                      double *likelihood, int64_t *matched)
{
    const int64_t columns = (int64_t)((cap - least) * fine + 0.5) + 1;
    for (int64_t o = 0; o < offsets; o++)
        likelihood[o] = matched[o] = 0;
    for (int64_t k = 0; k < sources; k++)
        for (int64_t o = 0; o < offsets; o++) {
            const double px = x[k] + dx[o], py = y[k] + dy[o];
            const double seen = between(significance, ny, nx, px, py);
            const double full = nearest(inverse_error, ny, nx, px, py) * amplitude[k], due = full < cap ? full : cap;
            const double *row = worth + columns * (due > 0 ? (int64_t)(due * fine + 0.5) : 0);
            double at = (seen - least) * fine;
            at = at > 0 ? at < columns - 1 ? at : columns - 1 : 0;
            const int64_t left = at < columns - 2 ? (int64_t)at : columns - 2;
            likelihood[o] += row[left] + (at - left) * (row[left + 1] - row[left]);
            matched[o] += seen > 4 && due > 0;
        }
}
