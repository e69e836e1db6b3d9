// SPDX-License-Identifier: MIT
// td_dream.c - the row that is dreamt around a representative (SPEC.md, "Dreaming").
//
// A few rows at once, four columns at a time: so a column's scale is decoded once for all of these rows, and
// a row hashes once for four columns and reads their integers out of one 32-bit window of its bits.
#include "td_internal.h"

enum { AT_ONCE = 4, MOST_FACTORS = 32, MOST_AXES = 3 };

// where the deviations of the rows at hand come from
enum { NOTHING, DRAWN, PREPARED };

typedef struct {
    uint32_t start;             // its first bit
    uint32_t key;
    float spread;
} row_t;

typedef struct {
    const td_rows_t *rows;
    float *x;                   // (n, columns)
    uint32_t n;
    uint32_t last;              // the last byte at which a window may begin
    uint32_t windows;           // whether the packed rows have a window's four bytes at all
    uint32_t source;            // NOTHING, DRAWN, or PREPARED: x holds them by now
    row_t row[AT_ONCE];
} dream_t;

// ---- one column's numbers ----

typedef struct {
    uint32_t width;
    float low, step, deviation;
} column_t;

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

static float drawn(uint32_t byte)
{
    return (float)normal[byte & 255u];
}

static float drawn_number(uint32_t key, uint32_t j)
{
    return drawn(td_hash(key + j / 4) >> 8 * (j & 3u));
}
#endif

static void decode_grid(const td_rows_t *rows, uint32_t i, column_t *c)
{
    uint32_t width = ((rows->width[i / 2] >> 4 * (i & 1u)) & 15u) + 1u;
    int32_t low = rows->low[i];
    if (width > 7)
        low *= 1 << (width - 7);
    c->width = width;
    c->step = td_f8_inline(rows->step[i]);
    c->low = (float)low * c->step;
}

// `count` columns from j on; a grid that all columns share is decoded once, for the first four
static void decode(const dream_t *dream, uint32_t j, uint32_t count, column_t *c)
{
    const td_rows_t *rows = dream->rows;
    for (; count > 0; count--, j++, c++) {
        if (rows->grid_stride != 0 || j < 4)
            decode_grid(rows, j * rows->grid_stride, c);
#if TD_WITH_DEVIATION
        if (dream->source == DRAWN)
            c->deviation = td_f8_inline(rows->sigma[j]) * NORMAL_UNIT;
#endif
    }
}

// The bits from `at` on, at least 25 of them.
static uint32_t window(const dream_t *dream, uint32_t at)
{
    uint32_t byte = at >> 3;
    const uint8_t *p;
    if (byte > dream->last)
        byte = dream->last;
    p = dream->rows->bits + byte;
    return (p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24) >> (at - 8 * byte);
}

// ---- columns ----

// any column of all rows at hand, whose integers begin `at` bits into the row
static void one_column(const dream_t *dream, uint32_t j, const column_t *c, uint32_t at)
{
    const td_rows_t *rows = dream->rows;
    const row_t *row = dream->row, *end = row + dream->n;
    float *x = dream->x + j;
    for (; row < end; row++, x += rows->columns) {
        float value = c->low + (float)td_bits(rows->bits, row->start + at, c->width) * c->step;
        if (dream->source == PREPARED)
            value = value + row->spread * *x;
#if TD_WITH_DEVIATION
        if (dream->source == DRAWN)
            value = value + row->spread * (c->deviation * drawn_number(row->key, j));
#endif
        *x = value;
    }
}

