// SPDX-License-Identifier: MIT
// td_net.c - the network: forward and backward, layer by layer. The arithmetic: td_kernels.h.
//
// An array of n rows of width w is row-major. Weights of a layer: W (out, in), then b (out). Activations lie
// one after the other: drawn rows, then each dense layer's outputs, `slice` rows each; ReLU and its like work
// in place, and the backward pass writes each gradient over the activation that it belongs to. A drawn row is
// the network's inputs and, after them, the targets if there are any.
#include "td_internal.h"
#include "td_kernels.h"

// ---- the whole network ----

uint32_t td_net_outputs(const td_plan_t *plan)
{
    return plan->layers[plan->layers_count - 1].out;
}

// layers that forward and backward see: a softmax or sigmoid at the end belongs to the loss
static uint32_t body_layers(const td_plan_t *plan)
{
    return (plan->layers_count - 1u) | 1u;
}

// numbers from one row of a layer's inputs to the next
static uint32_t stride(const td_plan_t *plan, uint32_t layer)
{
    return layer == 0 ? plan->rows.columns : plan->layers[layer].in;
}

// dense layer number `layer` over n rows
static td_shape_t shape(const td_plan_t *plan, uint32_t layer, uint32_t n)
{
    const td_layer_t *dense = &plan->layers[layer];
    const td_layer_t *before = layer == 0 ? NULL : dense - 1;
    td_shape_t shape = {dense->in, dense->out, (uint16_t)n, (uint16_t)stride(plan, layer), before};
    return shape;
}

// Returns the outputs of the last dense layer, (n, outputs).
float *td_net_forward(const td_plan_t *plan, const float *weights, float *activations, uint32_t n)
{
    float *x = activations;
    uint32_t i, count = body_layers(plan);
    for (i = 0; i < count; i++) {
        td_shape_t dense;
        if (plan->layers[i].kind != TD_DENSE) {
            td_activate(&plan->layers[i], x, n * plan->layers[i].out);
            continue;
        }
        dense = shape(plan, i, n);
        td_fast_forward(&dense, weights, x, x + (size_t)plan->slice * dense.step);
        x += (size_t)plan->slice * dense.step;
        weights += (size_t)dense.out * (dense.in + 1);
    }
    return x;
}

// A step from tame numbers cannot make a finite weight infinite, or no number. One is wild when the highest bit of
// its exponent is set and one of the two below it: 2^33 or more, infinite, or no number.
int td_net_is_wild(const float *values, uint32_t count)
{
    uint32_t i, seen = 0;
    union {
        float f;
        uint32_t u;
    } value;
    for (i = 0; i < count; i++) {
        value.f = values[i];
        seen |= value.u & (value.u << 1 | value.u << 2);
    }
    return (seen >> 30) & 1;
}

// `activations` hold a forward pass whose last outputs are by now the loss's gradients. Without gradients the
// weights move at once, and TD_ENUMERIC tells that they did not from some layer down to the first.
int td_net_backward(const td_plan_t *plan, float *weights, float *gradients, float *activations, uint32_t n,
                    float rate)
{
    size_t at = plan->parameters;
    uint32_t i;
    float *dy = activations;
    for (i = 0; i < plan->layers_count; i++)
        if (plan->layers[i].kind == TD_DENSE)
            dy += (size_t)plan->slice * stride(plan, i);
    for (i = plan->layers_count; i-- > 0;) {
        td_shape_t dense;
        float *x;
        if (plan->layers[i].kind != TD_DENSE)
            continue;
        dense = shape(plan, i, n);
        at -= (size_t)dense.out * (dense.in + 1);
        x = dy - (size_t)plan->slice * dense.step;
#if TD_WITH_GRADIENTS
        if (gradients != NULL)
            td_fast_backward(&dense, weights + at, gradients + at, x, dy);
#endif
#if TD_WITH_DESCENT
        if (gradients == NULL) {
            if (td_net_is_wild(dy, n * dense.out) || (i > 0 && td_net_is_wild(x, n * dense.in)))
                return TD_ENUMERIC;
            td_fast_descend(&dense, weights + at, x, dy, rate);
        }
#endif
        dy = x;
    }
    (void)rate; // of descent only
    return 0;
}

static int check_activation(const td_layer_t *layer)
{
    if (layer->out != layer->in || layer->kind < TD_RELU || layer->kind > TD_SIGMOID)
        return TD_EPLAN;
    if (layer->kind == TD_LEAKY_RELU && !(layer->limit >= 0.0f && layer->limit <= 1.0f))
        return TD_EPLAN;
    return td_activate(layer, NULL, 0);
}

// dense, then (activation, dense) any number of times, then a head for classes; each width fits the next
int td_net_check(const td_plan_t *plan)
{
    uint64_t parameters = 0;
    uint32_t i, width = plan->inputs.outputs, last = plan->layers_count;
    if (plan->layers == NULL || last == 0)
        return TD_EPLAN;
    for (i = 0; i < last; i++) {
        const td_layer_t *layer = &plan->layers[i];
        int code = 0, head = i == body_layers(plan);
        if (layer->in != width || layer->out == 0 || (!head && layer->kind == TD_SOFTMAX))
            return TD_EPLAN;
        if ((i % 2 == 0) != (layer->kind == TD_DENSE))
            return TD_EPLAN;
        if (layer->kind == TD_DENSE)
            parameters += (uint64_t)layer->out * layer->in + layer->out;
        else if ((code = check_activation(layer)) != 0 && !(head && code == TD_ENOKERNEL))
            return code;
        width = layer->out;
    }
    return parameters == plan->parameters && parameters < 0x10000000u ? 0 : TD_EPLAN;
}
