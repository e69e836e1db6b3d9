// SPDX-License-Identifier: MIT
// td_dream.c - the row that is dreamt around a representative (SPEC.md, "Dreaming").
//
// A few rows at once, four columns at a time: so a column's scale is decoded once for all of these rows, and
// a row hashes once for four columns and reads their integers out of one 32-bit window of its bits.
#include "td_internal.h"

#define TD_INLINE inline __attribute__((always_inline))
enum { AT_ONCE = TD_TILE < 4 ? 1 : 4, MOST_FACTORS = 32, MOST_AXES = 3 };

// where the deviations of the rows at hand come from
enum { NOTHING, DRAWN, PREPARED };

typedef struct {
    uint32_t width;
    float low, step;
} column_t;

typedef struct {
    uint32_t start;             // its first bit
    uint32_t key;
    float *x;
    float spread;
} row_t;

typedef struct {
    const td_rows_t *rows;
    float *x;                   // (n, columns)
    uint32_t n;
    uint8_t source;             // NOTHING, DRAWN, or PREPARED: x holds them by now
    uint8_t windows;            // whether 32 bits can be read wherever an integer of these rows begins
    column_t shared;            // the grid of all columns, if they share one
    row_t row[AT_ONCE];
} dream_t;

// ---- one column's numbers ----

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

static inline column_t decode_grid(const td_rows_t *rows, uint32_t i)
{
    column_t c;
    int32_t low = rows->low[i];
    c.width = ((rows->width[i / 2] >> 4 * (i & 1u)) & 15u) + 1u;
    if (c.width > 7)
        low *= 1 << (c.width - 7);
    c.step = td_f8_inline(rows->step[i]);
    c.low = (float)low * c.step;
    return c;
}

static inline float decode_deviation(const dream_t *dream, uint32_t j)
{
#if TD_WITH_DEVIATION
    if (dream->source == DRAWN)
        return td_f8_inline(dream->rows->sigma[j]) * NORMAL_UNIT;
#endif
    return 0.0f;
}

// ---- columns: each returns how many bits their integers have, which begin `at` bits into a row ----

// any column, for all rows at hand; inline, its frame does not lie on top of another one
#if defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
__attribute__((always_inline)) static inline
#else
static
#endif
uint32_t one_column(const dream_t *dream, uint32_t j, uint32_t at)
{
    const td_rows_t *rows = dream->rows;
    const row_t *row = dream->row, *end = row + dream->n;
    column_t c = decode_grid(rows, j * rows->grid_stride);
    float deviation = decode_deviation(dream, j), *x = dream->x + j;
    for (; row < end; row++, x += rows->columns) {
        float value = c.low + (float)td_bits(rows->bits, row->start + at, c.width) * c.step;
        if (dream->source == PREPARED)
            value = value + row->spread * *x;
#if TD_WITH_DEVIATION
        if (dream->source == DRAWN)
            value = value + row->spread * (deviation * drawn_number(row->key, j));
#endif
        *x = value;
    }
    return c.width;
}

