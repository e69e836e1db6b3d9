// SPDX-License-Identifier: MIT
// td_net.c - the network: forward, loss, backward. Order of accumulation: SPEC.md, "Network".
//
// An array of n rows of width w is row-major. Weights of a layer: W (out, in), then b (out). Activations lie
// one after the other: drawn rows, then each dense layer's outputs, `slice` rows each; ReLU works in place,
// and the backward pass writes each gradient over the activation that it belongs to. A drawn row is the
// network's inputs and, after them, the targets if there are any.
#include "td_internal.h"

// ---- dense ----

// y[o] = b[o] + sum over j of W[o][j] * x[j]; four outputs at once share each x[j]
static void dense_forward(const float *w, const float *bias, uint32_t in, uint32_t out, const float *x,
                          float *y)
{
    uint32_t o = 0, j;
    for (; o + 4 <= out; o += 4, w += 4 * (size_t)in) {
        const float *w1 = w + in, *w2 = w1 + in, *w3 = w2 + in;
        float a0 = bias[o], a1 = bias[o + 1], a2 = bias[o + 2], a3 = bias[o + 3];
        for (j = 0; j < in; j++) {
            float v = x[j];
            a0 += w[j] * v;
            a1 += w1[j] * v;
            a2 += w2[j] * v;
            a3 += w3[j] * v;
        }
        y[o] = a0;
        y[o + 1] = a1;
        y[o + 2] = a2;
        y[o + 3] = a3;
    }
    for (; o < out; o++, w += in) {
        float a = bias[o];
        for (j = 0; j < in; j++)
            a += w[j] * x[j];
        y[o] = a;
    }
}

// dW[o][j] += dy[o] * x[j], db[o] += dy[o]; where dy is 0 nothing changes, so nothing is done
static void dense_weights_backward(float *dw, float *dbias, uint32_t in, uint32_t out, const float *x,
                                   const float *dy)
{
    uint32_t o, j;
    for (o = 0; o < out; o++, dw += in) {
        float d = dy[o];
        if (d == 0.0f)
            continue;
        for (j = 0; j < in; j++)
            dw[j] += d * x[j];
        dbias[o] += d;
    }
}

// n columns of dx, n at most 16, whose sums stay in registers where n is known
static void columns_backward(const float *w, uint32_t in, uint32_t out, const float *x, const float *dy,
                             float *dx, uint32_t n)
{
    float sum[16] = {0.0f};
    uint32_t k, o;
    for (o = 0; o < out; o++, w += in) {
        float d = dy[o];
        if (d == 0.0f)
            continue;
        for (k = 0; k < n; k++)
            sum[k] += w[k] * d;
    }
    for (k = 0; k < n; k++)
        dx[k] = x[k] > 0.0f ? sum[k] : 0.0f;
}

// dx[j] = sum over o of W[o][j] * dy[o], and 0 where the ReLU that made x gave 0; dx may be x
static void dense_inputs_backward(const float *w, uint32_t in, uint32_t out, const float *x,
                                  const float *dy, float *dx)
{
    uint32_t j = 0;
    for (; j + 16 <= in; j += 16)
        columns_backward(w + j, in, out, x + j, dy, dx + j, 16);
    if (j < in)
        columns_backward(w + j, in, out, x + j, dy, dx + j, in - j);
}

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

// Returns the outputs of the last dense layer, (n, outputs).
float *td_net_forward(const td_plan_t *plan, const float *weights, float *activations, uint32_t n)
{
    float *x = activations;
    uint32_t i, b, k;
    for (i = 0; i < plan->layers_count; i++) {
        const td_layer_t *layer = &plan->layers[i];
        uint32_t in = layer->in, out = layer->out;
        if (layer->kind == TD_DENSE) {
            uint32_t step = stride(plan, i);
            float *y = x + (size_t)plan->slice * step;
            const float *bias = weights + (size_t)out * in;
            for (b = 0; b < n; b++)
                dense_forward(weights, bias, in, out, x + (size_t)b * step, y + (size_t)b * out);
            weights = bias + out;
            x = y;
        } else if (layer->kind == TD_RELU) {
            for (k = 0; k < n * out; k++)
                x[k] = x[k] > 0.0f ? x[k] : 0.0f;
        }
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
void td_net_backward(const td_plan_t *plan, const float *weights, float *gradients, float *activations,
                     uint32_t n)
{
    size_t at = plan->parameters;
    uint32_t i, b;
    float *dy = activations;
    for (i = 0; i < plan->layers_count; i++)
        if (plan->layers[i].kind == TD_DENSE)
            dy += (size_t)plan->slice * stride(plan, i);
    for (i = plan->layers_count; i-- > 0;) {
        const td_layer_t *layer = &plan->layers[i];
        uint32_t in = layer->in, out = layer->out, step = stride(plan, i);
        float *x = dy - (size_t)plan->slice * step;
        if (layer->kind != TD_DENSE)
            continue;
        at -= (size_t)out * in + out;
        for (b = 0; b < n; b++) {
            float *xb = x + (size_t)b * step, *db = dy + (size_t)b * out;
            dense_weights_backward(gradients + at, gradients + at + (size_t)out * in, in, out, xb, db);
            if (i > 0) // the inputs need no gradient
                dense_inputs_backward(weights + at, in, out, xb, db, xb);
        }
        dy = x;
    }
}

// dense, then (relu, dense) any number of times, then softmax for classes; each width fits the next
int td_net_check(const td_plan_t *plan)
{
    uint64_t parameters = 0;
    uint32_t i, width = plan->inputs.outputs, last = plan->layers_count;
    uint32_t softmax = plan->loss == TD_CROSS_ENTROPY;
    if (plan->layers == NULL || last == 0 || last % 2 == softmax)
        return TD_EPLAN;
    if (plan->loss != TD_CROSS_ENTROPY && plan->loss != TD_MSE)
        return TD_EPLAN;
    for (i = 0; i < last; i++) {
        const td_layer_t *layer = &plan->layers[i];
        int kind = i % 2 == 0 ? TD_DENSE : softmax && i + 1 == last ? TD_SOFTMAX : TD_RELU;
        if (layer->kind != kind || layer->in != width || layer->out == 0)
            return TD_EPLAN;
        if (kind == TD_DENSE)
            parameters += (uint64_t)layer->out * layer->in + layer->out;
        else if (layer->out != layer->in)
            return TD_EPLAN;
        width = layer->out;
    }
    return parameters == plan->parameters && parameters < 0x10000000u ? 0 : TD_EPLAN;
}
