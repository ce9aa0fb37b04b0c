// Sources on images: convolution with a round star, and maps that go from images to a grid of the sky and back.
#include <stdint.h>
#include <string.h>

#include "lanes.h"
#include "stream.h"

enum { BLOCKS = 4, STRIDE = BLOCKS * EIGHT };

// out = image convolved with a profile that is symmetric along x and y, of which profile[dy][dx], dy, dx = 0 .. reach, is
// given; beyond the image is 0. rows: room for reach + 1 rows of nx + 2 reach + STRIDE, zeros at first.
HOT void detect_convolve(int64_t ny, int64_t nx, const float *image, int64_t reach, const float *profile, float *rows,
                         float *out)
{
    const int64_t length = nx + 2 * reach + STRIDE;
    for (int64_t y = 0; y < ny; y++) {
        for (int64_t dy = 0; dy <= reach; dy++) { // the rows above and below weigh the same
            const float *below = image + (y - dy) * nx, *above = image + (y + dy) * nx;
            float *restrict both = rows + dy * length + reach;
            if (dy == 0 || y + dy >= ny)
                below = y - dy >= 0 ? below : NULL, above = NULL;
            else if (y < dy)
                below = above, above = NULL;
            if (above)
                for (int64_t x = 0; x < nx; x++)
                    both[x] = below[x] + above[x];
            else if (below)
                memcpy(both, below, nx * sizeof *both);
            else
                memset(both, 0, nx * sizeof *both);
        }
        for (int64_t x = 0; x < nx; x += STRIDE) {
            Eight sum[BLOCKS] = {{0}};
            for (int64_t dy = 0; dy <= reach; dy++) {
                const float *at = rows + dy * length + reach + x, *weight = profile + dy * (reach + 1);
                for (int b = 0; b < BLOCKS; b++)
                    sum[b] += weight[0] * *(const EightAnywhere *)(at + b * EIGHT);
                for (int64_t dx = 1; dx <= reach; dx++)
                    for (int b = 0; b < BLOCKS; b++) {
                        const EightAnywhere *left = (const EightAnywhere *)(at - dx + b * EIGHT);
                        const EightAnywhere *right = (const EightAnywhere *)(at + dx + b * EIGHT);
                        sum[b] += weight[dx] * (*left + *right);
                    }
            }
            const int64_t count = nx - x < STRIDE ? nx - x : STRIDE;
            memcpy(out + y * nx + x, sum, count * sizeof *out);
        }
    }
}

// total[image][row][column] += gain[image] * image at (y, x) = matrix (row, column) + zero, interpolated; 0 beyond it
HOT void detect_add(int64_t images, int64_t ny, int64_t nx, const double *image, const double *gain, const double *matrix,
                    const double *zero, int64_t rows, int64_t columns, double *total)
{
    for (int64_t j = 0; j < rows; j++)
        for (int64_t i = 0; i < columns; i++) {
            const double y = matrix[0] * j + matrix[1] * i + zero[0], x = matrix[2] * j + matrix[3] * i + zero[1];
            if (!(x >= 0 && y >= 0 && x <= nx - 1 && y <= ny - 1))
                continue;
            const int64_t left = (int64_t)x, low = (int64_t)y;
            const int64_t right = left + (left < nx - 1), high = low + (low < ny - 1);
            const double u = x - left, v = y - low;
            for (int64_t k = 0; k < images; k++) {
                const double *below = image + (k * ny + low) * nx, *above = image + (k * ny + high) * nx;
                const double lower = below[left] + u * (below[right] - below[left]);
                const double upper = above[left] + u * (above[right] - above[left]);
                total[(k * rows + j) * columns + i] += gain[k] * (lower + v * (upper - lower));
            }
        }
}

// Weights of the four coefficients around a place of a cubic B-spline, and their derivatives; t: how far behind the second
INLINE void cubic(double t, double weight[4], double slope[4])
{
    const double u = 1 - t, t2 = t * t, u2 = u * u;
    weight[0] = u * u2 / 6, weight[1] = 2. / 3 - t2 * (1 + u) / 2, weight[2] = 2. / 3 - u2 * (1 + t) / 2, weight[3] = t * t2 / 6;
    slope[0] = -u2 / 2, slope[1] = t * (1.5 * t - 2), slope[2] = u * (2 - 1.5 * u), slope[3] = t2 / 2;
}

INLINE int64_t inside(int64_t at, int64_t size) { return at < 0 ? 0 : at < size ? at : size - 1; }

// value, along_row and along_column of a cubic B-spline, given by its coefficients on a grid, at (row, column) = matrix
// (y, x) + zero; beyond the grid the nearest coefficients go on
HOT void detect_spline(int64_t rows, int64_t columns, const double *coefficient, const double *matrix, const double *zero,
                       int64_t ny, int64_t nx, double *value, double *along_row, double *along_column)
{
    for (int64_t y = 0; y < ny; y++)
        for (int64_t x = 0; x < nx; x++) {
            double row = matrix[0] * y + matrix[1] * x + zero[0], column = matrix[2] * y + matrix[3] * x + zero[1];
            row = row < -2 ? -2 : row > rows + 1 ? rows + 1 : row;
            column = column < -2 ? -2 : column > columns + 1 ? columns + 1 : column;
            const int64_t low = (int64_t)(row + 2) - 2, left = (int64_t)(column + 2) - 2;
            double wy[4], dy[4], wx[4], dx[4], sum = 0, by_row = 0, by_column = 0;
            cubic(row - low, wy, dy);
            cubic(column - left, wx, dx);
            for (int j = 0; j < 4; j++) {
                const double *line = coefficient + inside(low - 1 + j, rows) * columns;
                double here = 0, change = 0;
                for (int i = 0; i < 4; i++) {
                    const double c = line[inside(left - 1 + i, columns)];
                    here += wx[i] * c;
                    change += dx[i] * c;
                }
                sum += wy[j] * here;
                by_row += dy[j] * here;
                by_column += wy[j] * change;
            }
            value[y * nx + x] = sum;
            along_row[y * nx + x] = by_row;
            along_column[y * nx + x] = by_column;
        }
}
