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

// ---- windows: x is (rows, height, width, channels), y and dy (rows, out_height, out_width, filters) ----

typedef struct {
    td_shape_t shape;           // in, out: numbers of a row
    const td_window_t *window;
    uint8_t kind;               // TD_CONV, ...
    uint8_t number;             // of the layer
    float limit;                // the layer's
    const uint32_t *draws;      // dropout: index and key of each row
    float *other;               // add: (rows, in), what is added to x
    const td_layer_t *beside;   // add: the activation that made it
} td_sweep_t;

// y from x; dW and db add what x and dy give; x becomes its gradient. Pools have no parameters.
// Weights of a convolution are W (filters, rows, columns, channels), of a depthwise one W (rows, columns, channels).
void td_window_forward(const td_sweep_t *sweep, const float *w, const float *x, float *y);
void td_window_weights(const td_sweep_t *sweep, float *dw, const float *x, const float *dy);
void td_window_biases(const td_sweep_t *sweep, float *dbias, const float *dy);
void td_window_inputs(const td_sweep_t *sweep, const float *w, float *x, const float *dy);
int td_window_check(const td_plan_t *plan, uint32_t layer); // 0, TD_EPLAN, TD_ENOKERNEL

// a convolution of one row: the definition, and (td_conv.c) fast
void td_window_conv(const td_sweep_t *sweep, const float *w, const float *x, float *y);
void td_window_conv_weights(const td_sweep_t *sweep, float *dw, const float *x, const float *dy);
void td_window_conv_inputs(const td_sweep_t *sweep, const float *w, float *x, const float *dy);
void td_conv_forward(const td_sweep_t *sweep, const float *w, const float *x, float *y);
void td_conv_weights(const td_sweep_t *sweep, float *dw, const float *x, const float *dy);
void td_conv_inputs(const td_sweep_t *sweep, const float *w, float *x, const float *dy);

// td_between.c: as above, of TD_BATCH_NORM, TD_DROPOUT and TD_ADD. A batch norm's parameters are W (mean, variance,
// scale), then b (shift), one of each a channel; dw adds up what its statistics want to know, and td_norm_follow moves
// them by what a batch of so many rows left there. An add's dy becomes the gradient of what was added.
void td_between_forward(const td_sweep_t *sweep, const float *w, const float *x, float *y);
void td_between_backward(const td_sweep_t *sweep, uint8_t trains, const float *w, float *dw, float *x, float *dy);
void td_add_from_above(const td_train_t *train, uint32_t layer, uint32_t n, float *x); // to the gradient of its inputs
void td_norm_follow(const td_layer_t *layer, const td_window_t *window, float *w, float *dw, uint32_t rows);
int td_between_check(const td_plan_t *plan, uint32_t layer); // 0, TD_EPLAN, TD_ENOKERNEL

// Along one axis, what of window number `at` lies inside: its taps first..end, and the input that the first one meets
typedef struct {
    uint32_t first, end, from;
} td_span_t;

static inline td_span_t td_span(uint32_t at, uint32_t stride, uint32_t pad, uint32_t size, uint32_t length)
{
    uint32_t start = at * stride;
    td_span_t span;
    span.first = start < pad ? pad - start : 0;
    span.end = length + pad - start < size ? length + pad - start : size;
    span.from = start + span.first - pad;
    return span;
}

// Along one axis, the windows first..end that hold input number `at`; from is not used
static inline td_span_t td_holders(uint32_t at, uint32_t stride, uint32_t pad, uint32_t size, uint32_t outs)
{
    uint32_t place = at + pad;
    td_span_t span = {0, place / stride + 1, 0};
    if (place >= size)
        span.first = (place - size) / stride + 1;
    span.end = span.end < outs ? span.end : outs;
    return span;
}

#if TD_WITH_LATE
void td_late_keep(const td_train_t *train, const td_shape_t *shape, const float *x, const float *dy); // td_late.c
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