#if TD_WITH_DEVIATION
// Four columns from 4 * k on, drawn, whose integers are no longer than a window together.
static TD_INLINE void four_columns(const dream_t *dream, uint32_t k, uint32_t at, column_t c0, column_t c1,
                                   column_t c2, column_t c3)
{
    const td_rows_t *rows = dream->rows;
    const row_t *row = dream->row, *end = row + dream->n;
    const uint8_t *sigma = rows->sigma + 4 * k, *bits = rows->bits;
    float v0 = td_f8_inline(sigma[0]) * NORMAL_UNIT, v1 = td_f8_inline(sigma[1]) * NORMAL_UNIT;
    float v2 = td_f8_inline(sigma[2]) * NORMAL_UNIT, v3 = td_f8_inline(sigma[3]) * NORMAL_UNIT;
    uint32_t k1=0x7feb352du, k2=0x846ca68bu;
#ifdef BAR
    __asm__("" : "+r"(k1)); __asm__("" : "+r"(k2));
#endif
    do {
        uint32_t first = row->start + at, hash = row->key + k;
        const uint8_t *p = bits + first / 8;
        uint32_t q = (p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24) >> (first & 7u);
        float *x = row->x + 4 * k, d0, d1, d2, d3;
        hash ^= hash >> 16; hash *= k1; hash ^= hash >> 15; hash *= k2; hash ^= hash >> 16;
        d0 = v0 * drawn(hash);
        d1 = v1 * drawn(hash >> 8);
        d2 = v2 * drawn(hash >> 16);
        d3 = v3 * drawn(hash >> 24);
        if (rows->spread != TD_SPREAD_NONE) {
            d0 = row->spread * d0;
            d1 = row->spread * d1;
            d2 = row->spread * d2;
            d3 = row->spread * d3;
        }
        x[0] = (c0.low + (float)(int32_t)(q & ((1u << c0.width) - 1)) * c0.step) + d0;
        q >>= c0.width;
        x[1] = (c1.low + (float)(int32_t)(q & ((1u << c1.width) - 1)) * c1.step) + d1;
        q >>= c1.width;
        x[2] = (c2.low + (float)(int32_t)(q & ((1u << c2.width) - 1)) * c2.step) + d2;
        q >>= c2.width;
        x[3] = (c3.low + (float)(int32_t)(q & ((1u << c3.width) - 1)) * c3.step) + d3;
    } while (++row != end);
}

static uint32_t shared_grid(const dream_t *dream)
{
    uint32_t j;
    column_t c = dream->shared;
    for (j = 0; c.width <= 6 && j + 4 <= dream->rows->columns; j += 4)
        four_columns(dream, j / 4, j * c.width, c, c, c, c);
    return j;
}

static uint32_t own_grids(const dream_t *dream, uint32_t *at)
{
    const td_rows_t *rows = dream->rows;
    uint32_t j, k;
    for (j = 0; j + 4 <= rows->columns; j += 4) {
        column_t c0 = decode_grid(rows, j), c1 = decode_grid(rows, j + 1);
        column_t c2 = decode_grid(rows, j + 2), c3 = decode_grid(rows, j + 3);
        uint32_t width = c0.width + c1.width + c2.width + c3.width;
        if (width <= 25) {
            four_columns(dream, j / 4, *at, c0, c1, c2, c3);
            *at += width;
        } else {
            for (k = 0; k < 4; k++)
                *at += one_column(dream, j + k, *at);
        }
    }
    return j;
}
#endif

static void all_columns(const dream_t *dream)
{
    uint32_t j = 0, at = 0, columns = dream->rows->columns;
#if TD_WITH_DEVIATION
    if (dream->source == DRAWN && dream->windows) {
        if (dream->rows->grid_stride == 0)
            at = (j = shared_grid(dream)) * dream->shared.width;
        else
            j = own_grids(dream, &at);
    }
#endif
    for (; j < columns; j++)
        at += one_column(dream, j, at);
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

static uint8_t source_of(const td_rows_t *rows)
{
    if (rows->sigma == NULL)
        return NOTHING;
    return rows->rank == 0 && rows->axes_count == 0 ? DRAWN : PREPARED;
}

void td_rows_dream(const td_rows_t *rows, const uint32_t *draws, uint32_t n, float *x)
{
    uint32_t b, last = rows->count * rows->row_bits - rows->row_bits; // the last row's first bit
    dream_t dream;
    dream.rows = rows;
    dream.source = source_of(rows);
    dream.shared = decode_grid(rows, 0);
    for (; n > 0; n -= dream.n, x += (size_t)dream.n * rows->columns) {
        dream.n = n < AT_ONCE ? n : AT_ONCE;
        dream.x = x;
        dream.windows = 1;
        for (b = 0; b < dream.n; b++, draws += 2) {
            dream.row[b].start = draws[0] * rows->row_bits;
            dream.row[b].key = draws[1];
            dream.row[b].x = x + b * rows->columns;
            dream.row[b].spread = td_rows_spread(rows, draws[0]);
            dream.windows = dream.windows && dream.row[b].start + 32 <= last;
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
