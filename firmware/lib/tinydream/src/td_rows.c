// SPDX-License-Identifier: MIT
// td_rows.c - which representative comes next, and the row that is dreamt around it.
#include "td_internal.h"

// ---- order: a permutation that needs no memory ----

void td_rows_order(uint32_t seed, uint32_t pass, uint32_t order[8])
{
    uint32_t i, key = td_hash(td_key(seed, TD_STREAM_ORDER) + pass);
    for (i = 0; i < 8; i++)
        order[i] = td_hash(key + i);
}

// Each round is a bijection of k-bit numbers, so walking on until the ticket is below `count` is one of
// 0..count-1: fewer than two turns on average.
static uint32_t ticket(const uint32_t order[8], uint32_t count, uint32_t p)
{
    uint32_t bits = 1, mask, shift, r;
    while (bits < 32 && ((count - 1) >> bits) != 0)
        bits++;
    mask = 0xffffffffu >> (32 - bits);
    shift = bits > 2 ? bits / 2 : 1;
    do {
        for (r = 0; r < 8; r += 2) {
            p = (p * (order[r] | 1u) + order[r + 1]) & mask;
            p ^= p >> shift;
        }
    } while (p >= count);
    return p;
}

uint32_t td_rows_pick(const td_rows_t *rows, const uint32_t order[8], uint32_t position)
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

// ---- bits ----

// `width` bits (1..16) from bit `at` on; touches no byte that holds none of them
static uint32_t read_bits(const uint8_t *bits, uint32_t at, uint32_t width)
{
    const uint8_t *p = bits + (at >> 3);
    uint32_t shift = at & 7u, end = shift + width, value = p[0];
    if (end > 8)
        value |= (uint32_t)p[1] << 8;
    if (end > 16)
        value |= (uint32_t)p[2] << 16;
    return (value >> shift) & ((1u << width) - 1u);
}

static uint32_t column_width(const td_rows_t *rows, uint32_t j)
{
    uint32_t i = j * rows->grid_stride;
    return ((rows->width[i >> 1] >> (4 * (i & 1u))) & 15u) + 1u;
}

uint32_t td_rows_label(const td_rows_t *rows, uint32_t index)
{
    uint32_t end = (index + 1) * rows->row_bits;
    if (rows->label_bits == 0)
        return 0;
    return read_bits(rows->bits, end - rows->label_bits, rows->label_bits);
}

// ---- dreaming ----

#if TD_WITH_DEVIATION
// 256 normal quantiles, round(44 * quantile((i + 0.5) / 256)); symmetric, so their mean is exactly 0
static const int8_t normal[256] = {
    -127, -111, -103, -97, -93, -89, -86, -83, -81, -79, -77, -75, -73, -71, -70, -68,
    -67, -65, -64, -63, -62, -61, -60, -59, -57, -56, -56, -55, -54, -53, -52, -51,
    -50, -49, -49, -48, -47, -46, -46, -45, -44, -43, -43, -42, -41, -41, -40, -39,
    -39, -38, -37, -37, -36, -36, -35, -34, -34, -33, -33, -32, -32, -31, -30, -30,
    -29, -29, -28, -28, -27, -27, -26, -26, -25, -25, -24, -24, -23, -23, -22, -22,
    -21, -21, -20, -20, -19, -19, -18, -18, -17, -17, -17, -16, -16, -15, -15, -14,
    -14, -13, -13, -12, -12, -12, -11, -11, -10, -10, -9, -9, -8, -8, -8, -7,
    -7, -6, -6, -5, -5, -5, -4, -4, -3, -3, -2, -2, -2, -1, -1, 0,
    0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 7,
    7, 8, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 12, 13, 13, 14,
    14, 15, 15, 16, 16, 17, 17, 17, 18, 18, 19, 19, 20, 20, 21, 21,
    22, 22, 23, 23, 24, 24, 25, 25, 26, 26, 27, 27, 28, 28, 29, 29,
    30, 30, 31, 32, 32, 33, 33, 34, 34, 35, 36, 36, 37, 37, 38, 39,
    39, 40, 41, 41, 42, 43, 43, 44, 45, 46, 46, 47, 48, 49, 49, 50,
    51, 52, 53, 54, 55, 56, 56, 57, 59, 60, 61, 62, 63, 64, 65, 67,
    68, 70, 71, 73, 75, 77, 79, 81, 83, 86, 89, 93, 97, 103, 111, 127,
};
#define NORMAL_UNIT 0.0227652453f // 1 / sqrt(mean square of the table)

// four columns share one hash: column j takes byte j % 4 of hash number j / 4
static float drawn_normal(uint32_t key, uint32_t j)
{
    uint32_t hash = td_hash(key + (j >> 2));
    return (float)normal[(hash >> (8 * (j & 3u))) & 255u];
}
#endif

