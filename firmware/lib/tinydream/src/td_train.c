// SPDX-License-Identifier: MIT
// td_train.c - the arena, the loop over batches, and the update of the weights.
#include "td_internal.h"

// ---- the arena ----

static uint32_t state_per_parameter(const td_plan_t *plan)
{
    if (plan->optimizer == TD_ADAM)
        return 2;
    return plan->momentum != 0.0f ? 1 : 0;
}

// numbers in a drawn row and all dense outputs of it
static uint32_t row_width(const td_plan_t *plan)
{
    uint32_t i, width = plan->rows.columns;
    for (i = 0; i < plan->layers_count; i++)
        if (plan->layers[i].kind == TD_DENSE)
            width += plan->layers[i].out;
    return width;
}

static int check(const td_plan_t *plan)
{
    int code;
    if (plan == NULL)
        return TD_EARG;
    if (plan->format != TD_FORMAT)
        return TD_EFORMAT;
    if (plan->batch == 0 || plan->slice == 0 || plan->slice > plan->batch)
        return TD_EPLAN;
    if ((code = td_inputs_check(&plan->inputs)) != 0 || (code = td_net_check(plan)) != 0)
        return code;
    if (plan->rows.columns != plan->inputs.outputs + plan->rows.targets)
        return TD_EPLAN;
    if (plan->outputs.count != plan->rows.targets || (plan->loss == TD_MSE) != (plan->rows.targets != 0))
        return TD_EPLAN;
    if (plan->optimizer != TD_SGD && plan->optimizer != TD_ADAM)
        return TD_EPLAN;
#if !TD_WITH_SGD
    if (plan->optimizer == TD_SGD)
        return TD_ENOKERNEL;
#endif
#if !TD_WITH_ADAM
    if (plan->optimizer == TD_ADAM)
        return TD_ENOKERNEL;
#endif
    return td_rows_check(&plan->rows, td_net_outputs(plan));
}

size_t td_train_arena_bytes(const td_plan_t *plan)
{
    if (check(plan) != 0)
        return 0;
    return 4 * ((2 + (size_t)state_per_parameter(plan)) * plan->parameters +
                (size_t)plan->slice * (2 + row_width(plan)));
}

static void draw_weights(const td_plan_t *plan, float *weights, uint32_t seed)
{
    uint32_t i, k, counter = 0, key = td_key(seed, TD_STREAM_WEIGHTS);
    for (i = 0; i < plan->layers_count; i++) {
        const td_layer_t *layer = &plan->layers[i];
        uint32_t size = (uint32_t)layer->out * layer->in;
        if (layer->kind != TD_DENSE)
            continue;
        for (k = 0; k < size + layer->out; k++, counter++) {
            int32_t draw = (int32_t)(td_hash(key + counter) >> 8) - 8388608;
            weights[counter] = k < size ? (float)draw * 1.1920929e-07f * layer->limit : 0.0f;
        }
    }
}

int td_train_init(td_train_t *train, const td_plan_t *plan, void *arena, size_t arena_bytes, uint32_t seed)
{
    int code = check(plan);
    float *at = arena;
    if (train == NULL || arena == NULL)
        return TD_EARG;
    if (code != 0)
        return code;
    if (arena_bytes < td_train_arena_bytes(plan) || ((uintptr_t)arena & 3u) != 0)
        return TD_EARENA;
    *train = (td_train_t){0};
    train->plan = plan;
    train->weights = at;
    train->gradients = at += plan->parameters;
    at += plan->parameters;
    train->state = state_per_parameter(plan) ? at : NULL;
    at += (size_t)state_per_parameter(plan) * plan->parameters;
    train->draws = (uint32_t *)(void *)at;
    train->activations = at + 2 * (size_t)plan->slice;
    draw_weights(plan, train->weights, seed);
    return 0;
}

// ---- the update: one parameter at a time, SPEC.md "Update" ----

#if TD_WITH_SGD
static void update_sgd(const td_train_t *train, float scale)
{
    float rate = train->knobs.rate, momentum = train->plan->momentum;
    float *w = train->weights, *v = train->state;
    const float *gradient = train->gradients;
    uint32_t i, count = train->plan->parameters;
    if (v == NULL) {
        for (i = 0; i < count; i++)
            w[i] = w[i] - rate * (gradient[i] * scale);
        return;
    }
    for (i = 0; i < count; i++) {
        v[i] = momentum * v[i] - rate * (gradient[i] * scale);
        w[i] = w[i] + v[i];
    }
}
#endif

#if TD_WITH_ADAM
static void update_adam(td_train_t *train, float scale)
{
    const td_plan_t *plan = train->plan;
    uint32_t i, count = plan->parameters;
    float *w = train->weights, *m = train->state, *v = m + count;
    float keep1 = 1.0f - plan->beta1, keep2 = 1.0f - plan->beta2, alpha;
    train->power1 *= plan->beta1;
    train->power2 *= plan->beta2;
    alpha = train->knobs.rate * td_sqrt(1.0f - train->power2) / (1.0f - train->power1);
    for (i = 0; i < count; i++) {
        float g = train->gradients[i] * scale;
        m[i] = m[i] + (g - m[i]) * keep1;
        v[i] = v[i] + (g * g - v[i]) * keep2;
        w[i] = w[i] - (m[i] * alpha) / (td_sqrt(v[i]) + plan->epsilon);
    }
}
#endif

