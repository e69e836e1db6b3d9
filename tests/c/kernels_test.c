// SPDX-License-Identifier: MIT
// kernels_test.c - fast kernels against the definition, bit for bit, over all sizes; exit 0 when equal.
#include <string.h>

#include "leave.h"
#include "td_kernels.h"

#ifndef EVERY
#define EVERY 1 // of so many shapes one is tried: emulated cores are slow
#endif

enum { SIDE = 70, ROWS = 1500 }; // ROWS: numbers in all rows of x, or of y
static float w[SIDE * (SIDE + 1)], w2[SIDE * (SIDE + 1)], dw[SIDE * (SIDE + 1)];
static float x[ROWS], x2[ROWS], y[ROWS], y2[ROWS];
static uint32_t state = 1;

static float some(uint32_t zeros) // -2..2, some of them a zero of either sign
{
    state = td_hash(state + 1);
    if (state % 16 < zeros)
        return state & 64 ? 0.0f : -0.0f;
    return (float)((int32_t)(state >> 7) - 0x1000000) * 1.1920929e-07f;
}

static void fill(float *to, uint32_t count, uint32_t zeros)
{
    while (count-- > 0)
        *to++ = some(zeros);
}

static int differ(const float *a, const float *b, uint32_t count)
{
    return memcmp(a, b, count * sizeof *a) != 0;
}

static int forward_differs(const td_shape_t *s)
{
    td_dense_forward(s, w, x, y);
    td_fast_forward(s, w, x, y2);
    return differ(y, y2, (uint32_t)s->rows * s->out);
}

static int backward_differs(const td_shape_t *s)
{
    uint32_t size = (uint32_t)s->out * (s->in + 1u);
    fill(y, (uint32_t)s->rows * s->out, 6);
    memcpy(x2, x, sizeof x);
    fill(dw, size, 0);
    memcpy(w2, dw, sizeof dw);
    td_dense_backward(s, w, dw, x, y);
    td_fast_backward(s, w, w2, x2, y);
    return differ(x, x2, ROWS) || differ(dw, w2, size);
}

static int descend_differs(const td_shape_t *s)
{
    uint32_t size = (uint32_t)s->out * (s->in + 1u);
    memcpy(x2, x, sizeof x);
    memcpy(w2, w, sizeof w);
    td_dense_descend(s, w, x, y, 0.375f);
    td_fast_descend(s, w2, x2, y, 0.375f);
    return differ(x, x2, ROWS) || differ(w, w2, size);
}

static int differs(uint32_t in, uint32_t out, uint32_t rows)
{
    static const uint8_t kinds[] = {TD_RELU, TD_RELU6, TD_LEAKY_RELU, TD_TANH, TD_SIGMOID};
    td_layer_t before = {.kind = kinds[(in + out) % 5], .in = (uint16_t)in, .out = (uint16_t)in, .limit = 0.25f};
    uint32_t step = in + (in + rows) % 3;
    td_shape_t one = {(uint16_t)in, (uint16_t)out, 1, (uint16_t)step, (in + out + rows) % 4 ? &before : NULL};
    td_shape_t s = one;
    s.rows = (uint16_t)rows;
    fill(w, out * (in + 1), 0);
    fill(x, ROWS, 5);
    return forward_differs(&s) || backward_differs(&s) || descend_differs(&one);
}

static int all(void)
{
    uint32_t in, out, rows;
    for (in = 1; in <= SIDE; in++)
        for (out = 1; out <= SIDE; out++) {
            rows = 1 + (5 * in + 3 * out) % 9;
            if ((in + out * SIDE) % EVERY == 0 && differs(in, out, rows))
                return 1;
        }
    for (rows = 1; rows <= SIDE; rows++)
        for (in = 1; in <= 19; in++)
            if ((in + rows * 19) % EVERY == 0 && differs(in, 1 + (in + rows) % 21, rows))
                return 1;
    return 0;
}

int main(void)
{
    return leave(all());
}
