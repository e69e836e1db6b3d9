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
    size_t from = node->start + part * PART, end = part_end(node, from), ones = 0;
    (void)thread;
    for (size_t i = from; i < end; i++) {
        t->set[i] = (row_at(t, stand, i)[node->column] & node->mask) != 0;
        ones += t->set[i];
    }
    t->zeros[part] = end - from - ones;
}

// Rows are a whole number of words, which are copied without a call.
static void copy_row(uint16_t *to, const uint16_t *from, size_t stride)
{
    for (size_t j = 0; j < stride; j += WORD)
        memcpy(to + j, from + j, WORD * sizeof *to);
}

static void copy_rows(const tree_t *t, const stand_t *to, size_t start, const stand_t *from, const int32_t *rows,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to->row[start + i] = from->row[rows[i]];
        to->norm[start + i] = from->norm[rows[i]];
    }
    for (size_t i = 0; to->table && i < count; i++)
        copy_row(to->table + (start + i) * t->stride, from->table + (size_t)rows[i] * t->stride, t->stride);
}

// Rows without the bit go first, and both kinds keep their order. zeros: by now those of all parts before.
static void move_part(void *job, size_t part, size_t thread)
{
    const split_t *split = job;
    const tree_t *t = split->tree;
    const node_t *node = split->node;
    const desk_t *desk = &t->desks[thread];
    size_t from = node->start + part * PART, end = part_end(node, from), kept = 0, moved = 0;
    for (size_t i = from; i < end; i++) {
        desk->kept[kept] = (int32_t)i; // no branch, as bits are hard to predict
        desk->moved[moved] = (int32_t)i;
        kept += !t->set[i];
        moved += t->set[i];
    }
    const stand_t *here = &t->stand[node->at], *there = &t->stand[!node->at];
    copy_rows(t, there, node->start + t->zeros[part], here, desk->kept, kept);
    copy_rows(t, there, node->start + split->kept + part * PART - t->zeros[part], here, desk->moved, moved);
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
