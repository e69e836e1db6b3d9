// SPDX-License-Identifier: MIT
// td_net.c - the network: forward, loss, backward, layer by layer. The arithmetic: td_kernels.h.
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
    uint32_t i;
    for (i = 0; i < plan->layers_count; i++) {
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

uint32_t td_net_argmax(const float *values, uint32_t count)
{
    uint32_t k, best = 0;
    for (k = 1; k < count; k++)
        if (values[k] > values[best])
            best = k;
    return best;
}

// Turns logits into probabilities; returns the largest logit and, in *sum, the sum of exp(logit - largest).
float td_net_softmax(float *values, uint32_t count, float *sum)
{
    float largest = values[td_net_argmax(values, count)], total = 0.0f, inverse;
    uint32_t k;
    for (k = 0; k < count; k++) {
        values[k] = td_exp(values[k] - largest);
        total += values[k];
    }
    inverse = 1.0f / total;
    for (k = 0; k < count; k++)
        values[k] *= inverse;
    *sum = total;
    return largest;
}

// Softmax and cross-entropy of one row: logits become their gradient, the loss is returned.
float td_net_cross_entropy(float *logits, uint32_t classes, uint32_t label, uint32_t *correct)
{
    float chosen = logits[label], largest, sum;
    *correct += td_net_argmax(logits, classes) == label;
    largest = td_net_softmax(logits, classes, &sum);
    logits[label] -= 1.0f;
    return td_log(sum) - (chosen - largest);
}

// Mean squared error of one row: outputs become their gradient, the loss is returned.
float td_net_mse(float *outputs, const float *targets, uint32_t count)
{
    float sum = 0.0f, slope = 2.0f / (float)count;
    uint32_t k;
    for (k = 0; k < count; k++) {
        float error = outputs[k] - targets[k];
        sum += error * error;
        outputs[k] = error * slope;
    }
    return sum / (float)count;
}

// `activations` hold a forward pass whose last outputs are by now the loss's gradients.
void td_net_backward(const td_plan_t *plan, float *weights, float *gradients, float *activations, uint32_t n,
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
        if (gradients == NULL)
            td_fast_descend(&dense, weights + at, x, dy, rate);
#endif
        dy = x;
    }
    (void)rate; // of descent only
}

static int check_activation(const td_layer_t *layer)
{
    if (layer->out != layer->in || layer->kind < TD_RELU || layer->kind > TD_SIGMOID)
        return TD_EPLAN;
    if (layer->kind == TD_LEAKY_RELU && !(layer->limit >= 0.0f && layer->limit <= 1.0f))
        return TD_EPLAN;
    return td_activate(layer, NULL, 0);
}

// dense, then (activation, dense) any number of times, then softmax for classes; each width fits the next
int td_net_check(const td_plan_t *plan)
{
    uint64_t parameters = 0;
    uint32_t i, width = plan->inputs.columns, last = plan->layers_count;
    uint32_t softmax = plan->loss == TD_CROSS_ENTROPY;
    if (plan->layers == NULL || last == 0 || last % 2 == softmax)
        return TD_EPLAN;
    if (plan->loss != TD_CROSS_ENTROPY && plan->loss != TD_MSE)
        return TD_EPLAN;
    for (i = 0; i < last; i++) {
        const td_layer_t *layer = &plan->layers[i];
        int code = 0, end = softmax && i + 1 == last;
        if (layer->in != width || layer->out == 0 || end != (layer->kind == TD_SOFTMAX))
            return TD_EPLAN;
        if ((i % 2 == 0) != (layer->kind == TD_DENSE))
            return TD_EPLAN;
        if (layer->kind == TD_DENSE)
            parameters += (uint64_t)layer->out * layer->in + layer->out;
        else if ((code = check_activation(layer)) != 0)
            return code;
        width = layer->out;
    }
    return parameters == plan->parameters && parameters < 0x10000000u ? 0 : TD_EPLAN;
}
