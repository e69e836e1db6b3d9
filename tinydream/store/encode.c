// SPDX-License-Identifier: MIT
// encode.c - a block of rows as bytes: range coders that take turns (asymmetric numeral systems, Duda 2013; words of
// 16 bits), and behind them the bits that are not worth coding.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

static void save32(uint8_t *p, uint32_t x)
{
    for (int k = 0; k < 4; k++)
        p[k] = (uint8_t)(x >> 8 * k);
}

typedef struct {
    uint32_t *range; // frequency << 16 | first slot, in order
    size_t *plane;   // where each plane's begin; one entry more
    size_t count;
    uint8_t *bits;
    size_t bit;
} out_t;

size_t store_room(const store_t *store, size_t rows)
{
    return STORE_HEAD + 9 * store->planes + 11 * store->planes * rows; // a word and 64 bits a number, and a byte to spare
}

static void write_bits(out_t *out, uint64_t x, unsigned count)
{
    while (count) {
        unsigned free = 8 - (unsigned)(out->bit & 7), some = count < free ? count : free;
        uint8_t *byte = out->bits + (out->bit >> 3);
        if (!(out->bit & 7))
            *byte = 0;
        *byte = (uint8_t)(*byte | (x & ((1u << some) - 1)) << (out->bit & 7));
        x >>= some;
        out->bit += some;
        count -= some;
    }
}

static size_t find_token(const store_model_t *m, uint64_t code)
{
    if (code < STORE_SHORT)
        return m->small[code];
    size_t low = 0, high = m->tokens;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->entry[middle].base <= code)
            low = middle + 1;
        else
            high = middle;
    }
    const store_entry_t *e = &m->entry[low ? low - 1 : 0];
    if (!low || (e->bits < 64 && (code - e->base) >> e->bits))
        return m->tokens;
    return low - 1;
}

static void write_code(out_t *out, const store_model_t *m, uint8_t class, uint64_t code)
{
    const store_table_t *table = &m->table[m->map[class]];
    size_t token = find_token(m, code);
    if (token < m->tokens && !(table->range[token] >> 16))
        token = m->tokens;
    out->range[out->count++] = table->range[token];
    write_bits(out, code - m->entry[token].base, m->entry[token].bits);
}

// Whether all numbers of a plane are one; if so, they take no more than that.
static int write_alike(out_t *out, const uint64_t *from, size_t rows)
{
    uint64_t other = 0;
    unsigned size = 1;
    for (size_t i = 1; i < rows; i++)
        other |= from[i] ^ from[0];
    write_bits(out, !other, 1);
    if (other)
        return 0;
    uint64_t all = rows ? from[0] : 0;
    while (size < 64 && all >> size)
        size++;
    write_bits(out, size - 1, 6);
    write_bits(out, all, size);
    return 1;
}

static void write_plane(out_t *out, store_work_t *w, const store_t *s, size_t p)
{
    const store_model_t *m = w->model = &s->model[s->model_of[p]];
    uint64_t *from = w->planes + p * w->stride + STORE_BACK;
    const uint64_t *skip = s->skip[p] ? w->planes + (size_t)(s->skip[p] - 1) * w->stride + STORE_BACK : NULL;
    if (m->mode == STORE_ZERO)
        return;
    for (size_t i = 0; skip && i < w->rows; i++) // what is not coded is the number before it
        if (skip[i])
            from[i] = *(from + i - 1);
    if (write_alike(out, from, w->rows))
        return;
    store_guess(w, p, 1);
    store_classes(w, p);
    for (size_t i = 0; i < w->rows; i++) {
        uint64_t code = from[i];
        if (m->mode == STORE_RESIDUAL)
            code = store_zigzag(code - store_shifted(w->guess[i], m->shift));
        if (!(skip && skip[i]))
            write_code(out, m, w->class[i], code);
    }
}

// Range coders run backwards; what they give is read forwards.
static int write_out(const out_t *o, size_t planes, uint8_t *out, size_t room, size_t *used)
{
    uint32_t state[STORE_STATES];
    uint8_t *words = malloc(2 * o->count + 1);
    size_t at = 2 * o->count, bits = (o->bit + 7) / 8;
    if (!words)
        return STORE_ENOMEM;
    for (int k = 0; k < STORE_STATES; k++)
        state[k] = STORE_LOW;
    for (size_t p = planes; p--;)
        for (size_t i = o->plane[p + 1]; i-- > o->plane[p];) {
            uint32_t frequency = o->range[i] >> 16, start = o->range[i] & 0xffff;
            uint32_t *x = &state[(i - o->plane[p]) % STORE_STATES];
            if (*x >> (32 - STORE_SCALE_BITS) >= frequency) { // (x / frequency) << STORE_SCALE_BITS would not fit 32 bits
                words[--at] = (uint8_t)(*x >> 8);
                words[--at] = (uint8_t)*x;
                *x >>= 16;
            }
            *x = (*x / frequency << STORE_SCALE_BITS) + *x % frequency + start;
        }
    size_t coded = 2 * o->count - at;
    *used = STORE_HEAD + coded + bits;
    if (*used <= room) {
        save32(out, (uint32_t)(coded / 2));
        for (int k = 0; k < STORE_STATES; k++)
            save32(out + 4 + 4 * k, state[k]);
        memcpy(out + STORE_HEAD, words + at, coded);
        memcpy(out + STORE_HEAD + coded, o->bits, bits);
    }
    free(words);
    return *used <= room ? STORE_OK : STORE_EROOM;
}

int store_encode(const store_t *store, const uint64_t *planes, size_t rows, uint8_t *out, size_t room, size_t *used)
{
    store_work_t w;
    out_t o = {0};
    int error = store_work(&w, store, rows);
    o.range = malloc((store->planes * rows + 1) * sizeof *o.range);
    o.plane = calloc(store->planes + 1, sizeof *o.plane);
    o.bits = malloc(8 * store->planes * rows + 9 * store->planes + 8);
    if (!o.range || !o.plane || !o.bits)
        error = STORE_ENOMEM;
    for (size_t p = 0; !error && p < store->planes; p++) {
        memset(w.planes + p * w.stride, 0, STORE_BACK * sizeof *planes);
        memcpy(w.planes + p * w.stride + STORE_BACK, planes + p * rows, rows * sizeof *planes);
        write_plane(&o, &w, store, p);
        o.plane[p + 1] = o.count;
    }
    if (!error)
        error = write_out(&o, store->planes, out, room, used);
    store_done(&w);
    free(o.range);
    free(o.plane);
    free(o.bits);
    return error;
}

int store_sizes(const store_t *store, const uint64_t *planes, size_t rows, double *bits)
{
    store_work_t w;
    out_t o = {0};
    int error = store_work(&w, store, rows);
    o.range = malloc((rows + 1) * sizeof *o.range);
    o.bits = malloc(8 * rows + 17);
    if (!o.range || !o.bits)
        error = STORE_ENOMEM;
    for (size_t p = 0; !error && p < store->planes; p++) {
        memset(w.planes + p * w.stride, 0, STORE_BACK * sizeof *planes);
        memcpy(w.planes + p * w.stride + STORE_BACK, planes + p * rows, rows * sizeof *planes);
        o.count = o.bit = 0;
        write_plane(&o, &w, store, p);
        bits[p] = (double)o.bit;
        for (size_t i = 0; i < o.count; i++)
            bits[p] += STORE_SCALE_BITS - log2((double)(o.range[i] >> 16));
    }
    store_done(&w);
    free(o.range);
    free(o.bits);
    return error;
}
