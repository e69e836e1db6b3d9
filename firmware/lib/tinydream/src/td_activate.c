// SPDX-License-Identifier: MIT
// td_activate.c - activations in place; their slopes, from what they gave, are td_gate in td_kernels.h.
#include "td_kernels.h"

#if TD_WITH_RELU6
static void relu6(float *x, uint32_t count)
{
    uint32_t k;
    for (k = 0; k < count; k++)
        x[k] = x[k] > 0.0f ? x[k] < 6.0f ? x[k] : 6.0f : 0.0f;
}
#endif

#if TD_WITH_LEAKY_RELU
static void leaky_relu(float *x, uint32_t count, float slope)
{
    uint32_t k;
    for (k = 0; k < count; k++)
        x[k] = x[k] > 0.0f ? x[k] : x[k] * slope;
}
#endif

#if TD_WITH_TANH
static void each_tanh(float *x, uint32_t count)
{
    uint32_t k;
    for (k = 0; k < count; k++)
        x[k] = td_tanh(x[k]);
}
#endif

#if TD_WITH_SIGMOID
static void each_sigmoid(float *x, uint32_t count)
{
    uint32_t k;
    for (k = 0; k < count; k++)
        x[k] = td_sigmoid(x[k]);
}
#endif

static void relu(float *x, uint32_t count)
{
    uint32_t k;
    for (k = 0; k < count; k++)
        x[k] = x[k] > 0.0f ? x[k] : 0.0f;
}

int td_activate(const td_layer_t *layer, float *x, uint32_t count)
{
    switch (layer->kind) {
    case TD_SOFTMAX:
#if TD_WITH_WINDOWS
    case TD_LINEAR:
#endif
        return 0;
    case TD_RELU:
        relu(x, count);
        return 0;
#if TD_WITH_RELU6
    case TD_RELU6:
        relu6(x, count);
        return 0;
#endif
#if TD_WITH_LEAKY_RELU
    case TD_LEAKY_RELU:
        leaky_relu(x, count, layer->limit);
        return 0;
#endif
#if TD_WITH_TANH
    case TD_TANH:
        each_tanh(x, count);
        return 0;
#endif
#if TD_WITH_SIGMOID
    case TD_SIGMOID:
        each_sigmoid(x, count);
        return 0;
#endif
    default:
        return TD_ENOKERNEL;
    }
}