// four columns whose integers have no more than 25 bits together, j a multiple of 4
static void four_columns(const dream_t *dream, uint32_t j, const column_t c[4], uint32_t at)
{
    const td_rows_t *rows = dream->rows;
    const row_t *row = dream->row, *end = row + dream->n;
    uint32_t w0 = c[0].width, w1 = c[1].width, w2 = c[2].width, w3 = c[3].width;
    float *x = dream->x + j;
    for (; row < end; row++, x += rows->columns) {
        uint32_t q0 = window(dream, row->start + at), q1 = q0 >> w0, q2 = q1 >> w1, q3 = q2 >> w2;
        float d0 = x[0], d1 = x[1], d2 = x[2], d3 = x[3];
#if TD_WITH_DEVIATION
        if (dream->source == DRAWN) {
            uint32_t hash = td_hash_inline(row->key + j / 4);
            d0 = c[0].deviation * drawn(hash);
            d1 = c[1].deviation * drawn(hash >> 8);
            d2 = c[2].deviation * drawn(hash >> 16);
            d3 = c[3].deviation * drawn(hash >> 24);
        }
#endif
        x[0] = c[0].low + (float)(q0 - (q1 << w0)) * c[0].step;
        x[1] = c[1].low + (float)(q1 - (q2 << w1)) * c[1].step;
        x[2] = c[2].low + (float)(q2 - (q3 << w2)) * c[2].step;
        x[3] = c[3].low + (float)(q3 & ((1u << w3) - 1u)) * c[3].step;
        if (dream->source == NOTHING)
            continue;
        if (rows->spread != TD_SPREAD_NONE) {
            d0 = row->spread * d0;
            d1 = row->spread * d1;
            d2 = row->spread * d2;
            d3 = row->spread * d3;
        }
        x[0] += d0;
        x[1] += d1;
        x[2] += d2;
        x[3] += d3;
    }
}

static void all_columns(const dream_t *dream)
{
    uint32_t j, k, at = 0;
    column_t c[4];
    for (j = 0; j < dream->rows->columns; j += 4) {
        uint32_t count = dream->rows->columns - j < 4 ? dream->rows->columns - j : 4, width = 0;
        decode(dream, j, count, c);
        for (k = 0; k < count; k++)
            width += c[k].width;
        if (count == 4 && width <= 25 && dream->windows) {
            four_columns(dream, j, c, at);
            at += width;
            continue;
        }
        for (k = 0; k < count; k++) {
            one_column(dream, j + k, &c[k], at);
            at += c[k].width;
        }
    }
}

// ---- deviations that depend on each other ----

#if TD_WITH_DEVIATION && TD_WITH_TRANSFORM
// The inverse Haar transform along an axis: `outer` blocks of (length, inner).
static void inverse_haar(float *v, uint32_t outer, uint32_t length, uint32_t inner)
{
    uint32_t s = 1, i, t;
    while (2 * s < length)
        s *= 2;
    for (; outer > 0; outer--, v += (size_t)length * inner) {
        uint32_t step;
        for (step = s; step > 0; step /= 2)
            for (i = 0; i + step < length; i += 2 * step)
                for (t = i * inner; t < (i + 1) * inner; t++) {
                    float mean = v[t], half = v[t + step * inner];
                    v[t] = mean + half;
                    v[t + step * inner] = mean - half;
                }
    }
}

static void transform(const td_rows_t *rows, float *v)
{
    uint32_t inputs = rows->columns - (uint32_t)rows->targets, inner = inputs, outer = 1, a, j;
    for (a = 0; a < rows->axes_count; a++) {
        uint32_t length = rows->axes[a].length;
        inner /= length;
        if (rows->axes[a].transformed)
            inverse_haar(v, outer, length, inner);
        outer *= length;
    }
    for (j = 0; j < inputs; j++)
        v[j] = td_f8_inline(rows->correction[j]) * v[j];
}
#endif

#if TD_WITH_DEVIATION && TD_WITH_FACTORS
static void add_factors(const td_rows_t *rows, uint32_t key, float *d)
{
    float z[MOST_FACTORS];
    uint32_t r, j;
    for (r = 0; r < rows->rank; r++)
        z[r] = td_f8_inline(rows->factor_scale[r]) * drawn_number(key, rows->columns + r);
    for (j = 0; j < rows->columns; j++) {
        const int8_t *factor = rows->factors + j;
        float sum = 0.0f;
        for (r = 0; r < rows->rank; r++, factor += rows->columns)
            sum += (float)*factor * z[r];
        d[j] = sum + d[j];
    }
}
#endif

