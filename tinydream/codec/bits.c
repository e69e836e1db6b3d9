// SPDX-License-Identifier: MIT
// bits.c - how often each bit of a table is set, by carry-save addition (Harley and Seal; Mula, Kurz and
// Lemire, "Faster population counts using AVX2 instructions", 2018, section 3).
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

enum { PLANES = 16, BLOCK = 16, FLUSH_BLOCKS = (1 << (PLANES - 4)) - 2 };

// Bit i of plane l is bit l of a counter: 64 counters side by side.
typedef struct {
    uint64_t plane[PLANES];
} counters_t;

static uint64_t carry_save(uint64_t *sum, uint64_t a, uint64_t b)
{
    uint64_t half = *sum ^ a, carry = (*sum & a) | (half & b);
    *sum = half ^ b;
    return carry;
}

static void ripple(counters_t *c, int from, uint64_t carry)
{
    for (int l = from; carry && l < PLANES; l++) {
        uint64_t next = c->plane[l] & carry;
        c->plane[l] ^= carry;
        carry = next;
    }
}

static uint64_t load(const uint8_t *p, size_t bytes)
{
    uint64_t word = 0;
    memcpy(&word, p, bytes);
    return word;
}

// 16 rows cost 15 carry-save additions, instead of 16 ripples.
static void add_block(counters_t *c, const uint8_t *p, size_t stride, size_t bytes)
{
    uint64_t twos[2], fours[2], eights[2];
    for (int e = 0; e < 2; e++) {
        for (int f = 0; f < 2; f++) {
            for (int t = 0; t < 2; t++) {
                twos[t] = carry_save(&c->plane[0], load(p, bytes), load(p + stride, bytes));
                p += 2 * stride;
            }
            fours[f] = carry_save(&c->plane[1], twos[0], twos[1]);
        }
        eights[e] = carry_save(&c->plane[2], fours[0], fours[1]);
    }
    ripple(c, 4, carry_save(&c->plane[3], eights[0], eights[1]));
}

// Adds the counters to `counts` and clears them; byte by byte, so that byte order does not matter.
static void flush(counters_t *c, size_t bytes, int64_t *counts)
{
    for (int l = 0; l < PLANES; l++) {
        uint8_t lane[8];
        memcpy(lane, &c->plane[l], 8);
        for (size_t i = 0; i < 8 * bytes; i++)
            counts[i] += (int64_t)(lane[i / 8] >> (i % 8) & 1) << l;
        c->plane[l] = 0;
    }
}

int bits_count(const uint8_t *rows, size_t n, size_t row_bytes, int64_t *counts)
{
    size_t words = (row_bytes + 7) / 8, i = 0, blocks = 0;
    counters_t *c = calloc(words ? words : 1, sizeof *c);
    if (!c)
        return -1;
    memset(counts, 0, 8 * row_bytes * sizeof *counts);
    while (i < n) {
        int block = n - i >= BLOCK;
        for (size_t w = 0; w < words; w++) {
            size_t bytes = row_bytes - 8 * w < 8 ? row_bytes - 8 * w : 8;
            const uint8_t *p = rows + i * row_bytes + 8 * w;
            if (block)
                add_block(&c[w], p, row_bytes, bytes);
            else
                ripple(&c[w], 0, load(p, bytes));
        }
        i += block ? BLOCK : 1;
        if (++blocks == FLUSH_BLOCKS || i == n) {
            for (size_t w = 0; w < words; w++)
                flush(&c[w], row_bytes - 8 * w < 8 ? row_bytes - 8 * w : 8, counts + 64 * w);
            blocks = 0;
        }
    }
    free(c);
    return 0;
}
