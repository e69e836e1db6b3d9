// SPDX-License-Identifier: MIT
// kernels.h - the codec's hot loops as plain C; kernels.c gives them to Python.
// Matrices are row-major. Functions that need working memory return -1 when there is none.
#ifndef TINYDREAM_KERNELS_H
#define TINYDREAM_KERNELS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h> // which says whether the C library is glibc

// A loop compiled for several vector units, the widest chosen when it is loaded. Sums keep their order: only speed
// differs. (Without -mfma nothing is fused. With -DKERNEL_CLONES= all are as the compiler was told, vector units or not.)
#if !defined(KERNEL_CLONES) && defined(__x86_64__) && defined(__GLIBC__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define KERNEL_CLONES __attribute__((target_clones("avx2", "default")))
#define WIDE_TARGET __attribute__((target("avx512f"))) // for who has asked whether there is such a unit
#endif
#endif
#ifndef KERNEL_CLONES
#define KERNEL_CLONES
#endif

// Calls part(job, 0..parts-1, thread), each once, thread in 0..threads-1 telling which of them runs it.
void share_out(void (*part)(void *job, size_t index, size_t thread), void *job, size_t parts, size_t threads);

// Of each column: smallest and largest number, sum and sum of squares of x - about, and how many are missing (NaN).
typedef struct {
    float *low, *high;
    double *sum, *square;
    int64_t *missing;
} column_stats_t;

// rows (n, d), about (d): a number near the mean, so that squares stay small. -1 without memory.
int measure_columns(const float *rows, const float *about, size_t n, size_t d, const column_stats_t *stats);

// grid = (rows - low) * factor, rounded to nearest even: rows (n, d), low and factor (d); all results in 0..65535.
void to_lattice(const float *rows, const double *low, const double *factor, size_t n, size_t d, uint16_t *grid);

// Counts set bits: counts[8 * p + b] is the number of rows whose byte p has bit b set.
// O(n * row_bytes / 32) vector operations; counts needs 8 * row_bytes entries. -1 without memory.
int bits_count(const uint8_t *rows, size_t n, size_t row_bytes, size_t threads, int64_t *counts);

// grid (n, d), labels (n) in 0..classes-1 with every class present, scale (d): squared size of one grid step.
typedef struct {
    const uint16_t *grid;
    const int32_t *labels;
    const double *scale;
    size_t n, d, classes, wanted, threads;
} tree_job_t;

// Grows the base tree to at most `wanted` leaves and returns how many there are; -1 without memory.
// leaf (n) out; parent and error (wanted) out: leaf t was split off parent[t], and with t + 1 leaves the
// within-leaf squared error is error[t]; leaves 0..classes-1 are the classes (parent -1).
// O(n * d * depth) time; n * 25 + wanted * 52 bytes of working memory, and n * d * 4 where columns are few.
ptrdiff_t tree_grow(const tree_job_t *job, int32_t *leaf, int32_t *parent, double *error);

// rows (n, d); labels (n) in 0..classes-1, one for all rows of a leaf; stress (d) factors of the columns.
typedef struct {
    const float *rows, *stress;
    const int32_t *labels;
    size_t n, d, classes, leaves, passes, threads;
} lloyd_job_t;

// Lloyd passes: each row moves to the nearest leaf mean of its own class, its own if none is nearer; the last row of a
// leaf stays. leaf (n) in and out. Ends early when no row moves. -1 without memory. The same whatever the threads.
int lloyd(const lloyd_job_t *job, int32_t *leaf);

// Sums of the rows of each leaf, added in row order: sums (leaves, d), counts (leaves).
void leaf_sums(const float *rows, const int32_t *leaf, size_t n, size_t d, size_t leaves, double *sums,
               int64_t *counts);

// The same of the tree cut at `leaves` of its `all` leaves, where root (all) is out: the leaf that each was split off by
// then; sums (all, d) and counts (all) give cut_sums (leaves, d) and cut_counts (leaves). parent: as tree_grow says it.
typedef struct {
    const int32_t *parent;
    const double *sums;
    const int64_t *counts;
    size_t all, d, leaves;
} merge_t;

void leaf_merge(const merge_t *job, int32_t *root, double *cut_sums, int64_t *cut_counts);

// For each column of values (m, r), weighted by rows (m): the low and step (r) of the grid with the least squared
// error, `width` (r) bits wide; steps from one that covers all, and two coarser, down to 0.4 of it. -1 without memory.
int grid_fit(const double *values, const double *weight, const uint8_t *width, size_t m, size_t r, int8_t *low,
             uint8_t *step);

// rows (n, d) and either labels (n) in 0..outputs-1, or targets (n, outputs).
typedef struct {
    const float *rows, *targets;
    const int32_t *labels;
    size_t n, d, r, outputs, hidden, steps, batch;
    float rate, decay;
    uint32_t seed;
} project_t;

// Trains a projection A (d, r), given, and a network behind it: weights are A, W1 (r, hidden), b1, W2 (hidden, outputs),
// b2, one after the other, of which only A is read. With r = 0 there is no A, and W1 is (d, hidden). -1 without memory. Adam with L2 `decay`, the rate falling to 0.
// O(steps * batch * (d * r + r * hidden + hidden * outputs)) time.
int project_train(const project_t *job, float *weights);

#endif
