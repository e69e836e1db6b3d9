// SPDX-License-Identifier: MIT
// td_dream_four.h - TD_TILE rows at once, four columns at a time: what belongs to a column is decoded once for all of
// these rows, and a row hashes once for four columns and reads their integers out of one 32-bit window of its bits.
#ifndef TD_DREAM_FOUR_H
#define TD_DREAM_FOUR_H

// Four columns whose integers have no more than 7 bits each, as they lie in a window: not shifted down, but with
// a step that is smaller by as many powers of two. Base = (low + integer) * step: no bit of it is ever rounded.
typedef struct {
    uint32_t mask[4];
    uint32_t mix[2];            // here for td_dream_vfp.h, which reads all of this and the rows before it
    td_float_t step[4];
    int32_t low[4];             // in steps, in the integer's place
    td_float_t scale[4];        // sigma, 2^102 times smaller: a bias of 1 is an instruction less than one of 103
    uint32_t widths;            // width - 1 in 4 bits each; what follows and the masks come of it alone
    uint32_t bits;              // of the integers together; 0: too many
    int32_t unit[4];            // the lowest bit of each
    uint32_t bias[2];           // of steps, as f8_four wants it
} four_t;

typedef struct {
    const td_rows_t *rows;
    const uint8_t *sigma;       // NULL: x holds the deviations by now
    row_t *first;               // of the rows that are filled, the last ones of `row`
    row_t row[TD_TILE];
    four_t four;
} dream_t;

#define SCALE_UNIT (NORMAL_UNIT * 5070602400912917605986812821504.0f) // of four_t

#ifdef TD_VFP
#include "td_dream_vfp.h"
// what its assembly takes for granted
typedef char td_dream_as_told[offsetof(dream_t, four) == offsetof(dream_t, row) + TD_TILE * sizeof(row_t)
                              && offsetof(four_t, mix) == 16 && offsetof(four_t, step) == 24 ? 1 : -1];
#endif

