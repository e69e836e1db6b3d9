// SPDX-License-Identifier: MIT
// columns.c - what the columns of a table are like, and their numbers as integers.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

enum { WIDE = 64 }; // numbers that are taken at a time where columns are few

// Adds `count` numbers to as many counters.
KERNEL_CLONES
static void add_row(const column_stats_t *restrict s, const float *restrict row, const float *restrict about,
                    size_t count)
{
    float *restrict low = s->low, *restrict high = s->high;
    double *restrict sum = s->sum, *restrict square = s->square;
    int64_t *restrict missing = s->missing;
    for (size_t j = 0; j < count; j++) {
        float x = row[j];
        double apart = x == x ? (double)x - (double)about[j] : 0;
        low[j] = x < low[j] ? x : low[j];
        high[j] = x > high[j] ? x : high[j];
        missing[j] += x != x;
        sum[j] += apart;
        square[j] += apart * apart;
    }
}

// Rows side by side have counters of their own, which are then added to those of the first.
static void fold(const column_stats_t *s, size_t d, size_t side)
{
    for (size_t k = d; k < d * side; k++) {
        size_t j = k % d;
        s->low[j] = s->low[k] < s->low[j] ? s->low[k] : s->low[j];
        s->high[j] = s->high[k] > s->high[j] ? s->high[k] : s->high[j];
        s->missing[j] += s->missing[k];
        s->sum[j] += s->sum[k];
        s->square[j] += s->square[k];
    }
}

int measure_columns(const float *rows, const float *about, size_t n, size_t d, const column_stats_t *stats)
{
    size_t side = d < WIDE ? WIDE / d : 1, width = d * side, i = 0;
    float *floats = malloc(3 * width * sizeof *floats);
    double *doubles = calloc(2 * width, sizeof *doubles);
    int64_t *missing = calloc(width, sizeof *missing);
    int failed = !floats || !doubles || !missing;
    if (!failed) {
        column_stats_t s = {floats, floats + width, doubles, doubles + width, missing};
        float *wide = floats + 2 * width;
        for (size_t j = 0; j < width; j++) {
            s.low[j] = INFINITY;
            s.high[j] = -INFINITY;
            wide[j] = about[j % d];
        }
        for (; n - i >= side; i += side)
            add_row(&s, rows + i * d, wide, width);
        add_row(&s, rows + i * d, wide, (n - i) * d);
        fold(&s, d, side);
        memcpy(stats->low, s.low, d * sizeof *s.low);
        memcpy(stats->high, s.high, d * sizeof *s.high);
        memcpy(stats->sum, s.sum, d * sizeof *s.sum);
        memcpy(stats->square, s.square, d * sizeof *s.square);
        memcpy(stats->missing, s.missing, d * sizeof *s.missing);
    }
    free(floats);
    free(doubles);
    free(missing);
    return failed ? -1 : 0;
}

KERNEL_CLONES
void to_lattice(const float *rows, const double *low, const double *factor, size_t n, size_t d, uint16_t *grid)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            grid[i * d + j] = (uint16_t)(int32_t)rint(((double)rows[i * d + j] - low[j]) * factor[j]);
}
