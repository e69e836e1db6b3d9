// SPDX-License-Identifier: MIT
// decode.c - the rows of a block. Of each plane first all tokens, then their bits, then what is guessed: short loops of
// which a processor has many turns under way at once.
#include <stdlib.h>
#include <string.h>

#include "store.h"

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

typedef struct {
    const uint8_t *words; // of the range coders
    size_t word, words_end;
    const uint8_t *bits;
    size_t bit, bits_end; // in bits
    uint32_t state[STORE_STATES];
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

// The next token of one range coder. `word` is what it takes where it runs low; no branch, for it would be guessed wrong.
static inline uint16_t next_token(uint32_t *state, const uint32_t *slots, const uint8_t *word, size_t *used)
{
    uint32_t slot = slots[*state & (STORE_SCALE - 1)];
    uint32_t x = (slot >> (32 - STORE_SHARE_BITS)) * (*state >> STORE_SCALE_BITS) + (slot & (STORE_SCALE - 1));
    size_t low = 0 - (size_t)(x < STORE_LOW); // all ones, or none
    *state = x << (low & 16) | ((word[0] | (uint32_t)word[1] << 8) & (uint32_t)low);
    *used -= low;
    return slot >> STORE_SCALE_BITS & STORE_TOKENS;
}

// Words past the end are zeros, which is noticed by how many there were.
static inline uint16_t next_carefully(in_t *in, size_t turn, const uint32_t *slots)
{
    static const uint8_t nothing[2];
    const uint8_t *word = in->word < in->words_end ? in->words + 2 * in->word : nothing;
    return next_token(&in->state[turn % STORE_STATES], slots, word, &in->word);
}

// Tokens of n codes, whose classes are known.
STORE_CLONES
static void read_tokens(in_t *in, const store_model_t *m, const uint8_t *restrict class, size_t n, uint16_t *restrict to)
{
    const uint32_t *of[STORE_THRESHOLDS + 1];
    uint32_t a = in->state[0], b = in->state[1], c = in->state[2], d = in->state[3];
    const uint8_t *words = in->words;
    size_t word = in->word, end = in->words_end, i = 0;
    for (int k = 0; k <= m->context.thresholds; k++)
        of[k] = m->table[m->map[k]].slot;
    for (; i + STORE_STATES <= n && word + STORE_STATES <= end; i += STORE_STATES) {
        to[i] = next_token(&a, of[class[i]], words + 2 * word, &word);
        to[i + 1] = next_token(&b, of[class[i + 1]], words + 2 * word, &word);
        to[i + 2] = next_token(&c, of[class[i + 2]], words + 2 * word, &word);
        to[i + 3] = next_token(&d, of[class[i + 3]], words + 2 * word, &word);
    }
    in->state[0] = a, in->state[1] = b, in->state[2] = c, in->state[3] = d;
    in->word = word;
    for (; i < n; i++)
        to[i] = next_carefully(in, i, of[class[i]]);
}

// Codes of tokens. Where no token has bits there is nothing to read, unless one escaped.
STORE_CLONES
static void read_codes(in_t *in, const store_model_t *m, const uint16_t *restrict token, size_t n, uint64_t *restrict to)
{
    const store_entry_t *entry = m->entry;
    const uint8_t *bits = in->bits;
    size_t bit = in->bit, sure = in->bits_end > 64 ? in->bits_end - 64 : 0;
    uint16_t last = (uint16_t)m->tokens, most = 0;
    for (size_t i = 0; i < n; i++)
        most = token[i] > most ? token[i] : most;
    if (!m->longest && most < last) {
        for (size_t i = 0; i < n; i++)
            to[i] = entry[token[i]].base;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        store_entry_t e = entry[token[i]];
        if (bit < sure && e.bits <= 56) {
            uint64_t ones = ((uint64_t)1 << e.bits) - 1;
            to[i] = e.base + (load64(bits + (bit >> 3)) >> (bit & 7) & ones);
            bit += e.bits;
        } else {
            in->bit = bit;
            to[i] = e.base + read_bits(in, e.bits);
            bit = in->bit;
        }
    }
    in->bit = bit;
}

// What rows 1, 2 and 3 before give to a guess.
typedef struct {
    uint64_t weight[STORE_BACK];
    int any;
} own_t;

static own_t own_taps(const store_model_t *m)
{
    own_t own = {{0}, 0};
    for (int k = 0; k < m->taps; k++)
        if (!m->tap[k].plane) {
            own.weight[m->tap[k].row - 1] += (uint64_t)m->weight[k];
            own.any = 1;
        }
    return own;
}

static inline uint64_t own_guess(const own_t *own, uint64_t sum, const uint64_t *here, int shift)
{
    sum += own->weight[0] * *(here - 1) + own->weight[1] * *(here - 2) + own->weight[2] * *(here - 3);
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
    for (int r = 0; r < c->refs; r++)
        at[r] = store_at(w, p, c->ref[r]);
    for (size_t i = 0; i < w->rows; i++) {
        if (skip && skip[i]) {
            to[i] = *(to + i - 1);
            continue;
        }
        uint64_t guess = own_guess(&own, w->guess[i], to + i, m->shift), q = guess >> 63 ? 0 : guess;
        if (c->kind == STORE_VALUE)
            q = at[0][i];
        else if (c->kind == STORE_CHANGE)
            q = store_apart(at[0][i], at[1][i]) + store_apart(at[1][i], at[2][i]);
        uint16_t token = next_carefully(&in, turn++, m->table[m->map[store_class(c, q)]].slot);
        uint64_t code = m->entry[token].base + read_bits(&in, m->entry[token].bits);
        to[i] = m->mode == STORE_DIRECT ? code : guess + store_unzigzag(code);
    }
    *given = in;
}

// Codes as numbers, in place.
STORE_CLONES
static void add_guesses(const store_work_t *w, uint64_t *restrict to)
{
    const uint64_t *restrict guess = w->guess;
    int shift = w->model->shift;
    for (size_t i = 0; i < w->rows; i++)
        to[i] = store_shifted_many(guess[i], shift) + store_unzigzag(to[i]);
}

static void add_own_guesses(const store_work_t *w, const uint64_t *skip, uint64_t *to)
{
    own_t own = own_taps(w->model);
    int shift = w->model->shift;
    uint64_t a = 0, b = 0, c = 0;
    int steps = !shift && own.weight[0] == 1 && !own.weight[1] && !own.weight[2];
    for (size_t i = 0; steps && !skip && i < w->rows; i++) // the commonest: a number and what it grows by
        to[i] = a += w->guess[i] + store_unzigzag(to[i]);
    if (steps && !skip)
        return;
    for (size_t i = 0; i < w->rows; i++) {
        uint64_t sum = w->guess[i] + own.weight[0] * a + own.weight[1] * b + own.weight[2] * c;
        c = b;
        b = a;
        a = skip && skip[i] ? a : store_shifted(sum, shift) + store_unzigzag(to[i]);
        to[i] = a;
    }
}

// What is known by the classes of all rows.
static void read_rows(in_t *in, const store_work_t *w, const uint64_t *skip, uint64_t *to)
{
    const store_model_t *m = w->model;
    size_t n = w->rows;
    if (skip) {
        n = 0;
        for (size_t i = 0; i < w->rows; i++) {
            w->class[n] = w->class[i];
            n += !skip[i];
        }
    }
    read_tokens(in, m, w->class, n, w->token);
    read_codes(in, m, w->token, n, to);
    for (size_t i = w->rows; skip && i--;) // to their rows
        to[i] = skip[i] ? 0 : to[--n];
    if (m->mode == STORE_RESIDUAL && !skip && !own_taps(m).any)
        add_guesses(w, to);
    else if (m->mode == STORE_RESIDUAL)
        add_own_guesses(w, skip, to);
    else
        for (size_t i = 0; skip && i < w->rows; i++)
            to[i] = skip[i] ? *(to + i - 1) : to[i];
}

static void read_plane(in_t *in, store_work_t *w, const store_t *s, size_t p)
{
    const store_model_t *m = w->model = &s->model[s->model_of[p]];
    uint64_t *to = w->planes + p * w->stride + STORE_BACK;
    const uint64_t *skip = s->skip[p] ? w->planes + (size_t)(s->skip[p] - 1) * w->stride + STORE_BACK : NULL;
    memset(to - STORE_BACK, 0, STORE_BACK * sizeof *to);
    int alike = m->mode == STORE_ZERO || read_bits(in, 1);
    if (alike) {
        uint64_t all = m->mode == STORE_ZERO ? 0 : read_bits(in, (unsigned)read_bits(in, 6) + 1);
        for (size_t i = 0; i < w->rows; i++)
            to[i] = all;
        return;
    }
    if (m->mode == STORE_RESIDUAL || m->context.kind == STORE_GUESS || m->own)
        store_guess(w, p, 0);
    if (m->own) {
        read_own(in, w, p, skip, to);
        return;
    }
    store_classes(w, p);
    read_rows(in, w, skip, to);
}

static int read_head(in_t *in, const uint8_t *block, size_t size)
{
    memset(in, 0, sizeof *in);
    if (size < STORE_HEAD)
        return STORE_EBLOCK;
    size_t words = load32(block);
    if (words > (size - STORE_HEAD) / 2)
        return STORE_EBLOCK;
    for (int k = 0; k < STORE_STATES; k++)
        in->state[k] = load32(block + 4 + 4 * k);
    in->words = block + STORE_HEAD;
    in->words_end = words;
    in->bits = in->words + 2 * words;
    in->bits_end = 8 * (size - STORE_HEAD - 2 * words);
    return STORE_OK;
}

// Planes as parts of rows, few of both at a time: a cache holds the rows then.
static void put(const store_rows_t *to, const store_work_t *w, size_t from, size_t until, int masks)
{
    enum { SOME = 64 };
    for (size_t at = 0; at < w->rows; at += SOME)
        for (size_t p = from; p < until; p++) {
            const store_column_t *c = &to->columns[p];
            size_t n = w->rows - at < SOME ? w->rows - at : SOME, width = to->width[c->part];
            if ((c->kind == STORE_MASK) == masks)
                store_unpack(c, to->words, w->planes + p * w->stride + STORE_BACK + at, width, n,
                             to->raw[c->part] + at * width);
        }
}

static int ended(const in_t *in)
{
    int good = in->word == in->words_end && (in->bit + 7) / 8 == in->bits_end / 8;
    for (int k = 0; k < STORE_STATES; k++)
        good &= in->state[k] == STORE_LOW;
    return good;
}

int store_decode(const store_t *store, const uint8_t *block, size_t size, size_t rows, uint64_t *planes,
                 const store_rows_t *to)
{
    in_t in;
    store_work_t w;
    int error = read_head(&in, block, size);
    for (size_t p = 0; p < store->models; p++)
        if (store->model[p].mode != STORE_ZERO && !store->model[p].tables)
            error = STORE_EMODEL;
    if (error)
        return error;
    error = store_work(&w, store, rows);
    for (size_t p = 0; !error && p < store->planes; p++) {
        read_plane(&in, &w, store, p);
        if (planes)
            memcpy(planes + p * rows, w.planes + p * w.stride + STORE_BACK, rows * sizeof *planes);
        if (to && (p % STORE_GROUP == STORE_GROUP - 1 || p == store->planes - 1))
            put(to, &w, p / STORE_GROUP * STORE_GROUP, p + 1, 0);
    }
    if (!error && to)
        put(to, &w, 0, store->planes, 1); // what a mask tells is written last
    store_done(&w);
    return error ? error : ended(&in) ? STORE_OK : STORE_EBLOCK;
}
