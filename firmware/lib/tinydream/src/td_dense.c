// SPDX-License-Identifier: MIT
// td_dense.c - a dense layer as SPEC.md defines it ("Network"): the judge of td_fast.c, and its manual.
#include "td_kernels.h"

void td_dense_forward(const td_shape_t *shape, const float *w, const float *x, float *y)
{
    const float *bias = w + (size_t)shape->out * shape->in;
    uint32_t b, o, j;
    for (b = 0; b < shape->rows; b++, x += shape->step)
        for (o = 0; o < shape->out; o++) {
            const float *row = w + (size_t)o * shape->in;
            float sum = bias[o];
            for (j = 0; j < shape->in; j++)
                sum += row[j] * x[j];
            *y++ = sum;
        }
}

// one row of x becomes its gradient
static void inputs_backward(const td_shape_t *shape, const float *w, float *x, const float *dy)
{
    uint32_t o, j;
    for (j = 0; j < shape->in; j++) {
        float sum = 0.0f;
        for (o = 0; o < shape->out; o++)
            sum += w[(size_t)o * shape->in + j] * dy[o];
        x[j] = td_gate(shape->before, x[j], sum);
    }
}

void td_dense_backward(const td_shape_t *shape, const float *w, float *dw, float *x, const float *dy)
{
    float *dbias = dw + (size_t)shape->out * shape->in;
    uint32_t b, o, j;
    for (b = 0; b < shape->rows; b++, x += shape->step, dy += shape->out) {
        for (o = 0; o < shape->out; o++) {
            float *row = dw + (size_t)o * shape->in;
            if (dy[o] == 0.0f)
                continue;
            for (j = 0; j < shape->in; j++)
                row[j] += dy[o] * x[j];
            dbias[o] += dy[o];
        }
        if (shape->before)
            inputs_backward(shape, w, x, dy);
    }
}

// Weights of a column are read by the gradient of its input, then moved, then the input is overwritten.
void td_dense_descend(const td_shape_t *shape, float *w, float *x, const float *dy, float rate)
{
    float *bias = w + (size_t)shape->out * shape->in;
    uint32_t o, j;
    for (j = 0; j < shape->in; j++) {
        float sum = 0.0f;
        for (o = 0; o < shape->out; o++) {
            float *weight = w + (size_t)o * shape->in + j;
            if (dy[o] == 0.0f)
                continue;
            sum += *weight * dy[o];
            *weight -= rate * (0.0f + dy[o] * x[j]);
        }
        if (shape->before)
            x[j] = td_gate(shape->before, x[j], sum);
    }
    for (o = 0; o < shape->out; o++)
        bias[o] -= rate * (0.0f + dy[o]);
}
