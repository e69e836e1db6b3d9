// SPDX-License-Identifier: MIT
// td_fast.c - td_dense.c, fast: the same bits from fixed tiles of registers.
//
// TD_TILE rows of the slice are taken together: 4 shares each load of a weight among four rows, 1 is less
// code and leaves the slice a row long; 8 calls kernels of the host. A row whose dy[o] is 0 adds nothing to output o's gradients and is
// passed over: after a ReLU that is half of them.
#include "td_kernels.h"
#include "td_loops.h"

// ---- forward ----

// at least four outputs; where they are no multiple of four, the last tile does some of them again
static void row_forward(const td_shape_t *shape, const float *w, const float *x, float *y)
{
    uint32_t left = shape->out - 4u, n;
    const float *bias = w + (size_t)shape->out * shape->in;
    do {
        loop_dot4(w, shape->in, bias, x, y);
        n = left < 4 ? left : 4;
        w += n * shape->in;
        bias += n;
        y += n;
        left -= n;
    } while (n > 0);
}

#if TD_TILE >= 4
static void rows_forward(const td_shape_t *shape, const float *w, const float *x, float *y)
{
    uint32_t left = shape->out - 4u, n;
    const float *bias = w + (size_t)shape->out * shape->in;
    do {
        loop_dot4x4(w, shape->in, bias, x, shape->step, y, shape->out);
        n = left < 4 ? left : 4;
        w += n * shape->in;
        bias += n;
        y += n;
        left -= n;
    } while (n > 0);
}
#endif

void td_fast_forward(const td_shape_t *shape, const float *w, const float *x, float *y)
{
    uint32_t left = shape->rows;
#if TD_TILE == 8
    if (td_lanes_forward(shape, w, x, y))
        return;
#endif
    if (shape->out < 4) {
        td_dense_forward(shape, w, x, y);
        return;
    }
#if TD_TILE >= 4
    for (; left >= 4; left -= 4, x += 4u * shape->step, y += 4u * shape->out)
        rows_forward(shape, w, x, y);
#endif
    for (; left > 0; left--, x += shape->step, y += shape->out)
        row_forward(shape, w, x, y);
}

// ---- backward ----

#if TD_TILE == 8
void td_fast_backward(const td_shape_t *shape, const float *w, float *dw, float *x, const float *dy)
{
    td_lanes_backward(shape, w, dw, x, dy);
}

void td_fast_inputs(const td_shape_t *shape, const float *w, float *x, const float *dy)
{
    td_lanes_inputs(shape, w, x, dy);
}
#else
// one output's gradients from n rows, n at most TD_TILE
static void weights_backward(const td_shape_t *shape, float *dw, float *dbias, const float *x,
                             const float *dy, uint32_t n)
{
#if TD_TILE >= 4
    const float *held = NULL; // a row that waits for another to go with
    float weight = 0.0f;
#endif
    for (; n > 0; n--, x += shape->step, dy += shape->out) {
        float d = *dy;
        if (!loop_some(d))
            continue;
        *dbias += d;
#if TD_TILE >= 4
        if (held == NULL) {
            held = x;
            weight = d;
            continue;
        }
        loop_add2(dw, held, x, weight, d, shape->in);
        held = NULL;
    }
    if (held != NULL)
        loop_add1(dw, held, weight, shape->in);
#else
        loop_add1(dw, x, d, shape->in);
    }
#endif
}

// one row of x becomes its gradient
static TD_INLINE void inputs_backward(const td_shape_t *shape, const float *w, float *x, const float *dy)
{
    float sum[TD_COLUMNS], *end = x + shape->in;
    uint32_t k, o;
    for (; end - x >= (int)TD_COLUMNS; w += TD_COLUMNS) {
        loop_columns(w, shape->in, shape->out, dy, sum);
        for (k = 0; k < TD_COLUMNS; k += 4, x += 4) {
            x[0] = td_gate(shape->before, x[0], sum[k]);
            x[1] = td_gate(shape->before, x[1], sum[k + 1]);
            x[2] = td_gate(shape->before, x[2], sum[k + 2]);
            x[3] = td_gate(shape->before, x[3], sum[k + 3]);
        }
    }
    for (; x < end; x++, w++) {
        const float *column = w;
        for (sum[0] = 0.0f, o = 0; o < shape->out; o++, column += shape->in)
            sum[0] += *column * dy[o];
        *x = td_gate(shape->before, *x, sum[0]);
    }
}

