// SPDX-License-Identifier: MIT
// td_loss.c - what the outputs of one row come to: loss and gradient in training, an answer in prediction.
// The arithmetic is SPEC.md's, "Losses".
#include "td_internal.h"

uint32_t td_loss_argmax(const float *values, uint32_t count)
{
    uint32_t k, best = 0;
    for (k = 1; k < count; k++)
        if (values[k] > values[best])
            best = k;
    return best;
}

// ---- classes: softmax and cross-entropy ----

#if TD_WITH_CROSS_ENTROPY
// Turns logits into probabilities; returns the sum of exp(logit - largest)
static TD_APART float softmax(float *z, uint32_t count, float largest)
{
    float sum = 0.0f, inverse;
    uint32_t k;
    for (k = 0; k < count; k++) {
        z[k] = td_exp(z[k] - largest);
        sum += z[k];
    }
    inverse = 1.0f / sum;
    for (k = 0; k < count; k++)
        z[k] *= inverse;
    return sum;
}

// A hard target is a label, a soft one a share a class, which add up to 1.
static float cross_entropy(float *z, uint32_t count, float largest, const float *target, uint32_t label)
{
    float mean = target ? 0.0f : z[label] - largest; // of logit - largest, as the target weighs them
    uint32_t k;
    for (k = 0; target && k < count; k++)
        mean += target[k] * (z[k] - largest);
    mean = td_log(softmax(z, count, largest)) - mean;
    for (k = 0; target && k < count; k++)
        z[k] -= target[k];
    if (!target)
        z[label] -= 1.0f;
    return mean;
}
#endif

// ---- two classes: one sigmoid and binary cross-entropy ----

#if TD_WITH_BCE
// Turns a logit into the probability of class 1; returns 1 + exp(-|logit|). No exponent is above 0.
static float sigmoid(float *z)
{
    float small = td_exp(*z > 0.0f ? -*z : *z), sum = 1.0f + small;
    *z = (*z > 0.0f ? 1.0f : small) / sum;
    return sum;
}

static float binary_cross_entropy(float *z, float target)
{
    float positive = *z > 0.0f ? *z : 0.0f, cross = *z * target, sum = sigmoid(z);
    *z -= target;
    return (positive - cross) + td_log(sum);
}
#endif

// ---- targets ----

#if TD_WITH_MSE
static float mean_squared_error(float *y, uint32_t count, const float *target)
{
    float sum = 0.0f, slope = 2.0f / (float)count;
    uint32_t k;
    for (k = 0; k < count; k++) {
        float error = y[k] - target[k];
        sum += error * error;
        y[k] = error * slope;
    }
    return sum / (float)count;
}
#endif

#if TD_WITH_HUBER
// with the error cut to -delta..delta, cut * (error - cut / 2) is the square inside and the line outside
static float huber(float *y, uint32_t count, const float *target, float delta)
{
    float sum = 0.0f, slope = 1.0f / (float)count;
    uint32_t k;
    for (k = 0; k < count; k++) {
        float error = y[k] - target[k];
        float cut = error > delta ? delta : error < -delta ? -delta : error;
        sum += cut * (error - 0.5f * cut);
        y[k] = cut * slope;
    }
    return sum / (float)count;
}
#endif

// ---- whichever the plan has ----

float td_loss(const td_plan_t *plan, float *outputs, const float *target, uint32_t label, uint32_t *correct)
{
    uint32_t count = td_net_outputs(plan), best = 0;
    if (plan->loss == TD_CROSS_ENTROPY)
        *correct += (best = td_loss_argmax(outputs, count)) == label;
    else if (plan->loss == TD_BCE)
        *correct += (outputs[0] > 0.0f) == label;
    switch (plan->loss) {
#if TD_WITH_CROSS_ENTROPY
    case TD_CROSS_ENTROPY:
        return cross_entropy(outputs, count, outputs[best], target, label);
#endif
#if TD_WITH_BCE
    case TD_BCE:
        return binary_cross_entropy(outputs, target ? target[1] : (float)label);
#endif
#if TD_WITH_MSE
    case TD_MSE:
        return mean_squared_error(outputs, count, target);
#endif
#if TD_WITH_HUBER
    case TD_HUBER:
        return huber(outputs, count, target, plan->delta);
#endif
    default:
        return 0.0f; // td_loss_check let no other number in
    }
}

int td_loss_answer(const td_plan_t *plan, float *outputs)
{
    uint32_t k, count = td_net_outputs(plan);
    int best = 0;
#if TD_WITH_CROSS_ENTROPY
    if (plan->loss == TD_CROSS_ENTROPY) {
        best = (int)td_loss_argmax(outputs, count);
        (void)softmax(outputs, count, outputs[best]);
        return best;
    }
#endif
#if TD_WITH_BCE
    if (plan->loss == TD_BCE) {
        best = outputs[0] > 0.0f;
        (void)sigmoid(outputs);
        return best;
    }
#endif
    for (k = 0; k < count; k++)
        outputs[k] = outputs[k] * plan->outputs.scale[k] + plan->outputs.shift[k];
    return best;
}

uint32_t td_loss_classes(const td_plan_t *plan)
{
    return plan->loss == TD_BCE ? 2 : td_net_outputs(plan);
}

// classes end in a softmax, two of them perhaps in one sigmoid, targets in a dense layer
int td_loss_check(const td_plan_t *plan)
{
    static const uint8_t ends[] = {0, TD_SOFTMAX, TD_DENSE, TD_SIGMOID, TD_DENSE};
    static const uint8_t built[] = {0, TD_WITH_CROSS_ENTROPY, TD_WITH_MSE, TD_WITH_BCE, TD_WITH_HUBER};
    const td_layer_t *last = &plan->layers[plan->layers_count - 1];
    int classes = plan->loss == TD_CROSS_ENTROPY || plan->loss == TD_BCE;
    if (plan->loss < TD_CROSS_ENTROPY || plan->loss > TD_HUBER || ends[plan->loss] != last->kind)
        return TD_EPLAN;
    if (classes != (plan->rows.targets == 0) || (plan->loss == TD_BCE && last->out != 1))
        return TD_EPLAN;
    if (plan->loss == TD_HUBER && !(plan->delta > 0.0f && plan->delta - plan->delta == 0.0f))
        return TD_EPLAN;
    return built[plan->loss] ? 0 : TD_ENOKERNEL;
}
