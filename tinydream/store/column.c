// SPDX-License-Identifier: MIT
// column.c - columns of numbers as planes of unsigned integers, and back, bit for bit. A number that a column's way
// cannot hold is an exception: its plane has 0, and its place is told.
#include <math.h>
#include <string.h>

#include "store.h"

static uint64_t get(const uint8_t *p, unsigned size)
{
    uint64_t x = 0;
    memcpy(&x, p, size); // hosts are little-endian: store.py asks
    return x;
}

static uint64_t top_of(unsigned size)
{
    return (uint64_t)1 << (8 * size - 1);
}

// IEEE bits in the order of the numbers.
static uint64_t to_order(uint64_t bits, unsigned size)
{
    uint64_t top = top_of(size), all = top | (top - 1);
    return bits & top ? ~bits & all : bits | top;
}

STORE_INLINE uint64_t from_order(uint64_t order, unsigned size)
{
    uint64_t top = top_of(size), all = top | (top - 1);
    return order & top ? order ^ top : ~order & all;
}

static double as_double(uint64_t bits, unsigned size)
{
    float single;
    double wide;
    uint32_t word = (uint32_t)bits;
    if (size == 4) {
        memcpy(&single, &word, sizeof single);
        return (double)single;
    }
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

STORE_INLINE uint64_t from_double(double x, unsigned size)
{
    uint64_t bits = 0;
    if (size == 4) {
        float single = (float)x;
        memcpy(&bits, &single, sizeof single);
    } else {
        memcpy(&bits, &x, sizeof x);
    }
    return bits;
}

static const double POWERS[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

static inline uint64_t decimal_bits(uint64_t whole, unsigned size, unsigned decimals)
{
    return from_double((double)store_signed(whole) / POWERS[decimals], size);
}

static int decimal(uint64_t bits, unsigned size, unsigned decimals, uint64_t *whole)
{
    double scaled = rint(as_double(bits, size) * POWERS[decimals]);
    if (!(scaled > -9e15 && scaled < 9e15))
        return 0;
    *whole = (uint64_t)(int64_t)scaled;
    return decimal_bits(*whole, size, decimals) == bits;
}

static int in_words(const store_column_t *c, const uint64_t *words, uint64_t x, uint64_t *place)
{
    uint64_t low = 0, high = c->count;
    words += c->start;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (words[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    *place = low;
    return low < c->count && words[low] == x;
}

static uint64_t extend(uint64_t bits, unsigned size, unsigned sign)
{
    uint64_t top = top_of(size);
    return sign && size < 8 ? (bits ^ top) - top : bits;
}

static int pack(const store_column_t *c, const uint64_t *words, uint64_t bits, uint64_t *x)
{
    int good = 1;
    switch (c->kind) {
    case STORE_INTEGER: *x = extend(bits, c->size, c->sign) - c->low; break;
    case STORE_FLOAT: *x = to_order(bits, c->size) - c->low; break;
    case STORE_DECIMAL: good = decimal(bits, c->size, c->decimals, x), *x -= c->low; break;
    case STORE_WORDS: good = in_words(c, words, c->sign == 2 ? to_order(bits, c->size) : extend(bits, c->size, c->sign), x); break;
    default: *x = bits == c->low; break; // a mask
    }
    return good && (c->width == 64 || *x >> c->width == 0);
}

STORE_INLINE uint64_t unpack(const store_column_t *c, const uint64_t *words, uint64_t x)
{
    switch (c->kind) {
    case STORE_INTEGER: return x + c->low;
    case STORE_FLOAT: return from_order(x + c->low, c->size);
    default: break;
    }
    uint64_t word = x < c->count ? words[c->start + x] : 0;
    return c->sign == 2 ? from_order(word, c->size) : word;
}

size_t store_pack(const store_column_t *columns, size_t count, const uint64_t *words, const uint8_t *raw,
                  size_t row_bytes, size_t rows, uint64_t *planes, uint32_t *exceptions, size_t most)
{
    size_t found = 0;
    for (size_t j = 0; j < count; j++) {
        const store_column_t *c = &columns[j];
        for (size_t i = 0; i < rows; i++) {
            uint64_t bits = get(raw + i * row_bytes + c->offset, c->size), *x = &planes[j * rows + i];
            if (c->kind != STORE_MASK && c->masked && bits == c->missing) {
                *x = 0;
            } else if (!pack(c, words, bits, x)) {
                *x = 0;
                if (found < most) {
                    exceptions[2 * found] = (uint32_t)j;
                    exceptions[2 * found + 1] = (uint32_t)i;
                }
                found++;
            }
        }
    }
    return found;
}

// With `size` and `kind` constants each number is a few instructions.
STORE_INLINE void unpack_plane(const store_column_t *c, unsigned size, unsigned kind, const uint64_t *words,
                                const uint64_t *plane, size_t row_bytes, size_t rows, uint8_t *raw)
{
    store_column_t own = *c;
    own.size = (uint8_t)size;
    own.kind = (uint8_t)kind;
    for (size_t i = 0; i < rows; i++, raw += row_bytes) {
        uint64_t bits = kind == STORE_MASK ? own.low : unpack(&own, words, plane[i]);
        if (kind != STORE_MASK || plane[i])
            memcpy(raw, &bits, size);
    }
}

// Divisions, the slow part, as a loop of their own that becomes vectors.
STORE_INLINE void unpack_decimals(const store_column_t *c, unsigned size, const uint64_t *plane, size_t row_bytes,
                                   size_t rows, uint8_t *raw)
{
    enum { SOME = 64 };
    double x[SOME], power = POWERS[c->decimals];
    uint64_t low = c->low;
    for (size_t at = 0; at < rows; at += SOME) {
        size_t n = rows - at < SOME ? rows - at : SOME;
        for (size_t i = 0; i < n; i++)
            x[i] = (double)store_signed(plane[at + i] + low);
        for (size_t i = 0; c->decimals && i < n; i++)
            x[i] /= power;
        for (size_t i = 0; i < n; i++, raw += row_bytes) {
            uint64_t bits = from_double(x[i], size);
            memcpy(raw, &bits, size);
        }
    }
}

STORE_INLINE void unpack_sized(const store_column_t *c, unsigned size, const uint64_t *words, const uint64_t *plane,
                                size_t row_bytes, size_t rows, uint8_t *raw)
{
    switch (c->kind) {
    case STORE_INTEGER: unpack_plane(c, size, STORE_INTEGER, words, plane, row_bytes, rows, raw); break;
    case STORE_FLOAT: unpack_plane(c, size, STORE_FLOAT, words, plane, row_bytes, rows, raw); break;
    case STORE_DECIMAL: unpack_decimals(c, size, plane, row_bytes, rows, raw); break;
    case STORE_WORDS: unpack_plane(c, size, STORE_WORDS, words, plane, row_bytes, rows, raw); break;
    default: unpack_plane(c, size, STORE_MASK, words, plane, row_bytes, rows, raw); break;
    }
}

void store_unpack(const store_column_t *column, const uint64_t *words, const uint64_t *plane, size_t row_bytes,
                  size_t rows, uint8_t *raw)
{
    raw += column->offset;
    switch (column->size) {
    case 1: unpack_sized(column, 1, words, plane, row_bytes, rows, raw); break;
    case 2: unpack_sized(column, 2, words, plane, row_bytes, rows, raw); break;
    case 4: unpack_sized(column, 4, words, plane, row_bytes, rows, raw); break;
    default: unpack_sized(column, 8, words, plane, row_bytes, rows, raw); break;
    }
}

// The fewest decimals, at most `most`, that hold each of n numbers but those that are `missing`; -1: none do.
int store_decimals(const uint8_t *raw, size_t step, unsigned size, size_t n, uint64_t missing, int most)
{
    int decimals = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = get(raw + i * step, size), whole;
        while (bits != missing && !decimal(bits, size, (unsigned)decimals, &whole))
            if (++decimals > most)
                return -1;
    }
    return decimals; // more decimals hold what fewer do, but for rounding: whoever packs looks again
}