#if TD_WITH_DEVIATION && (TD_WITH_FACTORS || TD_WITH_TRANSFORM)
static void prepare(const td_rows_t *rows, uint32_t key, float *d)
{
    uint32_t j;
    for (j = 0; j < rows->columns; j++)
        d[j] = (td_f8_inline(rows->sigma[j]) * NORMAL_UNIT) * drawn_number(key, j);
#if TD_WITH_TRANSFORM
    if (rows->axes_count != 0)
        transform(rows, d);
#endif
#if TD_WITH_FACTORS
    if (rows->rank != 0)
        add_factors(rows, key, d);
#endif
}
#endif

// ---- rows ----

static uint32_t source_of(const td_rows_t *rows)
{
    if (rows->sigma == NULL)
        return NOTHING;
    return rows->rank == 0 && rows->axes_count == 0 ? DRAWN : PREPARED;
}

void td_rows_dream(const td_rows_t *rows, const uint32_t *draws, uint32_t n, float *x)
{
    uint32_t b, bytes = (uint32_t)(((uint64_t)rows->count * rows->row_bits + 7) / 8);
    dream_t dream;
    dream.rows = rows;
    dream.last = bytes - 4;
    dream.windows = bytes >= 4;
    dream.source = source_of(rows);
    for (; n > 0; n -= dream.n, x += (size_t)dream.n * rows->columns) {
        dream.n = n < AT_ONCE ? n : AT_ONCE;
        dream.x = x;
        for (b = 0; b < dream.n; b++, draws += 2) {
            dream.row[b].start = draws[0] * rows->row_bits;
            dream.row[b].key = draws[1];
            dream.row[b].spread = td_rows_spread(rows, draws[0]);
#if TD_WITH_DEVIATION && (TD_WITH_FACTORS || TD_WITH_TRANSFORM)
            if (dream.source == PREPARED)
                prepare(rows, draws[1], x + (size_t)b * rows->columns);
#endif
        }
        all_columns(&dream);
    }
}

// ---- checks, once at the door ----

static int axes_check(const td_rows_t *rows)
{
    uint32_t a, product = 1, inputs = rows->columns - (uint32_t)rows->targets;
    if (rows->axes_count == 0)
        return 0;
    if (rows->axes_count > MOST_AXES || rows->axes == NULL || rows->correction == NULL)
        return TD_EPLAN;
    for (a = 0; a < rows->axes_count; a++) {
        if (rows->axes[a].length == 0 || rows->axes[a].length > inputs / product)
            return TD_EPLAN;
        product *= rows->axes[a].length;
    }
    return product == inputs ? 0 : TD_EPLAN;
}

int td_dream_check(const td_rows_t *rows)
{
    uint32_t more = rows->spread != TD_SPREAD_NONE || rows->rank != 0 || rows->axes_count != 0;
    uint32_t coded = rows->spread == TD_SPREAD_ROW;
    if (rows->spread > TD_SPREAD_ROW || (rows->spread != TD_SPREAD_NONE && rows->spreads == NULL))
        return TD_EPLAN;
    if (rows->spread_bits > 4 || (rows->spread_bits != 0) != coded || (more && rows->sigma == NULL))
        return TD_EPLAN;
    if (rows->rank > MOST_FACTORS || (rows->rank != 0 && (!rows->factors || !rows->factor_scale)))
        return TD_EPLAN;
#if !TD_WITH_DEVIATION
    if (rows->sigma)
        return TD_ENOKERNEL;
#endif
#if !TD_WITH_FACTORS
    if (rows->rank != 0)
        return TD_ENOKERNEL;
#endif
#if !TD_WITH_TRANSFORM
    if (rows->axes_count != 0)
        return TD_ENOKERNEL;
#endif
    return axes_check(rows);
}