static TD_INLINE uint32_t word(const void *bytes)
{
    const uint8_t *p = bytes;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// byte k of four
#define BYTE(x, k) ((x) >> 8 * (k) & 255u)

static void no_numbers(td_float_t v[4], uint32_t codes)
{
    uint32_t k;
    for (k = 0; k < 4; k++)
        if (BYTE(codes, k) == 0)
            v[k].u = 0;
}

// Four 8-bit floats: td_f8_inline of codes 0 and 2, then of 1 and 3, in the upper and lower half of a word. A bias is
// what is added to a code for the upper 12 bits of its number.
static TD_INLINE void f8_four(td_float_t v[4], uint32_t codes, uint32_t even, uint32_t odd)
{
    even = (even + (codes & 0xff00ffu)) << 4;
    odd = (odd + (codes >> 8 & 0xff00ffu)) << 4;
    v[0].u = even << 16;
    v[1].u = odd << 16;
    v[2].u = even ^ v[0].u >> 16;
    v[3].u = odd ^ v[1].u >> 16;
    if (((codes - 0x01010101u) & ~codes & 0x80808080u) != 0)
        no_numbers(v, codes);
}

// Where four integers lie; `bits` is 0 where one has more than 7, or they more than 25, which is a window's.
static void fields_of(four_t *four, uint32_t widths)
{
    uint32_t k, at = 0, wide = widths + 0x1111u;
    four->widths = widths;
    four->bits = 0;
    if (((widths | wide) & 0x8888u) != 0)
        return;
    four->bias[0] = four->bias[1] = 103 * 0x80008u;
    for (k = 0; k < 4; k++, wide >>= 4) {
        four->unit[k] = 1 << at;
        four->bias[k & 1] -= at << (k & 2 ? 19 : 3); // a number is 2^at times smaller by 8 at
        at += wide & 15u;
        four->mask[k] = (1u << at) - (uint32_t)four->unit[k];
    }
    if (at <= 25)
        four->bits = at;
}

// The grids of four columns whose fields are known
static TD_INLINE void grids_of(four_t *four, uint32_t lows, uint32_t steps)
{
    f8_four(four->step, steps, four->bias[0], four->bias[1]);
    four->low[0] = (int8_t)BYTE(lows, 0) * four->unit[0];
    four->low[1] = (int8_t)BYTE(lows, 1) * four->unit[1];
    four->low[2] = (int8_t)BYTE(lows, 2) * four->unit[2];
    four->low[3] = (int8_t)BYTE(lows, 3) * four->unit[3];
}

// Those from column j on; returns whether they can be taken together. Widths are mostly what they were before.
static TD_INLINE int own_grids(const td_rows_t *rows, uint32_t j, four_t *four)
{
    const uint8_t *width = rows->width + j / 2;
    uint32_t widths = width[0] | (uint32_t)width[1] << 8;
    if (widths != four->widths) {
        fields_of(four, widths);
        if (four->bits == 0)
            return 0;
    }
    grids_of(four, word(rows->low + j), word(rows->step + j));
    return 1;
}

// whether there is no assembly for them
#ifdef TD_VFP
#define FOUR_IN_C(drawing) !(drawing)
#else
#define FOUR_IN_C(drawing) 1
#endif

// Where registers are few, GCC would keep on the stack what an instruction has for nothing: j / 4, and a constant
// that it takes for cheaper to compute from another one.
#if defined(__GNUC__) && defined(__thumb2__)
#define TD_OPAQUE(x) __asm("" : "+r"(x))
#else
#define TD_OPAQUE(x) (void)0
#endif

static TD_INLINE float on_grid(const four_t *four, uint32_t k, uint32_t window)
{
    return (float)((int32_t)(window & four->mask[k]) + four->low[k]) * four->step[k].f;
}

// columns j to j + 3 of all rows, whose integers begin `at` bits into a row
static TD_INLINE void four_columns(const dream_t *dream, uint32_t j, uint32_t at, uint32_t drawing)
{
    const four_t *four = &dream->four;
    const row_t *end = dream->row + TD_TILE, *row = dream->first;
    float v0 = drawing ? four->scale[0].f * SCALE_UNIT : 0.0f, v1 = drawing ? four->scale[1].f * SCALE_UNIT : 0.0f;
    float v2 = drawing ? four->scale[2].f * SCALE_UNIT : 0.0f, v3 = drawing ? four->scale[3].f * SCALE_UNIT : 0.0f;
    do {
        uint32_t first = row->start + at, hash, q;
        float *x, d0, d1, d2, d3;
        TD_OPAQUE(j);
        hash = td_mix(row->key + j / 4, four->mix[0], four->mix[1]);
        x = row->x + j;
        d0 = drawing ? v0 * drawn(hash) : x[0], d1 = drawing ? v1 * drawn(hash >> 8) : x[1];
        d2 = drawing ? v2 * drawn(hash >> 16) : x[2], d3 = drawing ? v3 * drawn(hash >> 24) : x[3];
        if (TD_WITH_SPREAD && dream->rows->spread)
            d0 *= spread_of(row), d1 *= spread_of(row), d2 *= spread_of(row), d3 *= spread_of(row);
        q = word(dream->rows->bits + first / 8) >> (first & 7u);
        x[0] = on_grid(four, 0, q) + d0;
        x[1] = on_grid(four, 1, q) + d1;
        x[2] = on_grid(four, 2, q) + d2;
        x[3] = on_grid(four, 3, q) + d3;
    } while (++row != end);
}

// Columns four by four; a grid that all share is decoded once. Stops before four whose integers are too wide.
// Returns how many it did, and in *bit where they end.
static uint32_t four_by_four(dream_t *dream, uint32_t *bit)
{
    const td_rows_t *rows = dream->rows;
    four_t *four = &dream->four;
    uint32_t j, at = 0, drawing = !TD_PREPARES || dream->sigma, own = grid_stride(rows);
    four->mix[0] = TD_MIX_1;
    four->mix[1] = TD_MIX_2;
    four->widths = ~0u;
    if (!own) {
        fields_of(four, (rows->width[0] & 15u) * 0x1111u);
        if (four->bits == 0)
            return 0;
        grids_of(four, (uint8_t)rows->low[0] * 0x01010101u, rows->step[0] * 0x01010101u);
    }
    for (j = 0; j + 4 <= rows->columns; j += 4, at += four->bits) {
        if (own && !own_grids(rows, j, four))
            break;
        if (drawing)
            f8_four(four->scale, word(dream->sigma + j), 0x80008u, 0x80008u);
#ifdef TD_VFP
        if (drawing)
            dream_four(dream->first, dream->row + TD_TILE, rows->bits, j / 4, at);
#endif
        if (FOUR_IN_C(drawing))
            four_columns(dream, j, at, drawing);
    }
    *bit = at;
    return j;
}

// How many of the n rows go together: those whose integers all lie in reach of a window, or one that has none, for
// being the last.
static uint32_t together(const td_rows_t *rows, const uint32_t *draws, uint32_t n, uint32_t *windows)
{
    uint32_t b = 0;
    while (b < n && b < TD_TILE && (rows->count - 1 - draws[2 * b]) * rows->row_bits >= 32)
        b++;
    *windows = b;
    return b != 0 ? b : 1;
}

static void draw_rows(const td_rows_t *rows, const uint8_t *sigma, const uint32_t *draws, uint32_t n, float *x)
{
    dream_t dream;
    uint32_t many, windows;
    dream.rows = rows;
    dream.sigma = sigma;
    for (; n > 0; n -= many) {
        uint32_t j = 0, at = 0;
        row_t *row, *end = dream.row + TD_TILE;
        many = together(rows, draws, n, &windows);
        dream.first = end - many;
        for (row = dream.first; row < end; row++, draws += 2, x += rows->columns)
            begin_row(row, rows, sigma, draws, x);
        if (windows && (TD_PREPARES || sigma))
            j = four_by_four(&dream, &at);
        for (row = dream.first; j < rows->columns && row < end; row++)
            draw_columns(rows, sigma, row, j, row->start + at);
    }
}

#endif
