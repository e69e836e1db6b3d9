// SPDX-License-Identifier: MIT
// block.c - a block of rows as bytes and back: four range coders that take turns (asymmetric numeral systems, Duda
// 2013; words of 16 bits), and behind them the bits that are not worth coding.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

enum { STATES = 4, HEAD = 4 + 4 * STATES, LOW = 1 << 16 };

// In one expression, which compilers know for one load.
static inline uint64_t load64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
           (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static inline uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void save32(uint8_t *p, uint32_t x)
{
    for (int k = 0; k < 4; k++)
        p[k] = (uint8_t)(x >> 8 * k);
}

// ---- reading ----

typedef struct {
    const uint8_t *words; // of the range coders
    size_t word, words_end;
    const uint8_t *bits;
    size_t bit, bits_end; // in bits
    uint32_t state[STATES];
    int bad;
} in_t;

// Up to 56 bits, least significant first; past the end come zeros.
static inline uint64_t few_bits(in_t *in, unsigned count)
{
    size_t byte = in->bit >> 3, size = in->bits_end >> 3;
    uint64_t x = 0;
    if (byte + 8 <= size)
        x = load64(in->bits + byte);
    else
        for (size_t k = 0; byte + k < size; k++)
            x |= (uint64_t)in->bits[byte + k] << 8 * k;
    x >>= in->bit & 7;
    in->bit += count;
    return x & (((uint64_t)1 << count) - 1);
}

static inline uint64_t read_bits(in_t *in, unsigned count)
{
    if (count <= 56)
        return few_bits(in, count);
    uint64_t low = few_bits(in, 32);
    return low | few_bits(in, count - 32) << 32;
}

// The next token of one range coder. Words past the end are zeros, which is noticed by how many there were; where a
// word is there for `sure` nobody asks.
static inline const store_entry_t *read_token(in_t *in, uint32_t *state, const store_table_t *table, int sure)
{
    static const uint8_t nothing[2];
    uint32_t x = *state, slot = x & (STORE_SCALE - 1);
    const store_entry_t *e = &table->entry[table->place[slot]];
    x = e->share * (x >> STORE_SCALE_BITS) + slot - e->start;
    const uint8_t *word = sure || in->word < in->words_end ? in->words + 2 * in->word : nothing;
    uint32_t more = x << 16 | (uint32_t)(word[0] | word[1] << 8), low = x < LOW;
    *state = low ? more : x;
    in->word += low;
    return e;
}

static inline uint64_t read_code(in_t *in, uint32_t *state, const store_model_t *m, uint8_t class)
{
    const store_entry_t *e = read_token(in, state, &m->table[m->map[class]], 0);
    return e->base + read_bits(in, e->bits);
}

// Codes of as many rows as there are words for without a look. First all tokens, then their bits: two short loops of
// which a processor has many turns under way at once. Between them `to` holds where the tokens are.
static size_t read_surely(in_t *in, const store_work_t *w, uint64_t *to)
{
    const store_model_t *m = w->model;
    const store_table_t *of[STORE_THRESHOLDS + 1];
    uint32_t a = in->state[0], b = in->state[1], c = in->state[2], d = in->state[3];
    in_t own = *in; // in registers
    size_t done = 0;
    for (int k = 0; k <= m->context.thresholds; k++)
        of[k] = &m->table[m->map[k]];
    for (; done + STATES <= w->rows && own.word + STATES <= own.words_end; done += STATES) {
        const uint8_t *class = w->class + done;
        to[done] = (uintptr_t)read_token(&own, &a, of[class[0]], 1);
        to[done + 1] = (uintptr_t)read_token(&own, &b, of[class[1]], 1);
        to[done + 2] = (uintptr_t)read_token(&own, &c, of[class[2]], 1);
        to[done + 3] = (uintptr_t)read_token(&own, &d, of[class[3]], 1);
    }
    for (size_t i = 0; i < done; i++) {
        const store_entry_t *e = (const store_entry_t *)(uintptr_t)to[i];
        to[i] = e->base + read_bits(&own, e->bits);
    }
    own.state[0] = a, own.state[1] = b, own.state[2] = c, own.state[3] = d;
    *in = own;
    return done;
}

// Codes that depend on nothing in their own plane.
static void read_codes(in_t *in, const store_work_t *w, const uint64_t *skip, uint64_t *to)
{
    size_t i = skip ? 0 : read_surely(in, w, to), turn = 0;
    for (; i < w->rows; i++)
        to[i] = skip && skip[i] ? *(to + i - 1) : read_code(in, &in->state[turn++ % STATES], w->model, w->class[i]);
}

// What earlier rows of its own plane give to a guess.
typedef struct {
    int taps;
    uint8_t row[STORE_TAPS];
    uint64_t weight[STORE_TAPS];
} own_t;

static own_t own_taps(const store_model_t *m)
{
    own_t own = {0};
    for (int k = 0; k < m->taps; k++)
        if (!m->tap[k].plane) {
            own.row[own.taps] = m->tap[k].row;
            own.weight[own.taps++] = (uint64_t)m->weight[k];
        }
    return own;
}

static inline uint64_t own_guess(const own_t *own, uint64_t sum, const uint64_t *here, int shift)
{
    for (int k = 0; k < own->taps; k++)
        sum += own->weight[k] * *(here - own->row[k]);
    return store_shifted(sum, shift);
}

// Row after row: the class needs what has just been decoded.
static void read_own(in_t *given, const store_work_t *w, size_t p, const uint64_t *skip, uint64_t *to)
{
    const store_model_t *m = w->model;
    const store_context_t *c = &m->context;
    const uint64_t *at[3] = {to, to, to};
    own_t own = own_taps(m);
    in_t in = *given;
    size_t turn = 0;
    int guesses = m->mode == STORE_RESIDUAL || c->kind == STORE_GUESS;
    for (int r = 0; r < c->refs; r++)
        at[r] = store_at(w, p, c->ref[r]);
    for (size_t i = 0; i < w->rows; i++) {
        if (skip && skip[i]) {
            to[i] = *(to + i - 1);
            continue;
        }
        uint64_t guess = guesses ? own_guess(&own, w->guess[i], to + i, m->shift) : 0, q = guess >> 63 ? 0 : guess;
        if (c->kind == STORE_VALUE)
            q = at[0][i];
        else if (c->kind == STORE_CHANGE)
            q = store_apart(at[0][i], at[1][i]) + store_apart(at[1][i], at[2][i]);
        uint64_t code = read_code(&in, &in.state[turn++ % STATES], m, store_class(c, q));
        to[i] = m->mode == STORE_DIRECT ? code : guess + store_unzigzag(code);
    }
    *given = in;
}

static void read_plane(in_t *in, store_work_t *w, const store_t *s, size_t p)
{
    const store_model_t *m = w->model = &s->model[s->model_of[p]];
    uint64_t *to = w->planes + p * w->stride + STORE_BACK;
    const uint64_t *skip = s->skip[p] ? w->planes + (size_t)(s->skip[p] - 1) * w->stride + STORE_BACK : NULL;
    if (m->mode == STORE_ZERO)
        return;
    store_guess(w, p, 0);
    if (m->own) {
        read_own(in, w, p, skip, to);
        return;
    }
    store_classes(w, p);
    read_codes(in, w, skip, to);
    if (m->mode != STORE_RESIDUAL)
        return;
    own_t own = own_taps(m);
    for (size_t i = 0; i < w->rows; i++)
        to[i] = skip && skip[i] ? *(to + i - 1) : own_guess(&own, w->guess[i], to + i, m->shift) + store_unzigzag(to[i]);
}

static int read_head(in_t *in, const uint8_t *block, size_t size)
{
    memset(in, 0, sizeof *in);
    if (size < HEAD)
        return STORE_EBLOCK;
    size_t words = load32(block);
    if (words > (size - HEAD) / 2)
        return STORE_EBLOCK;
    for (int k = 0; k < STATES; k++)
        in->state[k] = load32(block + 4 + 4 * k);
    in->words = block + HEAD;
    in->words_end = words;
    in->bits = in->words + 2 * words;
    in->bits_end = 8 * (size - HEAD - 2 * words);
    return STORE_OK;
}

int store_decode(const store_t *store, const uint8_t *block, size_t size, uint64_t *planes, size_t rows)
{
    in_t in;
    store_work_t w;
    int error = read_head(&in, block, size);
    if (error)
        return error;
    for (size_t p = 0; p < store->models; p++)
        if (store->model[p].mode != STORE_ZERO && !store->model[p].tables)
            return STORE_EMODEL;
    error = store_work(&w, store, rows);
    for (size_t p = 0; !error && p < store->planes; p++) {
        read_plane(&in, &w, store, p);
        memcpy(planes + p * rows, w.planes + p * w.stride + STORE_BACK, rows * sizeof *planes);
    }
    store_done(&w);
    if (error)
        return error;
    for (int k = 0; k < STATES; k++)
        in.bad |= in.state[k] != LOW;
    in.bad |= in.word != in.words_end || (in.bit + 7) / 8 != in.bits_end / 8;
    return in.bad ? STORE_EBLOCK : STORE_OK;
}

// ---- writing ----

typedef struct {
    uint32_t *range; // frequency << 16 | first slot, in order
    size_t *plane;   // where each plane's begin; one entry more
    size_t count;
    uint8_t *bits;
    size_t bit;
} out_t;

size_t store_room(const store_t *store, size_t rows)
{
    return HEAD + 11 * store->planes * rows; // a word and 64 bits a number, and a byte to spare
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
        if (m->base[middle] <= code)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low || (m->bits[low - 1] < 64 && (code - m->base[low - 1]) >> m->bits[low - 1]))
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
    if (token == m->tokens)
        write_bits(out, code, 64);
    else
        write_bits(out, code - m->base[token], m->bits[token]);
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
    uint32_t state[STATES];
    uint8_t *words = malloc(2 * o->count + 1);
    size_t at = 2 * o->count, bits = (o->bit + 7) / 8;
    if (!words)
        return STORE_ENOMEM;
    for (int k = 0; k < STATES; k++)
        state[k] = LOW;
    for (size_t p = planes; p--;)
        for (size_t i = o->plane[p + 1]; i-- > o->plane[p];) {
            uint32_t frequency = o->range[i] >> 16, start = o->range[i] & 0xffff;
            uint32_t *x = &state[(i - o->plane[p]) % STATES];
            if (*x >> (32 - STORE_SCALE_BITS) >= frequency) { // (x / frequency) << STORE_SCALE_BITS would not fit 32 bits
                words[--at] = (uint8_t)(*x >> 8);
                words[--at] = (uint8_t)*x;
                *x >>= 16;
            }
            *x = (*x / frequency << STORE_SCALE_BITS) + *x % frequency + start;
        }
    size_t coded = 2 * o->count - at;
    *used = HEAD + coded + bits;
    if (*used <= room) {
        save32(out, (uint32_t)(coded / 2));
        for (int k = 0; k < STATES; k++)
            save32(out + 4 + 4 * k, state[k]);
        memcpy(out + HEAD, words + at, coded);
        memcpy(out + HEAD + coded, o->bits, bits);
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
    o.bits = malloc(8 * store->planes * rows + 8);
    if (!o.range || !o.plane || !o.bits)
        error = STORE_ENOMEM;
    for (size_t p = 0; !error && p < store->planes; p++) {
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
    o.bits = malloc(8 * rows + 8);
    if (!o.range || !o.bits)
        error = STORE_ENOMEM;
    for (size_t p = 0; !error && p < store->planes; p++) {
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
