// SPDX-License-Identifier: MIT
// tree_measure.c - the squared error of a node, and the bit that it is best split on.
#include <string.h>

#include "tree.h"

// How many numbers can be taken at row i, and how many rows that is.
static size_t take(const tree_t *t, size_t i, size_t stop, size_t *rows)
{
    *rows = stop - i < t->side ? stop - i : t->side;
    return *rows * t->stride;
}

KERNEL_CLONES
static void add_row(const uint16_t *restrict row, size_t count, uint16_t *restrict all, uint16_t *restrict any,
                    uint32_t *restrict part)
{
    for (size_t j = 0; j < count; j++) {
        all[j] &= row[j];
        any[j] |= row[j];
        part[j] += row[j];
    }
}

KERNEL_CLONES
static void add_ones(const uint16_t *restrict row, size_t count, const uint16_t *restrict mask,
                     uint32_t *restrict part, uint32_t *restrict ones)
{
    for (size_t j = 0; j < count; j++) {
        uint16_t set = (uint16_t)-((row[j] & mask[j]) != 0);
        part[j] += row[j] & set;
        ones[j] += set & 1u;
    }
}

// Adds counters of rows side by side to 64-bit ones of the columns.
static void add_part(const tree_t *t, const uint32_t *part, uint64_t *sum)
{
    for (size_t s = 0; s < t->side; s++)
        for (size_t j = 0; j < t->d; j++)
            sum[j] += part[s * t->stride + j];
}

// Returns the sum of the squared lengths, added row by row.
static double gather_sums(const tree_t *t, const desk_t *k, const node_t *node)
{
    const stand_t *stand = &t->stand[node->at];
    double norms = 0;
    memset(k->all, 0xff, t->width * sizeof *k->all);
    memset(k->any, 0, t->width * sizeof *k->any);
    memset(k->sum, 0, t->d * sizeof *k->sum);
    for (size_t i = node->start, rows; i < node->end;) {
        size_t stop = node->end - i > CHUNK ? i + CHUNK : node->end;
        memset(k->part, 0, t->width * sizeof *k->part);
        for (; i < stop; i += rows) {
            size_t count = take(t, i, stop, &rows);
            add_row(row_at(t, stand, i), count, k->all, k->any, k->part);
            for (size_t r = i; r < i + rows; r++)
                norms += stand->norm[r];
        }
        add_part(t, k->part, k->sum);
    }
    for (size_t j = t->stride; j < t->width; j++) {
        k->all[j % t->stride] &= k->all[j];
        k->any[j % t->stride] |= k->any[j];
    }
    return norms;
}

static void gather_ones(const tree_t *t, const desk_t *k, const node_t *node)
{
    const stand_t *stand = &t->stand[node->at];
    memset(k->sum1, 0, t->d * sizeof *k->sum1);
    memset(k->n1, 0, t->d * sizeof *k->n1);
    memset(k->mask + t->d, 0, (t->stride - t->d) * sizeof *k->mask);
    for (size_t j = t->stride; j < t->width; j++)
        k->mask[j] = k->mask[j - t->stride];
    for (size_t i = node->start, rows; i < node->end;) {
        size_t stop = node->end - i > CHUNK ? i + CHUNK : node->end;
        memset(k->part, 0, t->width * sizeof *k->part);
        memset(k->ones, 0, t->width * sizeof *k->ones);
        for (; i < stop; i += rows) {
            size_t count = take(t, i, stop, &rows);
            add_ones(row_at(t, stand, i), count, k->mask, k->part, k->ones);
        }
        add_part(t, k->part, k->sum1);
        add_part(t, k->ones, k->n1);
    }
}

static uint16_t highest_bit(uint16_t x)
{
    uint16_t bit = 0;
    while (x) {
        bit = x & (uint16_t)-x;
        x ^= bit;
    }
    return bit;
}

// Fills a node's error, and the column whose next bit removes most of that column's squared error.
static void measure(const tree_t *t, const desk_t *k, node_t *node)
{
    double n = (double)(node->end - node->start), best = -1, error = gather_sums(t, k, node);
    int varies = 0;
    for (size_t j = 0; j < t->d; j++) {
        double sum = (double)k->sum[j];
        error -= t->scale[j] * (sum * sum / n);
        k->mask[j] = highest_bit(k->all[j] ^ k->any[j]);
        varies |= k->mask[j];
    }
    node->column = -1;
    node->error = varies && error > 0 ? error : 0;
    if (!varies)
        return;
    gather_ones(t, k, node);
    for (size_t j = 0; j < t->d; j++) {
        if (!k->mask[j])
            continue;
        double n1 = (double)k->n1[j], n0 = n - n1, s1 = (double)k->sum1[j], s0 = (double)k->sum[j] - s1;
        double apart = s1 / n1 - s0 / n0, gain = t->scale[j] * (n0 * n1 / n) * (apart * apart);
        if (gain > best) {
            best = gain;
            node->column = (ptrdiff_t)j;
            node->mask = k->mask[j];
        }
    }
}

// Nodes that are measured at once.
typedef struct {
    const tree_t *tree;
    node_t **nodes;
} several_t;

static void measure_part(void *job, size_t part, size_t thread)
{
    const several_t *several = job;
    measure(several->tree, &several->tree->desks[thread], several->nodes[part]);
}

void tree_measure(const tree_t *t, node_t **nodes, size_t count)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += nodes[i]->end - nodes[i]->start;
    several_t several = {t, nodes};
    share_out(measure_part, &several, count, rows * t->d < LARGE ? 1 : t->threads);
}
