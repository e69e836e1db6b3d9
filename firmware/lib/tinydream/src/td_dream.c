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
    const td_rows_t *rows;
    float *x;                   // (n, columns)
    uint32_t n;
    uint32_t last;              // the last byte at which a window may begin
    uint32_t windows;           // whether the packed rows have a window's four bytes at all
    uint32_t source;            // NOTHING, DRAWN, or PREPARED: x holds them by now
    uint32_t start[AT_ONCE];    // a row's first bit
    uint32_t key[AT_ONCE];
    float spread[AT_ONCE];
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
#endif

static column_t decode(const dream_t *dream, uint32_t j)
{
    const td_rows_t *rows = dream->rows;
    uint32_t i = j * rows->grid_stride;
    column_t c;
    c.width = td_rows_width(rows, j);
    c.step = td_f8_inline(rows->step[i]);
    c.low = (float)((int32_t)rows->low[i] * (1 << (c.width > 7 ? c.width - 7 : 0))) * c.step;
    c.deviation = 0.0f;
#if TD_WITH_DEVIATION
    if (dream->source == DRAWN)
        c.deviation = td_f8_inline(rows->sigma[j]) * NORMAL_UNIT;
#endif
    return c;
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
    float *x = dream->x + j;
    uint32_t b;
    for (b = 0; b < dream->n; b++, x += rows->columns) {
        uint32_t q = td_bits(rows->bits, dream->start[b] + at, c->width);
        float d = 0.0f;
        if (dream->source == PREPARED)
            d = *x;
#if TD_WITH_DEVIATION
        if (dream->source == DRAWN)
            d = c->deviation * drawn(td_hash(dream->key[b] + j / 4) >> 8 * (j & 3u));
#endif
        *x = (c->low + (float)q * c->step) + dream->spread[b] * d;
    }
}

// four columns whose integers have no more than 25 bits together, j a multiple of 4
static void four_columns(const dream_t *dream, uint32_t j, const column_t c[4], uint32_t at)
{
    const td_rows_t *rows = dream->rows;
    uint32_t w0 = c[0].width, w1 = c[1].width, w2 = c[2].width, b;
    uint32_t m0 = (1u << w0) - 1u, m1 = (1u << w1) - 1u, m2 = (1u << w2) - 1u, m3 = (1u << c[3].width) - 1u;
    float l0 = c[0].low, l1 = c[1].low, l2 = c[2].low, l3 = c[3].low;
    float s0 = c[0].step, s1 = c[1].step, s2 = c[2].step, s3 = c[3].step;
    float v0 = c[0].deviation, v1 = c[1].deviation, v2 = c[2].deviation, v3 = c[3].deviation;
    float *x = dream->x + j;
    for (b = 0; b < dream->n; b++, x += rows->columns) {
        uint32_t bits = window(dream, dream->start[b] + at), q0, q1, q2;
        float d0 = 0.0f, d1 = 0.0f, d2 = 0.0f, d3 = 0.0f, spread = dream->spread[b];
        if (dream->source == PREPARED) {
            d0 = x[0];
            d1 = x[1];
            d2 = x[2];
            d3 = x[3];
        }
#if TD_WITH_DEVIATION
        if (dream->source == DRAWN) {
            uint32_t hash = td_hash(dream->key[b] + j / 4);
            d0 = v0 * drawn(hash);
            d1 = v1 * drawn(hash >> 8);
            d2 = v2 * drawn(hash >> 16);
            d3 = v3 * drawn(hash >> 24);
        }
#endif
        q0 = bits & m0;
        bits >>= w0;
        q1 = bits & m1;
        bits >>= w1;
        q2 = bits & m2;
        bits >>= w2;
        x[0] = (l0 + (float)q0 * s0) + spread * d0;
        x[1] = (l1 + (float)q1 * s1) + spread * d1;
        x[2] = (l2 + (float)q2 * s2) + spread * d2;
        x[3] = (l3 + (float)(bits & m3) * s3) + spread * d3;
    }
}

static void all_columns(const dream_t *dream)
{
    uint32_t j, k, at = 0;
    for (j = 0; j < dream->rows->columns; j += 4) {
        uint32_t count = dream->rows->columns - j < 4 ? dream->rows->columns - j : 4, width = 0;
        column_t c[4];
        for (k = 0; k < count; k++) {
            c[k] = decode(dream, j + k);
            width += c[k].width;
        }
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

#if TD_WITH_DEVIATION && (TD_WITH_FACTORS || TD_WITH_TRANSFORM)
static float drawn_number(uint32_t key, uint32_t j)
{
    return drawn(td_hash(key + j / 4) >> 8 * (j & 3u));
}
#endif

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
            dream.start[b] = draws[0] * rows->row_bits;
            dream.key[b] = draws[1];
            dream.spread[b] = td_rows_spread(rows, draws[0]);
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
