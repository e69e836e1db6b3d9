// SPDX-License-Identifier: MIT
// td_rows.c - which representative comes next, and what it says of itself.
#include "td_internal.h"

// ---- order: a permutation that needs no memory ----

// number i of a pass's key; those that are factors are odd
static TD_INLINE uint32_t number(uint32_t key, uint32_t i)
{
    return td_hash(key + i) | !(i & 1u);
}

void td_rows_order(uint32_t seed, uint32_t pass, uint32_t order[TD_ORDER])
{
    uint32_t i, key = td_hash(td_key(seed, TD_STREAM_ORDER) + pass);
    for (i = 0; i < TD_ORDER; i++)
        order[i] = TD_ORDER == 1 ? key : number(key, i);
}

// Each round is a bijection of k-bit numbers, so walking on until the ticket is below `count` is one of
// 0..count-1: fewer than two turns on average.
static uint32_t ticket(const uint32_t order[TD_ORDER], uint32_t count, uint32_t p)
{
    uint32_t bits = td_bit_length((count - 1) | 1u), mask, shift, r;
    mask = 0xffffffffu >> (32 - bits);
    shift = bits > 2 ? bits / 2 : 1;
    do {
        for (r = 0; r < 8; r += 2) {
            uint32_t factor = TD_ORDER == 1 ? number(order[0], r) : order[r % TD_ORDER];
            uint32_t more = TD_ORDER == 1 ? number(order[0], r + 1) : order[(r + 1) % TD_ORDER];
            p = (p * factor + more) & mask;
            p ^= p >> shift;
        }
    } while (p >= count);
    return p;
}

uint32_t td_rows_pick(const td_rows_t *rows, const uint32_t order[TD_ORDER], uint32_t position)
{
    const td_level_t *level = rows->levels;
    uint32_t first = 0, p = ticket(order, rows->rows, position);
    while (p >= level->weight * level->count) {
        p -= level->weight * level->count;
        first += level->count;
        level++;
    }
    return first + p / level->weight;
}

// ---- what a row says of itself ----

uint32_t td_rows_width(const td_rows_t *rows, uint32_t j)
{
    uint32_t i = TD_WITH_GRIDS ? j * rows->grid_stride : 0;
    return ((rows->width[i >> 1] >> (4 * (i & 1u))) & 15u) + 1u;
}

static uint32_t soft_bits(const td_rows_t *rows)
{
    return TD_WITH_SOFT ? rows->soft_bits : 0;
}

// bits behind the columns: label or soft target, then the code of the spread
static uint32_t tail_bits(const td_rows_t *rows)
{
    return rows->label_bits + soft_bits(rows) * rows->classes + (TD_WITH_SPREAD ? rows->spread_bits : 0u);
}

// class k's share of a row, an integer
static uint32_t share(const td_rows_t *rows, uint32_t index, uint32_t k)
{
    uint32_t at = (index + 1) * rows->row_bits - tail_bits(rows) + k * soft_bits(rows);
    return td_bits(rows->bits, at, rows->soft_bits);
}

uint32_t td_rows_label(const td_rows_t *rows, uint32_t index)
{
    uint32_t k, best = 0;
    if (rows->label_bits != 0)
        return td_bits(rows->bits, (index + 1) * rows->row_bits - tail_bits(rows), rows->label_bits);
    for (k = 1; soft_bits(rows) != 0 && k < rows->classes; k++)
        if (share(rows, index, k) > share(rows, index, best))
            best = k;
    return best;
}

static uint32_t sum_of_shares(const td_rows_t *rows, uint32_t index)
{
    uint32_t k, sum = 0;
    for (k = 0; k < rows->classes; k++)
        sum += share(rows, index, k);
    return sum;
}

void td_rows_target(const td_rows_t *rows, uint32_t index, float *t)
{
    float inverse = 1.0f / (float)sum_of_shares(rows, index);
    uint32_t k;
    for (k = 0; k < rows->classes; k++)
        t[k] = (float)share(rows, index, k) * inverse;
}

