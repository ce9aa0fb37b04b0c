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

// likelihood[offset] = sum over sources of max(due * seen - due^2 / 2, -3); matched[offset] = sources seen above 4
// x, y: the sources at offset 0; dx, dy: what each offset adds, all in pixels
HOT void scan_offsets(int64_t offsets, const double *dx, const double *dy, int64_t sources, const double *x,
                      const double *y, const double *amplitude, int64_t ny, int64_t nx, const double *significance,
                      const double *inverse_error, double cap, double *likelihood, int64_t *matched)
{
    for (int64_t o = 0; o < offsets; o++)
        likelihood[o] = matched[o] = 0;
    for (int64_t k = 0; k < sources; k++)
        for (int64_t o = 0; o < offsets; o++) {
            const double px = x[k] + dx[o], py = y[k] + dy[o];
            const double seen = between(significance, ny, nx, px, py);
            const double full = nearest(inverse_error, ny, nx, px, py) * amplitude[k], due = full < cap ? full : cap;
            const double gain = due * seen - due * due / 2;
            likelihood[o] += gain > -3 ? gain : -3;
            matched[o] += seen > 4 && due > 0;
        }
}