static void update(td_train_t *train, uint32_t rows)
{
    float scale = 1.0f / (float)rows;
#if TD_WITH_ADAM
    if (train->plan->optimizer == TD_ADAM)
        update_adam(train, scale);
#endif
#if TD_WITH_SGD
    if (train->plan->optimizer == TD_SGD)
        update_sgd(train, scale);
#endif
}

// ---- the loop ----

int td_train_start(td_train_t *train, const td_knobs_t *knobs)
{
    uint32_t i, words;
    if (train == NULL || train->plan == NULL || knobs == NULL || knobs->epochs == 0)
        return TD_EARG;
    if (!(knobs->rate > 0.0f) || knobs->rate - knobs->rate != 0.0f)
        return TD_EARG;
    words = state_per_parameter(train->plan) * train->plan->parameters;
    for (i = 0; i < words; i++)
        train->state[i] = 0.0f;
    train->knobs = *knobs;
    if (knobs->epoch_rows == 0)
        train->knobs.epoch_rows = train->plan->rows.rows;
    train->pass = train->position = train->epoch = train->step = train->row = train->correct = 0;
    train->loss = 0.0f;
    train->power1 = train->power2 = 1.0f;
    td_rows_order(knobs->seed, 0, train->order);
    train->running = 1;
    return 0;
}

void td_train_stop(td_train_t *train)
{
    train->running = 0;
}

// the next n rows of the stream, into the slice's inputs
static void draw_slice(td_train_t *train, uint32_t n)
{
    const td_rows_t *rows = &train->plan->rows;
    uint32_t b, key = td_key(train->knobs.seed, TD_STREAM_DEVIATION);
    for (b = 0; b < n; b++) {
        train->draws[2 * b] = td_rows_pick(rows, train->order, train->position);
        train->draws[2 * b + 1] = td_hash(td_hash(key + train->pass) + train->position);
        if (++train->position == rows->rows) {
            train->position = 0;
            train->pass++;
            td_rows_order(train->knobs.seed, train->pass, train->order);
        }
    }
    td_rows_dream(rows, train->draws, n, train->activations);
}

static void train_slice(td_train_t *train, uint32_t n)
{
    const td_plan_t *plan = train->plan;
    uint32_t b, count = td_net_outputs(plan);
    float *outputs;
    draw_slice(train, n);
    outputs = td_net_forward(plan, train->weights, train->activations, n);
    for (b = 0; b < n; b++, outputs += count) {
        const float *row = train->activations + (size_t)b * plan->rows.columns;
        uint32_t label = td_rows_label(&plan->rows, train->draws[2 * b]);
        train->loss += plan->loss == TD_MSE
                           ? td_net_mse(outputs, row + plan->inputs.outputs, count)
                           : td_net_cross_entropy(outputs, count, label, &train->correct);
    }
    td_net_backward(plan, train->weights, train->gradients, train->activations, n);
}

static void end_epoch(td_train_t *train, td_metrics_t *metrics)
{
    train->epoch++;
    metrics->epoch = train->epoch;
    metrics->step = train->step;
    metrics->rows = train->row;
    metrics->correct = train->correct;
    metrics->loss = train->loss / (float)train->row;
    train->row = train->correct = 0;
    train->loss = 0.0f;
    if (train->epoch == train->knobs.epochs)
        train->running = 0;
}

int td_train_step(td_train_t *train, td_metrics_t *metrics)
{
    uint32_t i, left, batch;
    if (train == NULL || metrics == NULL)
        return TD_EARG;
    if (!train->running)
        return TD_ESTATE;
    left = train->knobs.epoch_rows - train->row;
    batch = left < train->plan->batch ? left : train->plan->batch;
    for (i = 0; i < train->plan->parameters; i++)
        train->gradients[i] = 0.0f;
    for (left = batch; left > 0;) {
        uint32_t n = left < train->plan->slice ? left : train->plan->slice;
        train_slice(train, n);
        left -= n;
    }
    if (train->loss - train->loss != 0.0f) { // infinite or no number: keep the weights as they were
        train->running = 0;
        return TD_ENUMERIC;
    }
    update(train, batch);
    train->step++;
    train->row += batch;
    if (train->row < train->knobs.epoch_rows)
        return 0;
    end_epoch(train, metrics);
    return 1;
}

// ---- prediction ----

int td_predict(td_train_t *train, const float *raw, float *out)
{
    const td_plan_t *plan;
    uint32_t k, count;
    float *outputs, sum;
    int best = 0;
    if (train == NULL || train->plan == NULL || raw == NULL)
        return TD_EARG;
    plan = train->plan;
    count = td_net_outputs(plan);
    td_inputs_apply(&plan->inputs, raw, train->activations);
    outputs = td_net_forward(plan, train->weights, train->activations, 1);
    if (plan->loss == TD_CROSS_ENTROPY) {
        best = (int)td_net_argmax(outputs, count);
        (void)td_net_softmax(outputs, count, &sum);
    }
    for (k = 0; out != NULL && k < count; k++)
        out[k] = plan->loss == TD_MSE ? outputs[k] * plan->outputs.scale[k] + plan->outputs.shift[k] : outputs[k];
    return best;
}
