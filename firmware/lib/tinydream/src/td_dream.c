// SPDX-License-Identifier: MIT
// td_dream.c - the row that is dreamt around a representative (SPEC.md, "Dreaming"), column by column; four by four:
// td_dream_four.h.
#include "td_internal.h"

enum { MOST_FACTORS = 32, MOST_AXES = 3 };

// whether deviations may lie in x before columns are done, 0 or computed there
#define TD_PREPARES (!TD_WITH_DEVIATION || TD_WITH_FACTORS || TD_WITH_TRANSFORM || TD_WITH_VALIDATION)

static uint32_t grid_stride(const td_rows_t *rows)
{
    return TD_WITH_GRIDS ? rows->grid_stride : 0;
}

typedef struct {
    uint32_t width, mask;       // bits of an integer, as many ones
    float low, step;
} grid_t;

typedef struct {
    uint32_t start;             // its first bit
    float *x;                   // (columns)
    uint32_t key;
#if TD_WITH_SPREAD
    float spread;
#endif
} row_t;

// ---- drawn numbers ----

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

// deviation of the normal number that is drawn with an 8-bit float
static float scale_of(uint8_t sigma)
{
    return td_f8_inline(sigma) * NORMAL_UNIT;
}
#endif

// ---- columns ----

static grid_t grid_of(const td_rows_t *rows, uint32_t j)
{
    uint32_t i = j * grid_stride(rows);
    int32_t low = rows->low[i];
    grid_t g;
    g.width = td_rows_width(rows, j);
    g.mask = (1u << g.width) - 1u;
    if (g.width > 7)
        low *= 1 << (g.width - 7);
    g.step = td_f8_inline(rows->step[i]);
    g.low = (float)low * g.step;
    return g;
}

static TD_INLINE float spread_of(const row_t *row)
{
#if TD_WITH_SPREAD
    return row->spread;
#else
    (void)row;
    return 1.0f;
#endif
}

// A row's columns from j on, a multiple of 4, whose integers begin at bit `first`; sigma NULL: x holds the deviations
static void draw_columns(const td_rows_t *rows, const uint8_t *sigma, const row_t *row, uint32_t j, uint32_t first)
{
    float *x = row->x;
    uint32_t key = row->key;
    grid_t g = grid_of(rows, 0);
#if TD_WITH_DEVIATION
    uint32_t hash = 0;
#else
    (void)sigma;
    (void)key;
#endif
    for (; j < rows->columns; j++, first += g.width) {
        float d = x[j];
        if (grid_stride(rows) != 0)
            g = grid_of(rows, j);
#if TD_WITH_DEVIATION
        hash = j % 4 == 0 ? td_hash_inline(key + j / 4) : hash >> 8;
        if (!TD_PREPARES || sigma)
            d = scale_of(sigma[j]) * drawn(hash);
#endif
        x[j] = (g.low + (float)(int32_t)td_bits(rows->bits, first, g.width) * g.step) + spread_of(row) * d;
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
    for (r = 0; r < rows->rank; r++) {
        uint32_t i = rows->columns + r;
        z[r] = td_f8_inline(rows->factor_scale[r]) * drawn(td_hash(key + i / 4) >> 8 * (i & 3u));
    }
    for (j = 0; j < rows->columns; j++) {
        const int8_t *factor = rows->factors + j;
        float sum = 0.0f;
        for (r = 0; r < rows->rank; r++, factor += rows->columns)
            sum += (float)*factor * z[r];
        d[j] = sum + d[j];
    }
}
#endif

// The deviations of a row, but for its spread, where they are not simply drawn column by column.
static void prepare(const td_rows_t *rows, uint32_t key, float *d)
{
    uint32_t j;
#if TD_WITH_DEVIATION
    uint32_t hash = 0;
    for (j = 0; rows->sigma && j < rows->columns; j++, hash >>= 8) {
        if (j % 4 == 0)
            hash = td_hash(key + j / 4);
        d[j] = scale_of(rows->sigma[j]) * drawn(hash);
    }
#else
    (void)key;
#endif
    for (j = 0; rows->sigma == NULL && j < rows->columns; j++)
        d[j] = 0.0f;
#if TD_WITH_DEVIATION && TD_WITH_TRANSFORM
    if (rows->axes_count != 0)
        transform(rows, d);
#endif
#if TD_WITH_DEVIATION && TD_WITH_FACTORS
    if (rows->rank != 0)
        add_factors(rows, key, d);
#endif
}

// ---- rows ----

static TD_INLINE void begin_row(row_t *row, const td_rows_t *rows, const uint8_t *sigma, const uint32_t draw[2], float *x)
{
    row->start = draw[0] * rows->row_bits;
    row->key = draw[1];
    row->x = x;
#if TD_WITH_SPREAD
    row->spread = td_rows_spread(rows, draw[0]);
#endif
    if (!sigma)
        prepare(rows, row->key, x);
}

#if TD_WITH_DEVIATION && TD_TILE >= 4
#include "td_dream_four.h"
#else
// where code and stack shall be small
static TD_INLINE void draw_rows(const td_rows_t *rows, const uint8_t *sigma, const uint32_t *draws, uint32_t n, float *x)
{
    for (; n > 0; n--, draws += 2, x += rows->columns) {
        row_t row;
        begin_row(&row, rows, sigma, draws, x);
        draw_columns(rows, sigma, &row, 0, row.start);
    }
}
#endif

void td_rows_dream(const td_rows_t *rows, const uint32_t *draws, uint32_t n, float *x)
{
    uint32_t simple = !((TD_WITH_FACTORS && rows->rank) || (TD_WITH_TRANSFORM && rows->axes_count));
    draw_rows(rows, simple ? rows->sigma : NULL, draws, n, x);
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
