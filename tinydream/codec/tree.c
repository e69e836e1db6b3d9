// SPDX-License-Identifier: MIT
// tree.c - the base tree: which rows share a base.
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

// Rows added in 32 bits before they go to 64: 65537 * 65535 is 2^32 - 1.
enum { CHUNK = 65536 };

// Rows order[start..end) share a base; the next bit to split on is `mask` of `column` (-1: all rows equal).
typedef struct {
    size_t start, end;
    double error;
    ptrdiff_t column;
    uint16_t mask;
} node_t;

typedef struct {
    const uint16_t *grid;
    const double *scale, *norm; // norm: each row's scaled squared length
    size_t d;
    int32_t *order, *spare;
    uint16_t *all, *any, *mask; // a column's AND, OR, and the bit it would be split on
    uint32_t *part, *ones;      // chunk sums
    uint64_t *sum, *sum1, *n1;  // of the leaf, and of its rows with the bit set
    node_t *node;
    int32_t *heap;
    size_t heap_size;
} tree_t;

static void gather_sums(tree_t *t, const node_t *node)
{
    size_t d = t->d;
    memset(t->all, 0xff, d * sizeof *t->all);
    memset(t->any, 0, d * sizeof *t->any);
    memset(t->sum, 0, d * sizeof *t->sum);
    for (size_t i = node->start; i < node->end;) {
        size_t stop = node->end - i > CHUNK ? i + CHUNK : node->end;
        memset(t->part, 0, d * sizeof *t->part);
        for (; i < stop; i++) {
            const uint16_t *row = t->grid + (size_t)t->order[i] * d;
            uint16_t *restrict all = t->all, *restrict any = t->any;
            uint32_t *restrict part = t->part;
            for (size_t j = 0; j < d; j++) {
                all[j] &= row[j];
                any[j] |= row[j];
                part[j] += row[j];
            }
        }
        for (size_t j = 0; j < d; j++)
            t->sum[j] += t->part[j];
    }
}

static void gather_ones(tree_t *t, const node_t *node)
{
    size_t d = t->d;
    memset(t->sum1, 0, d * sizeof *t->sum1);
    memset(t->n1, 0, d * sizeof *t->n1);
    for (size_t i = node->start; i < node->end;) {
        size_t stop = node->end - i > CHUNK ? i + CHUNK : node->end;
        memset(t->part, 0, d * sizeof *t->part);
        memset(t->ones, 0, d * sizeof *t->ones);
        for (; i < stop; i++) {
            const uint16_t *row = t->grid + (size_t)t->order[i] * d;
            const uint16_t *restrict mask = t->mask;
            uint32_t *restrict part = t->part, *restrict ones = t->ones;
            for (size_t j = 0; j < d; j++) {
                uint16_t set = (uint16_t)-((row[j] & mask[j]) != 0);
                part[j] += row[j] & set;
                ones[j] += set & 1u;
            }
        }
        for (size_t j = 0; j < d; j++) {
            t->sum1[j] += t->part[j];
            t->n1[j] += t->ones[j];
        }
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
static void measure(tree_t *t, node_t *node)
{
    double n = (double)(node->end - node->start), error = 0, best = -1;
    int varies = 0;
    gather_sums(t, node);
    for (size_t i = node->start; i < node->end; i++)
        error += t->norm[t->order[i]];
    for (size_t j = 0; j < t->d; j++) {
        double sum = (double)t->sum[j];
        error -= t->scale[j] * (sum * sum / n);
        t->mask[j] = highest_bit(t->all[j] ^ t->any[j]);
        varies |= t->mask[j];
    }
    node->column = -1;
    node->error = varies && error > 0 ? error : 0;
    if (!varies)
        return;
    gather_ones(t, node);
    for (size_t j = 0; j < t->d; j++) {
        if (!t->mask[j])
            continue;
        double n1 = (double)t->n1[j], n0 = n - n1, s1 = (double)t->sum1[j], s0 = (double)t->sum[j] - s1;
        double apart = s1 / n1 - s0 / n0, gain = t->scale[j] * (n0 * n1 / n) * (apart * apart);
        if (gain > best) {
            best = gain;
            node->column = (ptrdiff_t)j;
            node->mask = t->mask[j];
        }
    }
}

// Largest error first; among equals the older leaf.
static int before(const tree_t *t, int32_t a, int32_t b)
{
    double ea = t->node[a].error, eb = t->node[b].error;
    return ea > eb || (ea == eb && a < b);
}

static void push(tree_t *t, int32_t leaf)
{
    if (t->node[leaf].column < 0)
        return;
    size_t i = t->heap_size++;
    for (; i && before(t, leaf, t->heap[(i - 1) / 2]); i = (i - 1) / 2)
        t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = leaf;
}

static int32_t pop(tree_t *t)
{
    int32_t top = t->heap[0], last = t->heap[--t->heap_size];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= t->heap_size)
            break;
        if (child + 1 < t->heap_size && before(t, t->heap[child + 1], t->heap[child]))
            child++;
        if (!before(t, t->heap[child], last))
            break;
        t->heap[i] = t->heap[child];
        i = child;
    }
    t->heap[i] = last;
    return top;
}

