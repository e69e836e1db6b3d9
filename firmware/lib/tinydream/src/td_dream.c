// SPDX-License-Identifier: MIT
// td_dream.c - the row that is dreamt around a representative (SPEC.md, "Dreaming").
//
// A tile of rows at once, four columns at a time: a column's scale is decoded once for all of these rows, and a
// row hashes once for four columns and reads their integers out of one or two 32-bit windows of its bits.
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
    uint32_t key;
    float *x;                   // (columns)
    float spread;
} row_t;

typedef struct {
    const td_rows_t *rows;
    const uint8_t *sigma;       // NULL: x holds the deviations by now
    uint32_t n;
    uint32_t windows;           // whether 32 bits can be read wherever an integer of these rows begins
    row_t row[TD_TILE];
} dream_t;

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

// any column, whose integers begin `at` bits into a row; returns how many bits they have
static uint32_t one_column(const dream_t *dream, uint32_t j, uint32_t at)
{
    const td_rows_t *rows = dream->rows;
    const row_t *row = dream->row, *end = row + dream->n;
    grid_t g = grid_of(rows, j);
#if TD_WITH_DEVIATION
    float deviation = dream->sigma ? scale_of(dream->sigma[j]) : 0.0f;
#endif
    for (; row < end; row++) {
        float *x = row->x + j, d = *x;
#if TD_WITH_DEVIATION
        if (dream->sigma)
            d = deviation * drawn(td_hash_inline(row->key + j / 4) >> 8 * (j & 3u));
#endif
        *x = (g.low + (float)(int32_t)td_bits(rows->bits, row->start + at, g.width) * g.step) + row->spread * d;
    }
    return g.width;
}

#if TD_WITH_DEVIATION
// A column whose integers have no more than 7 bits, as they lie in a window: not shifted down, but with a step
// that is smaller by as many powers of two, which changes no bit of their product.
typedef struct {
    uint32_t mask;
    float low, step;
} small_t;

static TD_INLINE small_t small_grid(uint32_t width, uint32_t at, int8_t low, uint8_t code)
{
    small_t g;
    td_float_t step;
    step.f = td_f8_inline(code);
    g.mask = ((1u << width) - 1u) << at;
    g.low = (float)low * step.f;
    if (step.u != 0)
        step.u -= at << 23;
    g.step = step.f;
    return g;
}

static TD_INLINE float on_grid(small_t g, uint32_t window)
{
    return g.low + (float)(int32_t)(window & g.mask) * g.step;
}

// The grids of four columns from j on; returns the bits of their integers together, or 0 where one has more than
// 7 bits, or they more than 25, which is a window's.
static TD_INLINE uint32_t grids_of(const td_rows_t *rows, uint32_t j, small_t g[4])
{
    uint32_t stride = grid_stride(rows), widths = (rows->width[0] & 15u) * 0x1111u, one, two, three, total;
    const int8_t *low = rows->low + j * stride;
    const uint8_t *step = rows->step + j * stride;
    if (stride != 0)
        widths = rows->width[j / 2] | (uint32_t)rows->width[j / 2 + 1] << 8;
    one = (widths & 15u) + 1;
    two = one + (widths >> 4 & 15u) + 1;
    three = two + (widths >> 8 & 15u) + 1;
    total = three + (widths >> 12) + 1;
    if (((widths | (widths + 0x1111u)) & 0x8888u) != 0 || total > 25)
        return 0;
    g[0] = small_grid(one, 0, low[0], step[0]);
    g[1] = small_grid(two - one, one, low[stride], step[stride]);
    g[2] = small_grid(three - two, two, low[2 * stride], step[2 * stride]);
    g[3] = small_grid(total - three, three, low[3 * stride], step[3 * stride]);
    return total;
}

static TD_INLINE void scales_of(const uint8_t *sigma, float v[4])
{
    uint32_t codes = sigma[0] | (uint32_t)sigma[1] << 8 | (uint32_t)sigma[2] << 16 | (uint32_t)sigma[3] << 24;
    v[0] = scale_of((uint8_t)codes);
    v[1] = scale_of((uint8_t)(codes >> 8));
    v[2] = scale_of((uint8_t)(codes >> 16));
    v[3] = scale_of((uint8_t)(codes >> 24));
}