float td_rows_spread(const td_rows_t *rows, uint32_t index)
{
    if (!TD_WITH_SPREAD || rows->spread == TD_SPREAD_NONE)
        return 1.0f;
    if (rows->spread == TD_SPREAD_CLASS)
        return td_f8(rows->spreads[td_rows_label(rows, index)]);
    return td_f8(rows->spreads[td_bits(rows->bits, (index + 1) * rows->row_bits - rows->spread_bits,
                                       rows->spread_bits)]);
}

void td_rows_draw(const td_rows_t *rows, uint32_t seed, uint32_t pass, uint32_t position,
                  const uint32_t order[TD_ORDER], float *x, uint32_t *label)
{
    uint32_t draw[2];
    draw[0] = td_rows_pick(rows, order, position);
    draw[1] = td_hash(td_hash(td_key(seed, TD_STREAM_DEVIATION) + pass) + position);
    td_rows_dream(rows, draw, 1, x);
    *label = td_rows_label(rows, draw[0]);
}

// ---- checks, once at the door ----

// levels add up to count and rows, and neither wraps around
static int levels_check(const td_rows_t *rows)
{
    uint64_t count = 0, stands_for = 0;
    uint32_t i;
    for (i = 0; i < rows->levels_count; i++) {
        if (rows->levels[i].weight == 0 || rows->levels[i].count == 0)
            return TD_EPLAN;
        count += rows->levels[i].count;
        stands_for += (uint64_t)rows->levels[i].weight * rows->levels[i].count;
        if (stands_for > 0x7fffffffu)
            return TD_EPLAN;
    }
    return count != 0 && count == rows->count && stands_for == rows->rows ? 0 : TD_EPLAN;
}

static int target_check(const td_rows_t *rows, uint32_t outputs)
{
    uint32_t told = rows->soft_bits != 0 || rows->spread == TD_SPREAD_CLASS;
    if (rows->targets >= rows->columns || rows->label_bits > 16 || rows->soft_bits > 8)
        return TD_EPLAN;
    if (rows->targets != 0 && (rows->targets != outputs || rows->label_bits != 0 || told))
        return TD_EPLAN;
    if (rows->label_bits != 0 && rows->soft_bits != 0)
        return TD_EPLAN;
    if (!TD_WITH_SOFT && rows->soft_bits != 0)
        return TD_ENOKERNEL;
    return rows->classes == (told ? outputs : 0) ? 0 : TD_EPLAN;
}

// every label is a class, every soft target has a share
static int labels_check(const td_rows_t *rows, uint32_t outputs)
{
    uint32_t i;
    for (i = 0; i < rows->count; i++) {
        if (td_rows_label(rows, i) >= outputs)
            return TD_EPLAN;
        if (soft_bits(rows) != 0 && sum_of_shares(rows, i) == 0)
            return TD_EPLAN;
    }
    return 0;
}

int td_rows_check(const td_rows_t *rows, uint32_t outputs)
{
    uint64_t width = tail_bits(rows);
    uint32_t i;
    int code;
    if (!rows->bits || !rows->levels || !rows->width || !rows->low || !rows->step || rows->grid_stride > 1)
        return TD_EPLAN;
    if (!TD_WITH_GRIDS && rows->grid_stride != 0)
        return TD_ENOKERNEL;
    if (!TD_WITH_SPREAD && rows->spread != TD_SPREAD_NONE)
        return TD_ENOKERNEL;
    if ((code = levels_check(rows)) != 0 || (code = target_check(rows, outputs)) != 0)
        return code;
    for (i = 0; i < rows->columns; i++)
        width += td_rows_width(rows, i);
    if (width != rows->row_bits || rows->count * width > 0xffffffffu)
        return TD_EPLAN;
    if ((code = td_dream_check(rows)) != 0)
        return code;
    return labels_check(rows, outputs);
}
