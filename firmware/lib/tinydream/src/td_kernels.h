// SPDX-License-Identifier: MIT
// td_kernels.h - the arithmetic of a dense layer, twice: the definition (td_dense.c) and the fast one.
//
// Both give the same bits for every shape; only the fast one is used. x is (rows, in), its rows `step`
// numbers apart; y and dy are (rows, out). w is a layer's parameters: W (out, in), then b (out); dw too.
#ifndef TD_KERNELS_H
#define TD_KERNELS_H

#include "td.h"

typedef struct {
    uint16_t in, out;
    uint16_t rows;
    uint16_t step;            // numbers from one row of x to the next; at least `in`
    const td_layer_t *before; // the activation that made x; NULL: x has no gradient
} td_shape_t;

// y[o] = b[o] + sum over j of W[o][j] * x[j]
void td_dense_forward(const td_shape_t *shape, const float *w, const float *x, float *y);
void td_fast_forward(const td_shape_t *shape, const float *w, const float *x, float *y);

// dW[o][j] += dy[o] * x[j], db[o] += dy[o]; then x becomes its gradient, if it has one:
// dx[j] = sum over o of W[o][j] * dy[o], times the slope of the activation before
void td_dense_backward(const td_shape_t *shape, const float *w, float *dw, float *x, const float *dy);
void td_fast_backward(const td_shape_t *shape, const float *w, float *dw, float *x, const float *dy);

// only the biases' gradients, and only those of x: for layers whose weights stay
void td_fast_biases(const td_shape_t *shape, float *dbias, const float *dy);
void td_fast_inputs(const td_shape_t *shape, const float *w, float *x, const float *dy);

// The same for one row, whose gradient moves the weights at once: w = w - rate * gradient
void td_dense_descend(const td_shape_t *shape, float *w, float *x, const float *dy, float rate);
void td_fast_descend(const td_shape_t *shape, float *w, float *x, const float *dy, float rate);

#if TD_TILE == 8 // a host's own, from elsewhere (tinydream/_lanes.c); forward: whether the shape is one for it
int td_lanes_forward(const td_shape_t *shape, const float *w, const float *x, float *y);
void td_lanes_backward(const td_shape_t *shape, const float *w, float *dw, float *x, const float *dy);
void td_lanes_inputs(const td_shape_t *shape, const float *w, float *x, const float *dy);
#endif

// An activation in place; TD_ENOKERNEL when this build left it out. A softmax is left to the loss.
int td_activate(const td_layer_t *layer, float *x, uint32_t count);

// A gradient of x times the slope of the activation that gave x
static inline float td_gate(const td_layer_t *layer, float x, float sum)
{
    if (layer->kind == TD_RELU)
        return x > 0.0f ? sum : 0.0f;
#if TD_WITH_RELU6
    if (layer->kind == TD_RELU6)
        return x > 0.0f && x < 6.0f ? sum : 0.0f;
#endif
#if TD_WITH_LEAKY_RELU
    if (layer->kind == TD_LEAKY_RELU)
        return x > 0.0f ? sum : sum * layer->limit;
#endif
#if TD_WITH_TANH
    if (layer->kind == TD_TANH)
        return sum * (1.0f - x * x);
#endif
#if TD_WITH_SIGMOID
    if (layer->kind == TD_SIGMOID)
        return sum * (x * (1.0f - x));
#endif
    return sum;
}

#endif
