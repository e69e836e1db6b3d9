// SPDX-License-Identifier: MIT
// conv_test.c - fast convolutions against the definition, bit for bit, over many shapes; exit 0 when equal.
#include <string.h>

#include "leave.h"
#include "td_kernels.h"

#ifndef EVERY
#define EVERY 1 // of so many shapes one is tried: emulated cores are slow
#endif

enum { NUMBERS = 4000, SHAPES = 1500 };
static float w[NUMBERS], w2[NUMBERS], x[NUMBERS], x2[NUMBERS], y[NUMBERS], y2[NUMBERS];
static uint32_t state = 1;

static uint32_t below(uint32_t end)
{
    state = td_hash(state + 1);
    return (state >> 8) % end;
}

static void fill(float *to, uint32_t zeros) // -2..2, so many of 16 are a zero of either sign
{
    uint32_t i;
    for (i = 0; i < NUMBERS; i++) {
        state = td_hash(state + 1);
        to[i] = (float)((int32_t)(state >> 7) - 0x1000000) * 1.1920929e-07f;
        if (state % 16 < zeros)
            to[i] = state & 64 ? 0.0f : -0.0f;
    }
}

static int differ(const float *a, const float *b)
{
    return memcmp(a, b, sizeof w) != 0;
}

static int differs(const td_sweep_t *s)
{
    int bad;
    fill(w, 0);
    fill(x, 5);
    memcpy(y2, y, sizeof y);
    td_window_conv(s, w, x, y);
    td_conv_forward(s, w, x, y2);
    bad = differ(y, y2);
    fill(y, 6);
    memcpy(w2, w, sizeof w);
    td_window_conv_weights(s, w, x, y);
    td_conv_weights(s, w2, x, y);
    bad |= differ(w, w2);
    memcpy(x2, x, sizeof x);
    td_window_conv_inputs(s, w, x2, y);
    td_conv_inputs(s, w, x, y);
    return bad | differ(x, x2);
}

// as many windows as begin inside, `stride` apart, the first of them `pad` before the edge
static uint32_t outputs(uint32_t length, uint32_t stride, uint32_t pad)
{
    return 1 + (length + pad - 1) / stride;
}

static int all(void)
{
    td_layer_t before = {.kind = TD_RELU};
    uint32_t i;
    for (i = 0; i < SHAPES; i++) {
        td_window_t v = {0};
        td_sweep_t s = {{0, 0, 1, 0, &before}, &v, TD_CONV, 0, 0.0f, NULL, NULL, NULL};
        v.height = (uint16_t)(1 + below(9)), v.width = (uint16_t)(1 + below(9));
        v.rows = (uint16_t)(1 + below(4)), v.columns = (uint16_t)(1 + below(4));
        v.down = (uint16_t)(1 + below(3)), v.right = (uint16_t)(1 + below(3));
        v.top = (uint16_t)below(v.rows), v.left = (uint16_t)below(v.columns);
        v.out_height = (uint16_t)outputs(v.height, v.down, v.top);
        v.out_width = (uint16_t)outputs(v.width, v.right, v.left);
        v.channels = (uint16_t)(1 + below(20)), v.filters = (uint16_t)(1 + below(20));
        if ((uint32_t)v.filters * (1u + (uint32_t)v.rows * v.columns * v.channels) > NUMBERS ||
            (uint32_t)v.height * v.width * v.channels > NUMBERS || (uint32_t)v.out_height * v.out_width * v.filters > NUMBERS)
            continue;
        if (i % EVERY == 0 && differs(&s))
            return 1;
    }
    return 0;
}

int main(void)
{
    return leave(all());
}
