// SPDX-License-Identifier: MIT
// bits.c - how often each bit of a table is set, by carry-save addition (Harley and Seal; Mula, Kurz and
// Lemire, "Faster population counts using AVX2 instructions", 2018, section 3).
// As many rows as make whole vectors are taken for one long row; its counters are folded in the end.
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

enum { BYTES = 32, PLANES = 16, BLOCK = 16, FLUSH_BLOCKS = (1 << (PLANES - 4)) - 2 };

typedef uint64_t bits_t __attribute__((vector_size(BYTES)));

// Bit i of plane l is bit l of a counter: 256 counters side by side.
typedef struct {
    bits_t plane[PLANES];
} counters_t;

typedef struct {
    const uint8_t *rows;
    size_t n, row_bytes, width; // width: bytes of a long row
    size_t parts;
    int64_t *counts;  // (parts, 8 * row_bytes)
    uint8_t *scratch; // of each part: its last long row, filled up with zeros; its counters
    size_t scratch_bytes;
} count_t;

static inline bits_t load(const uint8_t *p)
{
    bits_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline bits_t carry_save(bits_t *sum, bits_t a, bits_t b)
{
    bits_t half = *sum ^ a, carry = (*sum & a) | (half & b);
    *sum = half ^ b;
    return carry;
}

static inline void ripple(counters_t *c, int from, bits_t carry)
{
    for (int l = from; l < PLANES && (carry[0] | carry[1] | carry[2] | carry[3]); l++) {
        bits_t next = c->plane[l] & carry;
        c->plane[l] ^= carry;
        carry = next;
    }
}

// 16 rows cost 15 carry-save additions, instead of 16 ripples.
KERNEL_CLONES
static void add_block(counters_t *c, const uint8_t *p, size_t width)
{
    for (size_t at = 0; at < width; at += BYTES, c++) {
        const uint8_t *q = p + at;
        bits_t plane[4], twos[2], fours[2], eights[2];
        memcpy(plane, c->plane, sizeof plane);
        for (int e = 0; e < 2; e++) {
            for (int f = 0; f < 2; f++) {
                for (int t = 0; t < 2; t++) {
                    twos[t] = carry_save(&plane[0], load(q), load(q + width));
                    q += 2 * width;
                }
                fours[f] = carry_save(&plane[1], twos[0], twos[1]);
            }
            eights[e] = carry_save(&plane[2], fours[0], fours[1]);
        }
        bits_t sixteens = carry_save(&plane[3], eights[0], eights[1]);
        memcpy(c->plane, plane, sizeof plane);
        ripple(c, 4, sixteens);
    }
}

static void add_row(counters_t *c, const uint8_t *p, size_t width)
{
    for (size_t at = 0; at < width; at += BYTES, c++)
        ripple(c, 0, load(p + at));
}

// Adds the counters to `counts` and clears them; byte by byte, so that byte order does not matter.
static void flush(counters_t *c, size_t width, size_t row_bytes, int64_t *counts)
{
    for (size_t at = 0; at < width; at += BYTES, c++)
        for (int l = 0; l < PLANES; l++) {
            uint8_t lane[BYTES];
            memcpy(lane, &c->plane[l], BYTES);
            memset(&c->plane[l], 0, BYTES);
            for (size_t i = 0; i < BYTES; i++) {
                int64_t *count = counts + 8 * ((at + i) % row_bytes);
                for (int b = 0; lane[i] && b < 8; b++)
                    count[b] += (int64_t)(lane[i] >> b & 1) << l;
            }
        }
}

static void count_part(void *job, size_t part, size_t thread)
{
    count_t *t = job;
    size_t all = t->n * t->row_bytes, longs = (all + t->width - 1) / t->width, blocks = 0;
    size_t from = longs * part / t->parts, to = longs * (part + 1) / t->parts;
    int64_t *counts = t->counts + part * 8 * t->row_bytes;
    uint8_t *last = t->scratch + part * t->scratch_bytes;
    counters_t *c = (counters_t *)(void *)(last + t->width);
    (void)thread;
    while (from < to) {
        const uint8_t *p = t->rows + from * t->width;
        if (to - from > BLOCK) { // the last is never in a block: it may have to be filled up
            add_block(c, p, t->width);
            from += BLOCK;
        } else {
            size_t left = all - from * t->width;
            if (left < t->width)
                p = memcpy(last, p, left);
            add_row(c, p, t->width);
            from++;
        }
        if (++blocks == FLUSH_BLOCKS || from == to) {
            flush(c, t->width, t->row_bytes, counts);
            blocks = 0;
        }
    }
}

static size_t divisor(size_t a, size_t b)
{
    return b ? divisor(b, a % b) : a;
}

int bits_count(const uint8_t *rows, size_t n, size_t row_bytes, size_t threads, int64_t *counts)
{
    size_t width = row_bytes / divisor(row_bytes, BYTES) * BYTES, bits = 8 * row_bytes;
    count_t t = {.rows = rows, .n = n, .row_bytes = row_bytes, .width = width, .parts = threads,
                 .scratch_bytes = width + width / BYTES * sizeof(counters_t)};
    t.counts = calloc(threads * bits, sizeof *t.counts);
    void *memory = calloc(threads * t.scratch_bytes + BYTES, 1);
    int failed = !t.counts || !memory;
    if (!failed) {
        t.scratch = (uint8_t *)memory + (BYTES - (uintptr_t)memory % BYTES); // vectors lie on whole ones
        share_out(count_part, &t, threads, threads);
        memset(counts, 0, bits * sizeof *counts);
        for (size_t i = 0; i < threads * bits; i++)
            counts[i % bits] += t.counts[i];
    }
    free(t.counts);
    free(memory);
    return failed ? -1 : 0;
}
