// SPDX-License-Identifier: MIT
// tree.h - a base tree while it grows: its nodes, and their rows.
#ifndef TINYDREAM_TREE_H
#define TINYDREAM_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

// Rows added in 32 bits before they go to 64: 65537 * 65535 is 2^32 - 1. WIDE: numbers taken at a time where columns
// are few. MOVED: the most columns for which rows are moved, not only their numbers. LARGE: numbers that are worth
// another thread. WORD: numbers that are copied at once. PART: rows that one thread moves at a time.
enum { CHUNK = 65536, WIDE = 64, MOVED = 96, LARGE = 1 << 17, WORD = 4, PART = 4096 };

// Rows start..end - 1 of stand `at` share a base; the next bit to split on is `mask` of `column` (-1: all rows equal).
typedef struct {
    size_t start, end;
    double error;
    ptrdiff_t column;
    uint16_t mask;
    uint8_t at;
} node_t;

// What one thread needs for itself; of `width` entries each, the first d of them for the columns.
typedef struct {
    uint16_t *all, *any, *mask; // a column's AND, OR, and the bit it would be split on
    uint32_t *part, *ones;      // chunk sums
    uint64_t *sum, *sum1, *n1;  // of the leaf, and of its rows with the bit set
} desk_t;

// Rows as they stand: which ones, their scaled squared lengths, and their numbers, NULL where these are not moved.
typedef struct {
    int32_t *row;
    double *norm;
    uint16_t *table;
} stand_t;

typedef struct {
    const uint16_t *grid;
    const double *scale;
    size_t d, stride, side, width, threads; // width: of `side` rows, `stride` numbers each
    stand_t stand[2]; // a split takes a node's rows from one to the same places of the other
    uint8_t *set;     // (n) whether a row that is split has the bit
    size_t *zeros;    // (parts) rows without it, of a part
    desk_t *desks;
    node_t *node;
    int32_t *heap;
    size_t heap_size;
} tree_t;

// The numbers of the row that stands at place i.
static inline const uint16_t *row_at(const tree_t *t, const stand_t *stand, size_t i)
{
    return stand->table ? stand->table + i * t->stride : t->grid + (size_t)stand->row[i] * t->d;
}

// Fills errors of nodes, and the column of each whose next bit removes most of that column's squared error.
void tree_measure(const tree_t *t, node_t **nodes, size_t count);

// Rows without the node's bit stay in `from`, the others become `made`; both are measured.
void tree_split(tree_t *t, node_t *from, node_t *made);

#endif
