// SPDX-License-Identifier: MIT
// tree.c - the base tree: which rows share a base.
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

// Rows added in 32 bits before they go to 64: 65537 * 65535 is 2^32 - 1. WIDE: numbers taken at a time where columns
// are few. MOVED: the most columns for which rows are moved, not only their numbers. LARGE: numbers that are worth
// another thread. WORD: numbers that are copied at once.
enum { CHUNK = 65536, WIDE = 64, MOVED = 96, LARGE = 1 << 17, WORD = 4 };

// Rows start..end - 1 share a base; the next bit to split on is `mask` of `column` (-1: all rows equal).
typedef struct {
    size_t start, end;
    double error;
    ptrdiff_t column;
    uint16_t mask;
} node_t;

// What one thread needs for itself; of `width` entries each, the first d of them for the columns.
typedef struct {
    uint16_t *all, *any, *mask; // a column's AND, OR, and the bit it would be split on
    uint32_t *part, *ones;      // chunk sums
    uint64_t *sum, *sum1, *n1;  // of the leaf, and of its rows with the bit set
} desk_t;

// The row that stands somewhere, and its scaled squared length.
typedef struct {
    double norm;
    int32_t row;
} place_t;

typedef struct {
    const uint16_t *grid;
    const double *scale;
    size_t d, stride, side, width, threads; // width: of `side` rows, `stride` numbers each
    uint16_t *table, *spare_table; // the grid's rows as they stand now, NULL where they are not moved
    place_t *place, *spare_place;
    int32_t *spare, *kept;
    desk_t *desks;
    node_t *node;
    int32_t *heap;
    size_t heap_size;
} tree_t;

static const uint16_t *row_at(const tree_t *t, size_t i)
{
    return t->table ? t->table + i * t->stride : t->grid + (size_t)t->place[i].row * t->d;
}

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

static void gather_sums(const tree_t *t, const desk_t *k, const node_t *node)
{
    memset(k->all, 0xff, t->width * sizeof *k->all);
    memset(k->any, 0, t->width * sizeof *k->any);
    memset(k->sum, 0, t->d * sizeof *k->sum);
    for (size_t i = node->start, rows; i < node->end;) {
        size_t stop = node->end - i > CHUNK ? i + CHUNK : node->end;
        memset(k->part, 0, t->width * sizeof *k->part);
        for (; i < stop; i += rows) {
            size_t count = take(t, i, stop, &rows);
            add_row(row_at(t, i), count, k->all, k->any, k->part);
        }
        add_part(t, k->part, k->sum);
    }
    for (size_t j = t->stride; j < t->width; j++) {
        k->all[j % t->stride] &= k->all[j];
        k->any[j % t->stride] |= k->any[j];
    }
}