// Rows without the bit stay in `from`, the others become `made`; both keep their order.
static void split(tree_t *t, node_t *from, node_t *made)
{
    size_t kept = from->start, moved = 0;
    for (size_t i = from->start; i < from->end; i++) {
        int32_t row = t->order[i];
        if (t->grid[(size_t)row * t->d + (size_t)from->column] & from->mask)
            t->spare[moved++] = row;
        else
            t->order[kept++] = row;
    }
    memcpy(t->order + kept, t->spare, moved * sizeof *t->spare);
    made->start = kept;
    made->end = from->end;
    from->end = kept;
    measure(t, from);
    measure(t, made);
}

// One node for each class, its rows in their order.
static void plant(tree_t *t, const int32_t *labels, size_t n, size_t classes)
{
    size_t at = 0;
    for (size_t c = 0; c < classes; c++)
        t->node[c].start = t->node[c].end = 0;
    for (size_t i = 0; i < n; i++)
        t->node[labels[i]].end++;
    for (size_t c = 0; c < classes; c++) {
        size_t count = t->node[c].end;
        t->node[c].start = t->node[c].end = at;
        at += count;
    }
    for (size_t i = 0; i < n; i++)
        t->order[t->node[labels[i]].end++] = (int32_t)i;
}

static size_t grow(tree_t *t, size_t classes, size_t wanted, int32_t *parent, double *error)
{
    double total = 0;
    for (size_t c = 0; c < classes; c++) {
        measure(t, &t->node[c]);
        push(t, (int32_t)c);
        parent[c] = -1;
        total += t->node[c].error;
        error[c] = total; // only the last class's entry is a whole table's error
    }
    size_t leaves = classes;
    while (leaves < wanted && t->heap_size) {
        int32_t from = pop(t), made = (int32_t)leaves;
        total -= t->node[from].error;
        split(t, &t->node[from], &t->node[made]);
        total += t->node[from].error + t->node[made].error;
        push(t, from);
        push(t, made);
        parent[leaves] = from;
        error[leaves++] = total > 0 ? total : 0;
    }
    return leaves;
}

static void row_norms(const uint16_t *grid, const double *scale, size_t n, size_t d, double *norm)
{
    for (size_t i = 0; i < n; i++) {
        norm[i] = 0;
        for (size_t j = 0; j < d; j++) {
            double g = grid[i * d + j];
            norm[i] += scale[j] * (g * g);
        }
    }
}

ptrdiff_t tree_grow(const uint16_t *grid, const int32_t *labels, const double *scale, size_t n, size_t d,
                    size_t classes, size_t wanted, int32_t *leaf, int32_t *parent, double *error)
{
    double *norm = malloc(n * sizeof *norm);
    int32_t *ints = malloc((2 * n + wanted) * sizeof *ints);
    uint16_t *shorts = malloc(3 * d * sizeof *shorts);
    uint32_t *words = malloc(2 * d * sizeof *words);
    uint64_t *longs = malloc(3 * d * sizeof *longs);
    node_t *node = malloc(wanted * sizeof *node);
    ptrdiff_t leaves = -1;
    if (norm && ints && shorts && words && longs && node) {
        tree_t t = {.grid = grid, .scale = scale, .norm = norm, .d = d, .order = ints, .spare = ints + n,
                    .all = shorts, .any = shorts + d, .mask = shorts + 2 * d, .part = words, .ones = words + d,
                    .sum = longs, .sum1 = longs + d, .n1 = longs + 2 * d, .node = node, .heap = ints + 2 * n};
        row_norms(grid, scale, n, d, norm);
        plant(&t, labels, n, classes);
        leaves = (ptrdiff_t)grow(&t, classes, wanted, parent, error);
        for (ptrdiff_t k = 0; k < leaves; k++)
            for (size_t i = node[k].start; i < node[k].end; i++)
                leaf[t.order[i]] = (int32_t)k;
    }
    free(norm);
    free(ints);
    free(shorts);
    free(words);
    free(longs);
    free(node);
    return leaves;
}
