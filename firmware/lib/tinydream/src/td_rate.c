// SPDX-License-Identifier: MIT
// td_rate.c - the learning rate over the epochs of a run: SPEC.md, "Schedules".
#include "td_internal.h"

// (1 + cos(pi * u)) / 2 for u in 0..1, from an odd polynomial around u = 1/2
static float half_wave(float u)
{
    float v = u - 0.5f, w = v * v, p;
    p = -0.00700041791f;
    p = p * w + 0.0820311755f;
    p = p * w - 0.599247396f;
    p = p * w + 2.55016279f;
    p = p * w - 5.16771269f;
    p = p * w + 3.14159274f;
    return 0.5f - 0.5f * (v * p);
}

float td_rate(const td_knobs_t *knobs, uint32_t epoch, float before)
{
    if (epoch == 0)
        return knobs->rate;
    if (knobs->schedule == TD_STEP)
        return epoch % knobs->every == 0 ? before * knobs->factor : before;
    if (knobs->schedule == TD_COSINE) {
        float share = half_wave((float)epoch / (float)knobs->epochs);
        return knobs->rate * (knobs->factor + (1.0f - knobs->factor) * share);
    }
    return before;
}

int td_rate_check(const td_knobs_t *knobs)
{
    if (!(knobs->rate > 0.0f && knobs->rate <= 1e6f))
        return TD_EARG;
    if (knobs->schedule > TD_COSINE || (knobs->schedule == TD_STEP && knobs->every == 0))
        return TD_EARG;
    if (!(knobs->factor >= 0.0f && knobs->factor <= 1.0f))
        return TD_EARG;
    return 0;
}
