// The streaming combine, shared by limits.c, load.c, sort.c, ring.c, cosmics.c, others.c, drizzle.c, nearest.c and reasons.c. Exposure and Grid are
// mirrored in structs.py.
#ifndef STREAM_H
#define STREAM_H
#include <stdint.h>

#define DEG 57.295779513082320877
#define BLOCK 128                       // rows of a block of the wavelength index
#define CHUNK 8192                      // rows that are read at a time
#define MAXTHREADS 64
#define SPARE 16                        // values past the end of a sorted plane that may be read, not used
#define KNOWN 0x80000000u               // top bit of a staged row's cell: its dq says that it is a cosmic ray
#define COSMICRAY 32u                   // the one dq value that the cosmic-ray search still looks at

// Hot functions are built three times on x86: for any processor, for those with AVX2 and for those with AVX-512's many registers.
// Which one runs is chosen at run time: the best there is, the plain one where MUSE_NB_SCALAR is set, AVX2 where MUSE_NB_VECTORS is
// 256. All do the same operations in the same order, so that the bytes are the same (contraction to fused multiply-add is off).
// Write NAME_body(..., int vectors) as INLINE, then THRICE(type, NAME, (parameters), names...).
#define INLINE static inline __attribute__((always_inline))
#if defined(__x86_64__)
#define AVX512 "avx512f,avx512dq,avx512vl,avx512bw"
#define THRICE(type, name, parameters, ...)                                                                      \
    __attribute__((target(AVX512))) static type name##_avx512 parameters { return name##_body(__VA_ARGS__, 1); } \
    __attribute__((target("avx2"))) static type name##_avx2 parameters { return name##_body(__VA_ARGS__, 1); }   \
    static type name##_plain parameters { return name##_body(__VA_ARGS__, 0); }                                  \
    static type name parameters {                                                                                \
        const int bits = vector_bits();                                                                          \
        if (bits == 512) return name##_avx512(__VA_ARGS__);                                                      \
        return bits == 256 ? name##_avx2(__VA_ARGS__) : name##_plain(__VA_ARGS__);                               \
    }
#else
#define THRICE(type, name, parameters, ...) \
    static type name parameters { return name##_body(__VA_ARGS__, 0); }
#endif
int vector_bits(void);

// The same for functions without floating-point sums, where nobody needs to choose: the loader does, where it can.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) && !defined(__clang__)
#define HOT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define CLONES 1
#else
#define HOT
#define CLONES 0
#endif

typedef float Pair __attribute__((vector_size(32), aligned(4)));         // the sums of two voxels; SSE2 and NEON do it in two halves

enum { XPOS, YPOS, LAMBDA, DATA, DQ, STAT, NCOLUMN };
enum { NATIVE, SKY };                   // positions: native spherical [rad], or offsets in RA and DEC [deg]

typedef struct {                        // one exposure's pixel table
    int32_t fd, kind;
    int64_t nrow, offset[NCOLUMN], stride[NCOLUMN];
    double sin_dec, cos_dec;            // of its pointing, offset applied
    double d_ra, d_dec;                 // its pointing minus the reference [deg]
    float weight, flux;                 // weight in the drizzle, factor on the flux
    float *index;                       // smallest and largest wavelength of each block
    double limit[6];                    // out: extremes of tan(dRA) or dRA, of sin(dec)-sin(dec0) or dDEC, of lambda
    int32_t across_x, across_y;         // from a spaxel to the next across the slices: -1, 0 or 1
    double turn;                        // added to native longitudes: the field is turned about its centre
} Exposure;

typedef struct {                        // the cube
    int32_t nx, ny, nz, swap;           // swap: the fast axis of the cells is y
    double ra, dec, sin_dec, cos_dec;   // reference point [deg]
    double crpix_x, crpix_y, step, lambda_min, lambda_step;     // 0-based pixel = crpix - 1 at the reference point [deg, A]
    double drop_ra, drop_dec, drop_lambda;  // size of a drop over that of a voxel
    double lambda_low, lambda_high;     // rows outside are left out
} Grid;

typedef struct { float fast, slow, lambda, stat; } Row; // offset from its cell's centre along the cells' axes [voxel], wavelength, variance

typedef struct {                        // rows of one plane that one thread has read, exposure after exposure
    uint32_t *cell;                     // and KNOWN
    float *value;
    Row *row;
    int64_t count, room;
    int64_t *end;                       // where each exposure's rows end
} Pile;

typedef struct {
    Pile pile[MAXTHREADS];
    int64_t *bad;                       // for each exposure: rows with dq 0 that were left out, data or variance not finite
} Staged;

enum { EXPOSURE = 0x3fff, COSMIC = 0x4000, REJECTED = 0x8000 }; // a tag: exposure; its dq says cosmic ray; not to be drizzled

typedef struct {                        // the rows of one plane in the order of its cells
    int64_t total, capacity;
    uint32_t *start;                    // of each cell, and the end of the last
    float *value;                       // apart from the rest: all that most searches look at
    Row *row;
    uint16_t *tag;
    int64_t *bad;                       // as it was staged
} Plane;

// How far a cell's centre is from that of the one before, in RA cos(DEC) and DEC [voxel], along a line of cells and from a line to
// the next; along the line that changes by almost the same from cell to cell: the sky's curvature is the rest.
typedef struct { float start, change; } Slope;
typedef struct { Slope ra_fast, ra_slow, dec_fast, dec_slow; } Slopes;

typedef struct { float middle, spread; } Guess;         // of the median and MAD of the values around a cell; spread 0: none yet

typedef struct {                        // planes by number, modulo the number that there is room for
    int32_t nstaged, nplane, threads, exposures;
    int32_t loaded, sorted;             // the first plane that is not staged, not sorted yet
    int64_t cells;
    Staged *staged;
    Plane *plane;                       // two more than are sorted at a time: a search needs the planes before and after
    Guess *guess;                       // of each cell, from the last plane that was searched
    float *sum[3];                      // (weight, weight x data, weight^2 x variance, unused) of three planes, with a border of one cell
    Slopes *slopes;                     // of each line of cells
    struct Reasons *reasons;            // see reasons.c; 0 where nobody asks for them
} Ring;

static inline Plane *plane_at(const Ring *ring, int z) { return ring->plane + z % ring->nplane; }

static inline float swapped(uint32_t word) {
    union { uint32_t u; float f; } value = {__builtin_bswap32(word)};
    return value.f;
}

int stream_sort(Ring *ring, int last);
int put_aside(const Ring *ring, int thread, int first, int n, const int *plane, const float *fast, const float *slow, const int *cell,
              const uint32_t *lambda, const uint32_t *data, const uint32_t *stat, const uint32_t *dq);
int read_column(const Exposure *e, int column, int64_t first, int64_t rows, uint32_t *words);

typedef void (*Task)(void *argument, int thread, int threads);
void run_threads(Task task, void *argument, int threads);
#endif
