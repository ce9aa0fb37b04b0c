// Threads, reading and the choice of instructions for the streaming combine. Threads live for one call only, so that forking is always safe.
#define _GNU_SOURCE
#include "stream.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Held against structs.py by a test.
const int64_t sizeof_Exposure = sizeof(Exposure), sizeof_Grid = sizeof(Grid), value_BLOCK = BLOCK, value_MAXTHREADS = MAXTHREADS;
const int64_t value_CLONES = CLONES;               // whether HOT functions are built more than once

#if defined(__x86_64__)
static int best_vectors(void) {
    const char *scalar = getenv("MUSE_NB_SCALAR"), *bits = getenv("MUSE_NB_VECTORS");
    if (scalar && *scalar && *scalar != '0') return 0;
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2")) return 0;
    const int wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
                     && __builtin_cpu_supports("avx512bw");
    return wide && !(bits && atoi(bits) == 256) ? 512 : 256;
}
#endif

// Bits of the vectors to use, 0 for none.
int vector_bits(void) {
#if defined(__x86_64__)
    static int known;                               // one more; two threads finding out at once find the same
    if (!known) known = 1 + best_vectors();
    return known - 1;
#else
    return 0;
#endif
}

typedef struct { Task task; void *argument; int thread, threads; } Share;

static void *enter(void *pointer) {
    Share *share = pointer;
    share->task(share->argument, share->thread, share->threads);
    return 0;
}

// Run task(argument, t, threads) for t = 0 .. threads - 1; here where a thread cannot be had.
void run_threads(Task task, void *argument, int threads) {
    pthread_t handle[MAXTHREADS];
    Share share[MAXTHREADS];
    int started[MAXTHREADS] = {0};
    for (int t = 1; t < threads; t++) {
        share[t] = (Share){task, argument, t, threads};
        started[t] = !pthread_create(handle + t, 0, enter, share + t);
    }
    task(argument, 0, threads);
    for (int t = 1; t < threads; t++) {
        if (started[t]) pthread_join(handle[t], 0);
        else task(argument, t, threads);
    }
}

static int read_all(int fd, void *buffer, size_t bytes, int64_t position) {
    char *to = buffer;
    while (bytes) {
        ssize_t got = pread(fd, to, bytes, position);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return -1;
        to += got;
        position += got;
        bytes -= got;
    }
    return 0;
}

// Read rows of a column as big-endian words; of a binary table, pick them out of its rows.
int read_column(const Exposure *e, int column, int64_t first, int64_t rows, uint32_t *words) {
    int64_t stride = e->stride[column];
    if (stride == 4) return read_all(e->fd, words, rows * 4, e->offset[column] + first * 4);
    size_t bytes = rows ? (rows - 1) * stride + 4 : 0;
    char *table = malloc(bytes + 1);
    if (!table) return -1;
    int failed = read_all(e->fd, table, bytes, e->offset[column] + first * stride);
    for (int64_t i = 0; i < rows && !failed; i++) memcpy(words + i, table + i * stride, 4);
    free(table);
    return failed;
}
