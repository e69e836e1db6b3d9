// SPDX-License-Identifier: MIT
// plane.c - what is known of a plane before its tokens: guesses from other numbers, and the class of each row.
#include <stdlib.h>
#include <string.h>

#include "store.h"

// Where the numbers that `ref` means begin: entry i is the one for row i.
const uint64_t *store_at(const store_work_t *w, size_t plane, store_ref_t ref)
{
    if (ref.plane > plane)
        return w->zero + STORE_BACK;
    return w->planes + (plane - ref.plane) * w->stride + STORE_BACK - ref.row;
}

// Two taps at once; their planes may be one.
STORE_CLONES
static void add_two(uint64_t *restrict to, const uint64_t *a, uint64_t v, const uint64_t *b, uint64_t w, size_t rows)
{
    for (size_t i = 0; v == 1 && !w && i < rows; i++)
        to[i] += a[i];
    for (size_t i = 0; !(v == 1 && !w) && i < rows; i++)
        to[i] += v * a[i] + w * b[i];
}

// Sums what the taps give; without `own`, those of other planes only.
void store_guess(const store_work_t *w, size_t plane, int own)
{
    const store_model_t *m = w->model;
    const uint64_t *last = NULL;
    uint64_t weight = 0;
    for (size_t i = 0; i < w->rows; i++)
        w->guess[i] = (uint64_t)m->bias;
    for (int k = 0; k < m->taps; k++) {
        const uint64_t *at = store_at(w, plane, m->tap[k]);
        if (!own && !m->tap[k].plane)
            continue;
        if (last)
            add_two(w->guess, last, weight, at, (uint64_t)m->weight[k], w->rows);
        last = last ? NULL : at;
        weight = (uint64_t)m->weight[k];
    }
    if (last)
        add_two(w->guess, last, weight, w->zero, 0, w->rows);
}

STORE_CLONES
static void quantities(const store_work_t *w, size_t plane, const store_context_t *c)
{
    uint64_t *restrict q = w->quantity;
    const uint64_t *restrict guess = w->guess;
    int shift = w->model->shift;
    for (size_t i = 0; c->kind == STORE_GUESS && i < w->rows; i++) {
        uint64_t g = store_shifted_many(guess[i], shift);
        q[i] = g & ((g >> 63) - 1); // no less than 0
    }
    if (c->kind == STORE_CHANGE) {
        const uint64_t *a = store_at(w, plane, c->ref[0]), *b = store_at(w, plane, c->ref[1]);
        const uint64_t *e = store_at(w, plane, c->ref[2]);
        for (size_t i = 0; i < w->rows; i++)
            q[i] = store_apart(a[i], b[i]) + store_apart(b[i], e[i]);
    }
}

// Limit by limit, where these have 32 bits: eight numbers at once.
STORE_CLONES
static void classify_narrow(const store_context_t *c, const uint64_t *restrict q, size_t rows, uint8_t *restrict to)
{
    enum { SOME = 256 };
    int32_t number[SOME], reached[SOME];
    for (size_t at = 0; at < rows; at += SOME, q += SOME, to += SOME) {
        size_t n = rows - at < SOME ? rows - at : SOME;
        for (size_t i = 0; i < n; i++) {
            number[i] = (int32_t)((int64_t)(q[i] < UINT32_MAX ? q[i] : UINT32_MAX) + INT32_MIN);
            reached[i] = 0;
        }
        for (int k = 0; k < c->thresholds; k++) {
            int32_t limit = (int32_t)((int64_t)c->threshold[k] + INT32_MIN);
            for (size_t i = 0; i < n; i++)
                reached[i] += number[i] >= limit;
        }
        for (size_t i = 0; i < n; i++)
            to[i] = (uint8_t)reached[i];
    }
}

// By the table where all limits are small, else limit by limit.
STORE_CLONES
static void classify(const store_context_t *c, const uint64_t *q, size_t rows, uint8_t *to)
{
    const uint64_t top = (uint64_t)1 << 63;
    uint64_t last = c->thresholds ? c->threshold[c->thresholds - 1] : 0;
    if (last < STORE_SHORT) {
        for (size_t i = 0; i < rows; i++)
            to[i] = c->small[q[i] < STORE_SHORT ? q[i] : STORE_SHORT - 1];
        return;
    }
    if (last <= UINT32_MAX) {
        classify_narrow(c, q, rows, to);
        return;
    }
    memset(to, 0, rows);
    for (int k = 0; k < c->thresholds; k++) {
        int64_t limit = store_signed(c->threshold[k] ^ top);
        for (size_t i = 0; i < rows; i++)
            to[i] = (uint8_t)(to[i] + (store_signed(q[i] ^ top) >= limit));
    }
}

// The class of each row; all numbers that it depends on are there, and so are the guesses.
void store_classes(const store_work_t *w, size_t plane)
{
    const store_context_t *c = &w->model->context;
    const uint64_t *q = w->quantity;
    if (c->kind == STORE_NONE) {
        memset(w->class, 0, w->rows);
        return;
    }
    if (c->kind == STORE_VALUE)
        q = store_at(w, plane, c->ref[0]);
    else
        quantities(w, plane, c);
    classify(c, q, w->rows, w->class);
}

int store_work(store_work_t *w, const store_t *store, size_t rows)
{
    memset(w, 0, sizeof *w);
    w->rows = rows;
    w->stride = rows + STORE_BACK;
    size_t words = (store->planes + 3) * w->stride;
    w->planes = malloc(words * sizeof *w->planes);
    w->class = malloc(rows + 1);
    w->token = malloc((rows + 1) * sizeof *w->token);
    if (!w->planes || !w->class || !w->token)
        return STORE_ENOMEM;
    uint64_t *zero = w->planes + store->planes * w->stride;
    memset(zero, 0, w->stride * sizeof *zero);
    w->zero = zero;
    w->guess = w->planes + (store->planes + 1) * w->stride;
    w->quantity = w->planes + (store->planes + 2) * w->stride;
    return STORE_OK;
}

void store_done(store_work_t *w)
{
    free(w->planes);
    free(w->class);
    free(w->token);
}