// Where registers are few, GCC would keep on the stack what an instruction has for nothing: j / 4, and a constant
// that it takes for cheaper to compute from another one.
#if defined(__GNUC__) && defined(__thumb2__)
#define TD_OPAQUE(x) __asm("" : "+r"(x))
#else
#define TD_OPAQUE(x) (void)0
#endif

// Columns four by four; a grid that all share is decoded once. Stops before four whose integers are too wide.
// Returns how many it did, and in *bit where they end.
static uint32_t four_by_four(const dream_t *dream, uint32_t *bit)
{
    const td_rows_t *rows = dream->rows;
    const uint8_t *bits = rows->bits;
    uint32_t j, at = 0, total = 0, drawing = !TD_PREPARES || dream->sigma, mix1 = TD_MIX_1, mix2 = TD_MIX_2;
    small_t g[4] = {{0, 0.0f, 0.0f}, {0, 0.0f, 0.0f}, {0, 0.0f, 0.0f}, {0, 0.0f, 0.0f}};
    float v[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    TD_OPAQUE(mix1);
    TD_OPAQUE(mix2);
    if (grid_stride(rows) == 0 && rows->columns >= 4 && (total = grids_of(rows, 0, g)) == 0)
        return 0;
    for (j = 0; j + 4 <= rows->columns; j += 4, at += total) {
        const row_t *row = dream->row, *end = row + dream->n;
        if (grid_stride(rows) != 0 && (total = grids_of(rows, j, g)) == 0)
            break;
        if (drawing)
            scales_of(dream->sigma + j, v);
        do {
            uint32_t first = row->start + at, hash, q;
            const uint8_t *p = bits + first / 8;
            float *x, d0, d1, d2, d3;
            TD_OPAQUE(j);
            hash = td_mix(row->key + j / 4, mix1, mix2);
            x = row->x + j;
            d0 = v[0] * drawn(hash), d1 = v[1] * drawn(hash >> 8);
            d2 = v[2] * drawn(hash >> 16), d3 = v[3] * drawn(hash >> 24);
            if ((TD_WITH_SPREAD && rows->spread) || !drawing) {
                d0 = row->spread * (drawing ? d0 : x[0]);
                d1 = row->spread * (drawing ? d1 : x[1]);
                d2 = row->spread * (drawing ? d2 : x[2]);
                d3 = row->spread * (drawing ? d3 : x[3]);
            }
            q = (p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24) >> (first & 7u);
            x[0] = on_grid(g[0], q) + d0;
            x[1] = on_grid(g[1], q) + d1;
            x[2] = on_grid(g[2], q) + d2;
            x[3] = on_grid(g[3], q) + d3;
        } while (++row != end);
    }
    *bit = at;
    return j;
}
#endif

static void all_columns(const dream_t *dream)
{
    const td_rows_t *rows = dream->rows;
    uint32_t j = 0, at = 0;
#if TD_WITH_DEVIATION
    if (dream->windows && (TD_PREPARES || dream->sigma))
        j = four_by_four(dream, &at);
#endif
    for (; j < rows->columns; j++)
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

void td_rows_dream(const td_rows_t *rows, const uint32_t *draws, uint32_t n, float *x)
{
    uint32_t b, end = rows->count * rows->row_bits, simple = !((TD_WITH_FACTORS && rows->rank) || (TD_WITH_TRANSFORM && rows->axes_count));
    dream_t dream;
    dream.rows = rows;
    dream.sigma = simple ? rows->sigma : NULL;
    for (; n > 0; n -= dream.n) {
        dream.n = n < TD_TILE ? n : TD_TILE;
        dream.windows = 1;
        for (b = 0; b < dream.n; b++, draws += 2, x += rows->columns) {
            row_t *row = &dream.row[b];
            row->start = draws[0] * rows->row_bits;
            row->key = draws[1];
            row->x = x;
            row->spread = TD_WITH_SPREAD ? td_rows_spread(rows, draws[0]) : 1.0f;
            dream.windows &= end - row->start >= rows->row_bits + 32;
            if (!dream.sigma)
                prepare(rows, row->key, x);
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