void td_rows_dream(const td_rows_t *rows, const uint32_t *draws, uint32_t n, float *x)
{
    uint32_t at = 0, j, b;
    for (j = 0; j < rows->columns; j++) {
        uint32_t i = j * rows->grid_stride, width = column_width(rows, j);
        float step = td_f8(rows->step[i]);
        float low = (float)((int32_t)rows->low[i] * (1 << (width > 7 ? width - 7 : 0))) * step;
#if TD_WITH_DEVIATION
        float deviation = rows->sigma ? td_f8(rows->sigma[j]) * NORMAL_UNIT : 0.0f;
#endif
        for (b = 0; b < n; b++) {
            uint32_t q = read_bits(rows->bits, draws[2 * b] * rows->row_bits + at, width);
            float value = low + (float)q * step;
#if TD_WITH_DEVIATION
            if (rows->sigma)
                value = value + deviation * drawn_normal(draws[2 * b + 1], j);
#endif
            x[b * rows->columns + j] = value;
        }
        at += width;
    }
}

void td_rows_draw(const td_rows_t *rows, uint32_t seed, uint32_t pass, uint32_t position,
                  const uint32_t order[8], float *x, uint32_t *label)
{
    uint32_t draw[2];
    draw[0] = td_rows_pick(rows, order, position);
    draw[1] = td_hash(td_hash(td_key(seed, TD_STREAM_DEVIATION) + pass) + position);
    td_rows_dream(rows, draw, 1, x);
    *label = td_rows_label(rows, draw[0]);
}

// ---- raw units ----

static int is_kept(const td_inputs_t *inputs, uint32_t j)
{
    return inputs->kept == NULL || (inputs->kept[j >> 3] >> (j & 7u)) & 1u;
}

static float scaled(const td_inputs_t *inputs, uint32_t k, float value)
{
    uint32_t i = k * inputs->scale_stride;
    union {
        float f;
        uint32_t u;
    } scale;
    if (value != value)
        return inputs->fill ? inputs->fill[k] : 0.0f;
    scale.u = (uint32_t)(127 + inputs->gain[i]) << 23;
    value = (value - inputs->shift[i]) * scale.f;
    return value > 16.0f ? 16.0f : value < -16.0f ? -16.0f : value;
}

void td_inputs_apply(const td_inputs_t *inputs, const float *raw, float *x)
{
    uint32_t j, c, k = 0, column = 0;
    for (j = 0; j < inputs->raw_columns; j++) {
        float value = raw[j];
        uint32_t codes;
        if (!is_kept(inputs, j))
            continue;
        codes = inputs->expand ? inputs->expand[column] : 0;
        column++;
        if (codes < 2) {
            x[k] = scaled(inputs, k, value);
            k++;
            continue;
        }
        for (c = 0; c < codes; c++, k++)
            x[k] = scaled(inputs, k, value != value ? value : value == (float)c ? 1.0f : 0.0f);
    }
}

// ---- checks, once at the door ----

int td_inputs_check(const td_inputs_t *inputs)
{
    uint32_t j, columns = 0, column = 0;
    if (inputs->columns == 0 || inputs->scale_stride > 1)
        return TD_EPLAN;
    if (inputs->shift == NULL || inputs->gain == NULL)
        return TD_EPLAN;
    for (j = 0; j < inputs->raw_columns; j++) {
        if (!is_kept(inputs, j))
            continue;
        columns += inputs->expand && inputs->expand[column] > 1 ? inputs->expand[column] : 1;
        column++;
    }
    if (columns != inputs->columns)
        return TD_EPLAN;
    for (j = 0; j <= (uint32_t)(inputs->columns - 1) * inputs->scale_stride; j++)
        if (inputs->gain[j] < -126) // 2^gain would not be a normal number
            return TD_EPLAN;
    return 0;
}

// levels add up to count and rows, neither wraps around, and every label is a class
int td_rows_check(const td_rows_t *rows, uint32_t outputs)
{
    uint64_t count = 0, stands_for = 0, width = rows->label_bits;
    uint32_t i;
    if (!rows->bits || !rows->levels || !rows->width || !rows->low || !rows->step)
        return TD_EPLAN;
    if (rows->grid_stride > 1 || rows->label_bits > 16 || rows->targets >= rows->columns)
        return TD_EPLAN;
    if (rows->targets != 0 && (rows->targets != outputs || rows->label_bits != 0))
        return TD_EPLAN;
    for (i = 0; i < rows->levels_count; i++) {
        if (rows->levels[i].weight == 0 || rows->levels[i].count == 0)
            return TD_EPLAN;
        count += rows->levels[i].count;
        stands_for += (uint64_t)rows->levels[i].weight * rows->levels[i].count;
        if (stands_for > 0x7fffffffu)
            return TD_EPLAN;
    }
    for (i = 0; i < rows->columns; i++)
        width += column_width(rows, i);
    if (count == 0 || count != rows->count || stands_for != rows->rows || width != rows->row_bits)
        return TD_EPLAN;
    if (count * width > 0xffffffffu)
        return TD_EPLAN;
    for (i = 0; i < rows->count; i++)
        if (td_rows_label(rows, i) >= outputs)
            return TD_EPLAN;
#if !TD_WITH_DEVIATION
    if (rows->sigma)
        return TD_ENOKERNEL;
#endif
    return 0;
}