TD_APART void td_fast_inputs(const td_shape_t *shape, const float *w, float *x, const float *dy)
{
    const float *end = dy + (size_t)shape->rows * shape->out;
    if (shape->before == NULL)
        return;
    for (; dy < end; x += shape->step, dy += shape->out)
        inputs_backward(shape, w, x, dy);
}

void td_fast_backward(const td_shape_t *shape, const float *w, float *dw, float *x, const float *dy)
{
    const float *d = dy, *row = x;
    uint32_t left, o, n;
    for (left = shape->rows; left > 0; left -= n, row += n * shape->step, d += n * shape->out) {
        float *dbias = dw + (size_t)shape->out * shape->in;
        n = left < TD_TILE ? left : TD_TILE;
        for (o = 0; o < shape->out; o++)
            weights_backward(shape, dw + (size_t)o * shape->in, dbias + o, row, d + o, n);
    }
    td_fast_inputs(shape, w, x, dy);
}
#endif

void td_fast_biases(const td_shape_t *shape, float *dbias, const float *dy)
{
    uint32_t b, o;
    for (b = 0; b < shape->rows; b++, dy += shape->out)
        for (o = 0; o < shape->out; o++)
            dbias[o] += dy[o];
}

// ---- a batch of one: the weights move at once ----

// four columns of W at x[0..3]: what each adds to its input's gradient, and then its move
static void columns_descend(const td_shape_t *shape, float *w, float *x, const float *dy, float rate)
{
    float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
    float x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
    uint32_t o, in = shape->in;
    for (o = shape->out; o > 0; o--, w += in) {
        float w0, w1, w2, w3, d = *dy++;
        if (!loop_some(d))
            continue;
        w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
        s0 += w0 * d;
        s1 += w1 * d;
        s2 += w2 * d;
        s3 += w3 * d;
        w[0] = w0 - rate * (d * x0);
        w[1] = w1 - rate * (d * x1);
        w[2] = w2 - rate * (d * x2);
        w[3] = w3 - rate * (d * x3);
    }
    x[0] = td_gate(shape->before, x0, s0);
    x[1] = td_gate(shape->before, x1, s1);
    x[2] = td_gate(shape->before, x2, s2);
    x[3] = td_gate(shape->before, x3, s3);
}

static void column_descend(const td_shape_t *shape, float *w, float *x, const float *dy, float rate)
{
    float sum = 0.0f;
    uint32_t o;
    for (o = 0; o < shape->out; o++, w += shape->in) {
        if (!loop_some(dy[o]))
            continue;
        sum += *w * dy[o];
        *w -= rate * (dy[o] * *x);
    }
    *x = td_gate(shape->before, *x, sum);
}

void td_fast_descend(const td_shape_t *shape, float *w, float *x, const float *dy, float rate)
{
    float *bias = w + (size_t)shape->out * shape->in;
    uint32_t o, j;
    for (j = 0; shape->before && j + 4 <= shape->in; j += 4)
        columns_descend(shape, w + j, x + j, dy, rate);
    for (; shape->before && j < shape->in; j++)
        column_descend(shape, w + j, x + j, dy, rate);
    for (o = 0; o < shape->out; o++, w += shape->in) {
        if (!loop_some(dy[o]))
            continue;
        if (shape->before == NULL)
            loop_descend(w, x, dy[o], rate, shape->in);
        bias[o] -= rate * dy[o];
    }
}
