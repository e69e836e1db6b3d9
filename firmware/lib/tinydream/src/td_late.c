// SPDX-License-Identifier: MIT
// td_late.c - a last dense layer without gradients in memory: its inputs and its outputs' gradients are kept, of each
// row of a batch, and each sum over the rows is made when its weight moves. The same bits, and less RAM where a batch
// has fewer rows than the layer outputs. Plain SGD only.
//
// Behind the gradients lie a count, then so many rows: inputs (in), gradients of the outputs (out).
#include "td_internal.h"
#include "td_kernels.h"

#if TD_WITH_LATE
#include "td_conv_loops.h"

static const td_layer_t *late_layer(const td_plan_t *plan)
{
    const td_layer_t *last = &plan->layers[td_net_last(plan)];
    return last->train == TD_TRAIN_LATE ? last : NULL;
}

static uint32_t *count_of(const td_train_t *train)
{
    return (uint32_t *)(void *)(td_gradients(train) + td_net_moving_all(train->plan));
}

static float *rows_of(const td_train_t *train)
{
    return (float *)(void *)(count_of(train) + 1);
}

size_t td_late_numbers(const td_plan_t *plan)
{
    const td_layer_t *layer = late_layer(plan);
    return layer ? 1 + (size_t)plan->batch * ((size_t)layer->in + layer->out) : 0;
}

int td_late_check(const td_plan_t *plan)
{
    int plain = plan->optimizer == TD_SGD && plan->momentum == 0.0f && plan->clip == 0.0f && plan->decay == 0.0f;
    if (late_layer(plan) != NULL && (late_layer(plan)->kind != TD_DENSE || !plain || plan->batch == 1 || plan->keep_best))
        return TD_EPLAN;
    return 0;
}

void td_late_keep(const td_train_t *train, const td_shape_t *shape, const float *x, const float *dy)
{
    uint32_t b, k, width = (uint32_t)shape->in + shape->out, *count = count_of(train);
    float *at = rows_of(train) + (size_t)*count * width;
    for (b = 0; b < shape->rows; b++, x += shape->step, dy += shape->out) {
        for (k = 0; k < shape->in; k++)
            *at++ = x[k];
        for (k = 0; k < shape->out; k++)
            *at++ = dy[k];
    }
    *count += shape->rows;
}

// what was kept of a batch
typedef struct {
    const float *rows;
    uint32_t count, width, in;
} kept_t;

static kept_t kept(const td_train_t *train, const td_layer_t *layer)
{
    kept_t kept = {rows_of(train), *count_of(train), (uint32_t)layer->in + layer->out, layer->in};
    return kept;
}

// the gradients of up to eight weights of output o from input j on; returns how many
static uint32_t sums(const kept_t *kept, uint32_t o, uint32_t j, float *sum)
{
    uint32_t b, k, n = kept->in - j < 8 ? kept->in - j : 8;
    const float *x = kept->rows + j, *d = kept->rows + kept->in + o;
    loop_field_t field = {1, kept->count, kept->width, kept->width, 0, 0};
    sum[0] = sum[1] = sum[2] = sum[3] = sum[4] = sum[5] = sum[6] = sum[7] = 0.0f;
    if (n == 8)
        loop_field8(&field, sum, x, d);
    for (b = 0; n < 8 && b < kept->count; b++, x += kept->width, d += kept->width)
        for (k = 0; k < n; k++)
            sum[k] += loop_some(*d) ? *d * x[k] : 0.0f;
    return n;
}

static float bias_sum(const kept_t *kept, uint32_t o)
{
    uint32_t b;
    const float *d = kept->rows + kept->in + o;
    float sum = 0.0f;
    for (b = 0; b < kept->count; b++, d += kept->width)
        sum += *d;
    return sum;
}

// the largest of n numbers in size
static float largest(const float *values, uint32_t n, float most)
{
    for (; n > 0; n--, values++) {
        float size = *values < 0.0f ? -*values : *values;
        most = size <= most ? most : size; // what is no number stays
    }
    return most;
}

// whether all sums must stay far below 2^33
static int are_small(const kept_t *kept)
{
    uint32_t b;
    float x = 1.0f, d = 0.0f;
    for (b = 0; b < kept->count; b++) {
        const float *row = kept->rows + (size_t)b * kept->width;
        x = largest(row, kept->in, x);
        d = largest(row + kept->in, kept->width - kept->in, d);
    }
    return x * d * (float)kept->count < 4294967296.0f;
}

int td_late_is_wild(const td_train_t *train)
{
    const td_layer_t *layer = late_layer(train->plan);
    kept_t all;
    uint32_t o, j;
    float sum[8];
    if (layer == NULL || (all = kept(train, layer), are_small(&all)))
        return 0;
    for (o = 0; o < layer->out; o++) {
        sum[0] = bias_sum(&all, o);
        if (td_update_is_wild(sum, 1))
            return 1;
        for (j = 0; j < layer->in; j += 8)
            if (td_update_is_wild(sum, sums(&all, o, j, sum)))
                return 1;
    }
    return 0;
}

void td_late_move(td_train_t *train, float scale)
{
    const td_layer_t *layer = late_layer(train->plan);
    uint32_t o, j, k, n;
    float *w = train->weights + train->plan->parameters, sum[8], rate = train->rate;
    kept_t all;
    if (layer == NULL)
        return;
    all = kept(train, layer);
    for (o = 0, w -= layer->out; o < layer->out; o++)
        w[o] -= rate * (bias_sum(&all, o) * scale);
    for (o = 0, w -= (size_t)layer->out * layer->in; o < layer->out; o++)
        for (j = 0; j < layer->in; j += n)
            for (n = sums(&all, o, j, sum), k = 0; k < n; k++)
                *w++ -= rate * (sum[k] * scale);
    *count_of(train) = 0;
}

uint32_t td_late_most(const td_plan_t *plan)
{
    return late_layer(plan) != NULL ? plan->batch - 1u : 0xffffu;
}

void td_late_forget(td_train_t *train)
{
    if (late_layer(train->plan) != NULL)
        *count_of(train) = 0;
}
#endif
