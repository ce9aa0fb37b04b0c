// Four doubles or eight floats at a time, in any order of memory.
#ifndef LANES_H
#define LANES_H
typedef double Lanes __attribute__((vector_size(32))); // SSE2 and NEON do them in two halves
typedef double Anywhere __attribute__((vector_size(32), aligned(8), may_alias));
typedef float Eight __attribute__((vector_size(32)));
typedef float EightAnywhere __attribute__((vector_size(32), aligned(4), may_alias));
enum { LANES = 4, EIGHT = 8 };
#endif
