// SPDX-License-Identifier: MIT
// td_update.c - how weights move, one parameter at a time: SPEC.md, "Update".
//
// What has been used of a gradient is set to 0, so that the next batch can add to it: a pass of its own
// would cost more.
#include "td_internal.h"
#include "td_kernels.h"
#include "td_loops.h"

static inline uint32_t bits(float value)
{
    td_float_t number;
    number.f = value;
    return number.u;
}

// A step from tame numbers cannot make a finite weight infinite, or no number. One is wild when the highest bit of
// its exponent is set and one of the two below it: 2^33 or more, infinite, or no number.
static int some_are_wild(const float *values, uint32_t count)
{
    uint32_t i, seen = 0;
    for (i = 0; i < count; i++) {
        uint32_t u = bits(values[i]);
        seen |= u & (u << 1 | u << 2);
    }
    return (seen >> 30) & 1;
}

// Eight numbers below 2 have no bit 30 among them, which is quick to see.
int td_update_is_wild(const float *values, uint32_t count)
{
    for (; count >= 8; count -= 8, values += 8) {
        uint32_t any = bits(values[0]) | bits(values[1]) | bits(values[2]) | bits(values[3]);
        any |= bits(values[4]) | bits(values[5]) | bits(values[6]) | bits(values[7]);
        if ((any & 0x40000000u) && some_are_wild(values, 8))
            return 1;
    }
    return some_are_wild(values, count);
}

uint32_t td_update_gradients(const td_plan_t *plan)
{
    if (plan->clip != 0.0f || plan->decay != 0.0f)
        return 1;
    if (TD_WITH_WINDOWS && plan->windows != NULL) // a weight's gradient is a sum over windows
        return 1;
    return plan->optimizer != TD_SGD || plan->momentum != 0.0f || plan->batch != 1;
}

uint32_t td_update_state(const td_plan_t *plan)
{
    if (plan->optimizer == TD_ADAM)
        return 2;
    return plan->momentum != 0.0f ? 1 : 0;
}

int td_update_check(const td_plan_t *plan)
{
    if (plan->optimizer != TD_SGD && plan->optimizer != TD_ADAM)
        return TD_EPLAN;
    if (!TD_WITH_SGD && plan->optimizer == TD_SGD)
        return TD_ENOKERNEL;
    if (!TD_WITH_ADAM && plan->optimizer == TD_ADAM)
        return TD_ENOKERNEL;
    if ((!TD_WITH_CLIP && plan->clip != 0.0f) || (!TD_WITH_DECAY && plan->decay != 0.0f))
        return TD_ENOKERNEL;
    if (!TD_WITH_MOMENTUM && plan->optimizer == TD_SGD && plan->momentum != 0.0f)
        return TD_ENOKERNEL;
    if (!TD_WITH_GRADIENTS && td_update_gradients(plan))
        return TD_ENOKERNEL;
    if (!TD_WITH_DESCENT && !td_update_gradients(plan))
        return TD_ENOKERNEL;
    return 0;
}

#if TD_WITH_SGD && TD_WITH_MOMENTUM && TD_WITH_GRADIENTS
static void move_momentum(float *w, float *gradient, float *v, uint32_t count, float scale, float rate,
                          float momentum)
{
    uint32_t i;
    for (i = 0; i < count; i++) {
        v[i] = momentum * v[i] - rate * (gradient[i] * scale);
        w[i] = w[i] + v[i];
        gradient[i] = 0.0f;
    }
}
#endif

#if TD_WITH_ADAM && TD_WITH_GRADIENTS
// the step's common factor; once a step
static float adam_alpha(td_train_t *train)
{
    train->power1 *= train->plan->beta1;
    train->power2 *= train->plan->beta2;
    return train->rate * td_sqrt(1.0f - train->power2) / (1.0f - train->power1);
}

static void move_adam(const td_plan_t *plan, float *w, float *gradient, float *m, float *v, uint32_t count,
                      float scale, float alpha)
{
    float keep1 = 1.0f - plan->beta1, keep2 = 1.0f - plan->beta2, epsilon = plan->epsilon;
    uint32_t i;
    for (i = 0; i < count; i++) {
        float g = gradient[i] * scale;
        m[i] = m[i] + (g - m[i]) * keep1;
        v[i] = v[i] + (g * g - v[i]) * keep2;
        w[i] = w[i] - (m[i] * alpha) / (td_root(v[i]) + epsilon);
        gradient[i] = 0.0f;
    }
}
#endif

#if TD_WITH_GRADIENTS && TD_WITH_DECAY
// decoupled weight decay, as in Keras: from what the weights were before the step, and at most all of them
static void shrink(float *w, uint32_t count, float share)
{
    uint32_t i;
    share = share < 1.0f ? share : 1.0f;
    for (i = 0; i < count; i++)
        w[i] = w[i] - w[i] * share;
}
#endif

#if TD_WITH_GRADIENTS
// parameters that lie one after the other
static void move(const td_train_t *train, float *w, uint32_t at, uint32_t count, float scale, float alpha)
{
    const td_plan_t *plan = train->plan;
    float *gradient = td_gradients(train) + at;
#if TD_WITH_MOMENTUM || TD_WITH_ADAM
    float *state = train->state + (train->state ? at : 0);
#endif
#if TD_WITH_DECAY
    if (plan->decay != 0.0f)
        shrink(w, count, train->rate * plan->decay);
#endif
#if TD_WITH_ADAM
    if (plan->optimizer == TD_ADAM)
        move_adam(plan, w, gradient, state, state + td_net_moving_all(plan), count, scale, alpha);
#endif
#if TD_WITH_SGD
    if (plan->optimizer == TD_SGD && plan->momentum == 0.0f)
        loop_move(w, gradient, scale, train->rate, count);
#endif
#if TD_WITH_SGD && TD_WITH_MOMENTUM
    if (plan->optimizer == TD_SGD && plan->momentum != 0.0f)
        move_momentum(w, gradient, state, count, scale, train->rate, plan->momentum);
#endif
    (void)alpha; // of Adam only
}
#endif

void td_update(td_train_t *train, uint32_t rows)
{
#if TD_WITH_GRADIENTS
    const td_plan_t *plan = train->plan;
    float *w = train->weights, scale = td_train_scale(train, rows), alpha = 0.0f;
    uint32_t i, skip, count, still, at = 0;
#if TD_WITH_ADAM
    if (plan->optimizer == TD_ADAM)
        alpha = adam_alpha(train);
#endif
    for (i = 0; i < plan->layers_count; i++) {
        count = td_net_moving(plan, i, &skip);
        still = td_net_statistics(plan, i);
#if TD_WITH_BATCH_NORM
        if (still > 0)
            td_norm_follow(&plan->layers[i], &plan->windows[i / 2], w, td_gradients(train) + at, rows);
#endif
        if (count > 0)
            move(train, w + skip + still, at + still, count - still, scale, alpha);
        w += skip + count;
        at += count;
    }
    td_late_move(train, scale);
#else
    (void)train;
    (void)rows;
#endif
}
