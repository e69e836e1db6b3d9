// SPDX-License-Identifier: MIT
// td_update.c - how weights move, one parameter at a time: SPEC.md, "Update".
#include "td_internal.h"

#if TD_WITH_SGD
// parameters first..first + count
static void move_sgd(td_train_t *train, uint32_t first, uint32_t count, float scale)
{
    float rate = train->rate, momentum = train->plan->momentum;
    float *w = train->weights + first, *v = train->state;
    const float *gradient = train->gradients + first;
    uint32_t i;
    if (v == NULL) {
        for (i = 0; i < count; i++)
            w[i] = w[i] - rate * (gradient[i] * scale);
        return;
    }
    v += first;
    for (i = 0; i < count; i++) {
        v[i] = momentum * v[i] - rate * (gradient[i] * scale);
        w[i] = w[i] + v[i];
    }
}
#endif

#if TD_WITH_ADAM
// the step's common factor; once a step
static float adam_alpha(td_train_t *train)
{
    train->power1 *= train->plan->beta1;
    train->power2 *= train->plan->beta2;
    return train->rate * td_sqrt(1.0f - train->power2) / (1.0f - train->power1);
}

static void move_adam(td_train_t *train, uint32_t first, uint32_t count, float scale, float alpha)
{
    const td_plan_t *plan = train->plan;
    const float *gradient = train->gradients + first;
    float *w = train->weights + first, *m = train->state + first, *v = m + plan->parameters;
    float keep1 = 1.0f - plan->beta1, keep2 = 1.0f - plan->beta2;
    uint32_t i;
    for (i = 0; i < count; i++) {
        float g = gradient[i] * scale;
        m[i] = m[i] + (g - m[i]) * keep1;
        v[i] = v[i] + (g * g - v[i]) * keep2;
        w[i] = w[i] - (m[i] * alpha) / (td_sqrt(v[i]) + plan->epsilon);
    }
}
#endif

// decoupled weight decay, as in Keras: from what the weights were before the step, and at most all of them
static void shrink(td_train_t *train, uint32_t first, uint32_t count)
{
    float share = train->rate * train->plan->decay, *w = train->weights + first;
    uint32_t i;
    share = share < 1.0f ? share : 1.0f;
    for (i = 0; i < count; i++)
        w[i] = w[i] - w[i] * share;
}

void td_update(td_train_t *train, float scale)
{
    if (train->plan->decay != 0.0f)
        shrink(train, 0, train->plan->parameters);
#if TD_WITH_ADAM
    if (train->plan->optimizer == TD_ADAM)
        move_adam(train, 0, train->plan->parameters, scale, adam_alpha(train));
#endif
#if TD_WITH_SGD
    if (train->plan->optimizer == TD_SGD)
        move_sgd(train, 0, train->plan->parameters, scale);
#endif
}