static void gather_ones(const tree_t *t, const desk_t *k, const node_t *node)
{
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
            add_ones(row_at(t, i), count, k->mask, k->part, k->ones);
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
    double n = (double)(node->end - node->start), error = 0, best = -1;
    int varies = 0;
    gather_sums(t, k, node);
    for (size_t i = node->start; i < node->end; i++)
        error += t->place[i].norm;
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

static void measure_all(const tree_t *t, node_t **nodes, size_t count)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += nodes[i]->end - nodes[i]->start;
    several_t several = {t, nodes};
    share_out(measure_part, &several, count, rows * t->d < LARGE ? 1 : t->threads);
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

// Which rows of a node have its bit: `kept` and `spare` list those without and with, and both keep their order.
static size_t list_bits(tree_t *t, const node_t *node)
{
    size_t kept = 0, moved = 0;
    for (size_t i = node->start; i < node->end; i++) {
        size_t set = (row_at(t, i)[node->column] & node->mask) != 0;
        t->kept[kept] = (int32_t)i; // no branch, as bits are hard to predict
        t->spare[moved] = (int32_t)i;
        kept += !set;
        moved += set;
    }
    return kept;
}

// Rows are a whole number of words, which are copied without a call.
static void copy_row(uint16_t *to, const uint16_t *from, size_t stride)
{
    for (size_t j = 0; j < stride; j += WORD)
        memcpy(to + j, from + j, WORD * sizeof *to);
}

// Rows without the bit stay in `from`, the others become `made`.
static void split(tree_t *t, node_t *from, node_t *made)
{
    size_t kept = list_bits(t, from), moved = from->end - from->start - kept;
    made->end = from->end;
    made->start = from->end = from->start + kept;
    for (size_t i = 0; i < moved; i++)
        t->spare_place[i] = t->place[t->spare[i]];
    for (size_t i = 0; i < kept; i++)
        t->place[from->start + i] = t->place[t->kept[i]];
    memcpy(t->place + made->start, t->spare_place, moved * sizeof *t->place);
    if (t->table) {
        for (size_t i = 0; i < moved; i++)
            copy_row(t->spare_table + i * t->stride, t->table + (size_t)t->spare[i] * t->stride, t->stride);
        for (size_t i = 0; i < kept; i++)
            copy_row(t->table + (from->start + i) * t->stride, t->table + (size_t)t->kept[i] * t->stride, t->stride);
        memcpy(t->table + made->start * t->stride, t->spare_table, moved * t->stride * sizeof *t->table);
    }
    measure_all(t, (node_t *[]){from, made}, 2);
}

static double row_norm(const uint16_t *row, const double *scale, size_t d)
{
    double norm = 0;
    for (size_t j = 0; j < d; j++) {
        double g = row[j];
        norm += scale[j] * (g * g);
    }
    return norm;
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
        t->place[t->node[labels[i]].end++].row = (int32_t)i;
    for (size_t i = 0; i < n; i++) {
        const uint16_t *row = t->grid + (size_t)t->place[i].row * t->d;
        t->place[i].norm = row_norm(row, t->scale, t->d);
        if (t->table)
            memcpy(t->table + i * t->stride, row, t->d * sizeof *row);
    }
}

static size_t grow(tree_t *t, size_t classes, size_t wanted, int32_t *parent, double *error)
{
    double total = 0;
    for (size_t c = 0; c < classes; c++) {
        measure_all(t, (node_t *[]){&t->node[c]}, 1);
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

static int open_desks(tree_t *t)
{
    int failed = 0;
    t->desks = calloc(t->threads, sizeof *t->desks);
    for (size_t i = 0; t->desks && i < t->threads; i++) {
        desk_t *k = &t->desks[i];
        k->sum = malloc(t->width * (3 * sizeof *k->sum + 2 * sizeof *k->part + 3 * sizeof *k->all));
        failed |= !k->sum;
        k->sum1 = k->sum + t->width, k->n1 = k->sum1 + t->width;
        k->part = (uint32_t *)(k->n1 + t->width), k->ones = k->part + t->width;
        k->all = (uint16_t *)(k->ones + t->width), k->any = k->all + t->width, k->mask = k->any + t->width;
    }
    return failed || !t->desks ? -1 : 0;
}

static void close_desks(tree_t *t)
{
    for (size_t i = 0; t->desks && i < t->threads; i++)
        free(t->desks[i].sum);
    free(t->desks);
}

ptrdiff_t tree_grow(const tree_job_t *job, int32_t *leaf, int32_t *parent, double *error)
{
    size_t n = job->n, d = job->d, moves = d <= MOVED, stride = moves ? (d + WORD - 1) / WORD * WORD : d;
    size_t side = stride < WIDE ? WIDE / stride : 1;
    place_t *places = malloc(2 * n * sizeof *places);
    int32_t *ints = malloc((2 * n + job->wanted) * sizeof *ints);
    uint16_t *tables = moves ? calloc(2 * n * stride, sizeof *tables) : NULL;
    node_t *node = malloc(job->wanted * sizeof *node);
    ptrdiff_t leaves = -1;
    tree_t t = {.grid = job->grid, .scale = job->scale, .d = d, .stride = stride, .side = side,
                .width = side * stride, .threads = job->threads, .table = tables, .place = places, .node = node};
    if (!open_desks(&t) && places && ints && node && (tables || !moves)) {
        t.spare_table = tables ? tables + n * stride : NULL;
        t.spare_place = places + n;
        t.spare = ints, t.kept = t.spare + n, t.heap = t.kept + n;
        plant(&t, job->labels, n, job->classes);
        leaves = (ptrdiff_t)grow(&t, job->classes, job->wanted, parent, error);
        for (ptrdiff_t k = 0; k < leaves; k++)
            for (size_t i = node[k].start; i < node[k].end; i++)
                leaf[places[i].row] = (int32_t)k;
    }
    close_desks(&t);
    free(places);
    free(ints);
    free(tables);
    free(node);
    return leaves;
}
