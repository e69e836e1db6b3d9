// SPDX-License-Identifier: MIT
// tree.c - the base tree: which rows share a base.
#define _GNU_SOURCE // for aligned_alloc and madvise
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "tree.h"

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

static double row_norm(const uint16_t *row, const double *scale, size_t d)
{
    double norm = 0;
    for (size_t j = 0; j < d; j++) {
        double g = row[j];
        norm += scale[j] * (g * g);
    }
    return norm;
}

// Where the rows of all classes are laid out.
typedef struct {
    tree_t *tree;
    size_t n;
} field_t;

static void plant_part(void *job, size_t part, size_t thread)
{
    const field_t *field = job;
    const tree_t *t = field->tree;
    const stand_t *stand = t->stand;
    size_t from = part * PART, end = field->n - from > PART ? from + PART : field->n;
    (void)thread;
    for (size_t i = from; i < end; i++) {
        const uint16_t *row = t->grid + (size_t)stand->row[i] * t->d;
        stand->norm[i] = row_norm(row, t->scale, t->d);
        if (stand->table) {
            memset(stand->table + i * t->stride, 0, t->stride * sizeof *row);
            memcpy(stand->table + i * t->stride, row, t->d * sizeof *row);
        }
    }
}

// One node for each class, its rows in their order.
static void plant(tree_t *t, const int32_t *labels, size_t n, size_t classes)
{
    size_t at = 0;
    for (size_t c = 0; c < classes; c++)
        t->node[c] = (node_t){0};
    for (size_t i = 0; i < n; i++)
        t->node[labels[i]].end++;
    for (size_t c = 0; c < classes; c++) {
        size_t count = t->node[c].end;
        t->node[c].start = t->node[c].end = at;
        at += count;
    }
    for (size_t i = 0; i < n; i++)
        t->stand->row[t->node[labels[i]].end++] = (int32_t)i;
    field_t field = {t, n};
    share_out(plant_part, &field, (n + PART - 1) / PART, n * t->d < LARGE ? 1 : t->threads);
}

static size_t grow(tree_t *t, size_t classes, size_t wanted, int32_t *parent, double *error)
{
    double total = 0;
    for (size_t c = 0; c < classes; c++) {
        tree_measure(t, (node_t *[]){&t->node[c]}, 1);
        push(t, (int32_t)c);
        parent[c] = -1;
        total += t->node[c].error;
        error[c] = total; // only the last class's entry is a whole table's error
    }
    size_t leaves = classes;
    while (leaves < wanted && t->heap_size) {
        int32_t from = pop(t), made = (int32_t)leaves;
        total -= t->node[from].error;
        tree_split(t, &t->node[from], &t->node[made]);
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

// Memory in large pages where the system has them: the first touch of small ones took as long as a split.
static void *allocate(size_t bytes)
{
#ifdef MADV_HUGEPAGE
    size_t huge = (size_t)1 << 21;
    if (bytes >= huge) {
        void *memory = aligned_alloc(huge, (bytes + huge - 1) / huge * huge);
        if (memory)
            madvise(memory, bytes, MADV_HUGEPAGE); // a wish: without it nothing but speed is lost
        return memory;
    }
#endif
    return malloc(bytes);
}

static int open_stand(stand_t *stand, size_t n, size_t numbers)
{
    stand->row = allocate(n * sizeof *stand->row);
    stand->norm = allocate(n * sizeof *stand->norm);
    stand->table = numbers ? allocate(numbers * sizeof *stand->table) : NULL;
    return !stand->row || !stand->norm || (numbers && !stand->table) ? -1 : 0;
}

static void close_stand(stand_t *stand)
{
    free(stand->row);
    free(stand->norm);
    free(stand->table);
}

ptrdiff_t tree_grow(const tree_job_t *job, int32_t *leaf, int32_t *parent, double *error)
{
    size_t n = job->n, d = job->d, moves = d <= MOVED, stride = moves ? (d + WORD - 1) / WORD * WORD : d;
    size_t side = stride < WIDE ? WIDE / stride : 1;
    ptrdiff_t leaves = -1;
    tree_t t = {.grid = job->grid, .scale = job->scale, .d = d, .stride = stride, .side = side,
                .width = side * stride, .threads = job->threads};
    t.set = malloc(n);
    t.zeros = malloc((n / PART + 1) * sizeof *t.zeros);
    t.heap = malloc(job->wanted * sizeof *t.heap);
    t.node = malloc(job->wanted * sizeof *t.node);
    int failed = open_desks(&t) | open_stand(&t.stand[0], n, moves * n * stride);
    failed |= open_stand(&t.stand[1], n, moves * n * stride);
    if (!failed && t.set && t.zeros && t.heap && t.node) {
        plant(&t, job->labels, n, job->classes);
        leaves = (ptrdiff_t)grow(&t, job->classes, job->wanted, parent, error);
        for (ptrdiff_t k = 0; k < leaves; k++)
            for (size_t i = t.node[k].start; i < t.node[k].end; i++)
                leaf[t.stand[t.node[k].at].row[i]] = (int32_t)k;
    }
    close_desks(&t);
    close_stand(&t.stand[0]);
    close_stand(&t.stand[1]);
    free(t.set);
    free(t.zeros);
    free(t.heap);
    free(t.node);
    return leaves;
}

void leaf_sums(const float *rows, const int32_t *leaf, size_t n, size_t d, size_t leaves, double *sums,
               int64_t *counts)
{
    memset(sums, 0, leaves * d * sizeof *sums);
    memset(counts, 0, leaves * sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        double *restrict sum = sums + (size_t)leaf[i] * d;
        const float *restrict row = rows + i * d;
        for (size_t j = 0; j < d; j++)
            sum[j] += row[j];
        counts[leaf[i]]++;
    }
}

// A leaf is younger than its parent: one pass finds all roots, and adds each leaf's rows to its root's in order.
void leaf_merge(const merge_t *job, int32_t *root, double *cut_sums, int64_t *cut_counts)
{
    size_t d = job->d, kept = job->leaves;
    memcpy(cut_sums, job->sums, kept * d * sizeof *cut_sums);
    memcpy(cut_counts, job->counts, kept * sizeof *cut_counts);
    for (size_t t = 0; t < job->all; t++) {
        root[t] = t < kept ? (int32_t)t : root[job->parent[t]];
        if (t < kept)
            continue;
        double *restrict sum = cut_sums + (size_t)root[t] * d;
        const double *restrict more = job->sums + t * d;
        for (size_t j = 0; j < d; j++)
            sum[j] += more[j];
        cut_counts[root[t]] += job->counts[t];
    }
}
