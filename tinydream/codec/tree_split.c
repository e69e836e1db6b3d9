// SPDX-License-Identifier: MIT
// tree_split.c - the rows of a node, parted by a bit.
#include <string.h>

#include "tree.h"

// A node that is split: its rows, and how many stay.
typedef struct {
    tree_t *tree;
    const node_t *node;
    size_t kept;
} split_t;

static size_t part_end(const node_t *node, size_t from)
{
    return node->end - from > PART ? from + PART : node->end;
}

static void mark_part(void *job, size_t part, size_t thread)
{
    const split_t *split = job;
    const tree_t *t = split->tree;
    const node_t *node = split->node;
    const stand_t *stand = &t->stand[node->at];
    size_t from = node->start + part * PART, count = part_end(node, from) - from, ones = 0;
    uint8_t *restrict set = t->set + from; // a byte may lie anywhere: said not to lie in what is read
    (void)thread;
    for (size_t i = 0; i < count; i++)
        ones += set[i] = (row_at(t, stand, from + i)[node->column] & node->mask) != 0;
    t->zeros[part] = count - ones;
}

// Rows are a whole number of words, which are copied without a call.
static inline void copy_row(uint16_t *restrict to, const uint16_t *restrict from, size_t stride)
{
    for (size_t j = 0; j < stride; j += WORD)
        memcpy(to + j, from + j, WORD * sizeof *to);
}

// Takes rows to their places, those without the bit from `kept` on, the others from `moved` on. No branch, as bits are
// hard to predict.
static inline void scatter(const tree_t *t, const stand_t *here, const stand_t *there, size_t from, size_t end,
                           size_t kept, size_t moved, size_t stride)
{
    const uint8_t *restrict set = t->set;
    const int32_t *restrict row = here->row;
    const double *restrict norm = here->norm;
    const uint16_t *restrict table = here->table;
    int32_t *restrict row_to = there->row;
    double *restrict norm_to = there->norm;
    uint16_t *restrict table_to = there->table;
    for (size_t i = from; i < end; i++) {
        size_t one = set[i], place = kept + (moved - kept) * one;
        kept += !one;
        moved += one;
        row_to[place] = row[i];
        norm_to[place] = norm[i];
        if (table)
            copy_row(table_to + place * stride, table + i * stride, stride);
    }
}

// Rows without the bit go first, and both kinds keep their order. zeros: by now those of all parts before.
static void move_part(void *job, size_t part, size_t thread)
{
    const split_t *split = job;
    const tree_t *t = split->tree;
    const node_t *node = split->node;
    const stand_t *here = &t->stand[node->at], *there = &t->stand[!node->at];
    size_t from = node->start + part * PART, end = part_end(node, from), before = t->zeros[part];
    size_t kept = node->start + before, moved = node->start + split->kept + part * PART - before;
    (void)thread;
    if (t->stride == WORD) // told apart, so that a row is one word's copy
        scatter(t, here, there, from, end, kept, moved, WORD);
    else
        scatter(t, here, there, from, end, kept, moved, t->stride);
}

void tree_split(tree_t *t, node_t *from, node_t *made)
{
    split_t job = {t, from, 0};
    size_t rows = from->end - from->start, parts = (rows + PART - 1) / PART;
    size_t threads = rows * t->d < LARGE ? 1 : t->threads;
    share_out(mark_part, &job, parts, threads);
    for (size_t p = 0; p < parts; p++) {
        size_t zeros = t->zeros[p];
        t->zeros[p] = job.kept;
        job.kept += zeros;
    }
    share_out(move_part, &job, parts, threads);
    made->end = from->end;
    made->start = from->end = from->start + job.kept;
    made->at = from->at = !from->at;
    tree_measure(t, (node_t *[]){from, made}, 2);
}
