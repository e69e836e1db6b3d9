// SPDX-License-Identifier: MIT
// td_train.c - the arena and the loop over batches.
#include "td_internal.h"

// ---- the arena ----

// a soft target, unpacked; hard ones and those of a regression need no place
static uint32_t target_numbers(const td_plan_t *plan)
{
    return TD_WITH_SOFT && plan->rows.soft_bits ? plan->rows.classes : 0;
}

// numbers kept for each parameter that moves, besides itself
static uint32_t per_moving(const td_plan_t *plan)
{
    return td_update_gradients(plan) + td_update_state(plan) + (TD_WITH_VALIDATION ? plan->keep_best : 0u);
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
    if (plan->outputs.count != plan->rows.targets)
        return TD_EPLAN;
    if ((code = td_loss_check(plan)) != 0)
        return code;
    if (!(plan->clip >= 0.0f && plan->clip <= 3e38f && plan->decay >= 0.0f && plan->decay <= 1.0f))
        return TD_EPLAN;
    if ((code = td_update_check(plan)) != 0 || (code = td_late_check(plan)) != 0)
        return code;
    if ((code = td_rows_check(&plan->rows, td_loss_classes(plan))) != 0)
        return code;
    return td_valid_check(plan);
}

static size_t arena_bytes_of(const td_plan_t *plan)
{
    return 4 * (plan->parameters + (size_t)per_moving(plan) * td_net_moving_all(plan) + 2 * (size_t)plan->slice + td_net_activations(plan) + target_numbers(plan) + td_late_numbers(plan));
}

size_t td_train_arena_bytes(const td_plan_t *plan)
{
    return check(plan) == 0 ? arena_bytes_of(plan) : 0;
}

static void draw_weights(const td_plan_t *plan, float *weights, uint32_t seed)
{
    uint32_t i, k, counter = 0, key = td_key(seed, TD_STREAM_WEIGHTS);
    for (i = 0; i < plan->layers_count; i += 2) {
        const td_layer_t *layer = &plan->layers[i];
        uint32_t biases, all = td_net_parameters(plan, i, &biases);
        for (k = 0; k < all; k++, counter++) {
            int32_t draw = (int32_t)(td_hash(key + counter) >> 8) - 8388608;
            weights[counter] = k < all - biases ? (float)draw * 1.1920929e-07f * layer->limit : 0.0f;
#if TD_WITH_BATCH_NORM
            if (layer->kind == TD_BATCH_NORM) // a mean of 0, a variance and a scale of 1
                weights[counter] = k >= biases && k < all - biases ? 1.0f : 0.0f;
#endif
        }
    }
}

static TD_APART void lay_out(td_train_t *train, const td_plan_t *plan, float *at, uint32_t seed)
{
    uint32_t moving = td_net_moving_all(plan);
    *train = (td_train_t){0};
    train->plan = plan;
    train->weights = at;
    at += plan->parameters;
    at += (size_t)td_update_gradients(plan) * moving + td_late_numbers(plan);
#if TD_WITH_MOMENTUM || TD_WITH_ADAM
    train->state = td_update_state(plan) ? at : NULL;
#endif
    at += (size_t)td_update_state(plan) * moving;
#if TD_WITH_VALIDATION
    train->best = plan->keep_best ? at : NULL;
    at += (size_t)plan->keep_best * moving;
#endif
#if TD_WITH_SOFT
    train->target = at;
    at += target_numbers(plan);
#endif
    train->activations = at + 2 * (size_t)plan->slice;
    draw_weights(plan, train->weights, seed);
}

int td_train_init(td_train_t *train, const td_plan_t *plan, void *arena, size_t arena_bytes, uint32_t seed)
{
    int code = check(plan);
    if (train == NULL || arena == NULL)
        return TD_EARG;
    if (code != 0)
        return code;
    if (arena_bytes < arena_bytes_of(plan) || ((uintptr_t)arena & 3u) != 0)
        return TD_EARENA;
    lay_out(train, plan, arena, seed);
    return 0;
}

// ---- the loop ----

int td_train_start(td_train_t *train, const td_knobs_t *knobs)
{
    float *at;
    if (train == NULL || train->plan == NULL || knobs == NULL || knobs->epochs == 0 || td_rate_check(knobs) != 0)
        return TD_EARG;
    if (knobs->patience != 0 && train->plan->valid_count == 0)
        return TD_EARG;
    // gradients and state lie between the weights and the draws
    for (at = train->weights + train->plan->parameters; at < (float *)(void *)td_draws(train); at++)
        *at = 0.0f;
    train->knobs = *knobs;
    if (knobs->epoch_rows == 0)
        train->knobs.epoch_rows = train->plan->rows.rows;
#if TD_WITH_VALIDATION
    train->valid_row = train->best_epoch = 0;
#endif
    train->pass = train->position = train->epoch = train->step = train->row = train->correct = 0;
    train->loss = 0.0f;
    train->rate = td_rate(knobs, 0, 0.0f);
#if TD_WITH_ADAM
    train->power1 = train->power2 = 1.0f;
#endif
    td_rows_order(knobs->seed, 0, train->order);
    train->running = 1;
    return 0;
}

void td_train_stop(td_train_t *train)
{
#if TD_WITH_VALIDATION
    if (train->running)
        td_valid_restore(train);
    train->valid_row = 0;
#endif
    train->running = 0;
}

// the next n rows of the stream, into the slice's inputs
static TD_APART void draw_slice(td_train_t *train, uint32_t n)
{
    const td_rows_t *rows = &train->plan->rows;
    uint32_t b, key = td_key(train->knobs.seed, TD_STREAM_DEVIATION), *draws = td_draws(train);
    for (b = 0; b < n; b++) {
        draws[2 * b] = td_rows_pick(rows, train->order, train->position);
        draws[2 * b + 1] = td_hash(td_hash(key + train->pass) + train->position);
        if (++train->position == rows->rows) {
            train->position = 0;
            train->pass++;
            td_rows_order(train->knobs.seed, train->pass, train->order);
        }
    }
    td_rows_dream(rows, draws, n, train->activations);
}

// what the outputs of row b of the slice should be; NULL for a label
static const float *target_of(td_train_t *train, uint32_t b)
{
    const td_plan_t *plan = train->plan;
    if (plan->rows.targets)
        return train->activations + (size_t)b * plan->rows.columns + plan->inputs.outputs;
#if TD_WITH_SOFT
    if (plan->rows.soft_bits != 0) {
        td_rows_target(&plan->rows, td_draws(train)[2 * b], train->target);
        return train->target;
    }
#endif
    return NULL;
}

// The losses of n rows, whose outputs become their gradients
static TD_APART int judge_slice(td_train_t *train, float *outputs, uint32_t n)
{
    const td_plan_t *plan = train->plan;
    uint32_t b;
    for (b = 0; b < n; b++, outputs += td_net_outputs(plan)) {
        uint32_t label = td_rows_label(&plan->rows, td_draws(train)[2 * b]);
        train->loss += td_loss(plan, outputs, target_of(train, b), label, &train->correct);
    }
    return train->loss - train->loss != 0.0f ? TD_ENUMERIC : 0; // infinite, or no number
}

int td_train_slice(td_train_t *train, uint32_t n)
{
    uint32_t i;
    int code;
    draw_slice(train, n);
    code = judge_slice(train, td_net_forward(train->plan, train->weights, train->activations, n), n);
    for (i = td_net_last(train->plan); code == 0; i -= 2)
        code = td_net_backward(train, i, n);
    return code < 0 ? code : 0;
}

// what a gradient is multiplied with: 1 / rows, and less where all of it is longer than the plan's clip
TD_APART float td_train_scale(const td_train_t *train, uint32_t rows)
{
    float scale = 1.0f / (float)rows, clip = train->plan->clip, sum = 0.0f, norm, *gradient = td_gradients(train);
    uint32_t i, k, skip;
    if (!TD_WITH_CLIP || clip == 0.0f)
        return scale;
    for (i = 0; i < train->plan->layers_count; i++) {
        uint32_t count = td_net_moving(train->plan, i, &skip);
        for (k = td_net_statistics(train->plan, i); k < count; k++)
            sum += (gradient[k] * scale) * (gradient[k] * scale);
        gradient += count;
    }
    norm = td_sqrt(sum);
    return norm > clip ? scale * (clip / norm) : scale;
}

static TD_APART void end_epoch(td_train_t *train, td_metrics_t *metrics)
{
    int last = ++train->epoch == train->knobs.epochs;
    metrics->epoch = train->epoch;
    metrics->step = train->step;
    metrics->rows = train->row;
    metrics->correct = train->correct;
    metrics->loss = train->loss / (float)train->row;
    train->row = train->correct = 0;
    train->loss = 0.0f;
    metrics->valid_rows = metrics->valid_correct = metrics->best = 0;
    metrics->valid_loss = 0.0f;
#if TD_WITH_VALIDATION
    if (train->plan->valid_count != 0)
        last |= td_valid_judge(train, metrics);
#endif
    if (last)
        td_train_stop(train);
    else
        train->rate = td_rate(&train->knobs, train->epoch, train->rate);
}

// The rows of a batch, and the weights' step. After an error the weights are as they were, where there are gradients.
static int train_batch(td_train_t *train, uint32_t batch)
{
    uint32_t left = batch;
    int code = 0;
    while (left > 0 && code == 0) {
        uint32_t n = left < train->plan->slice ? left : train->plan->slice;
        code = td_train_slice(train, n);
        left -= n;
    }
    if (code != 0 || td_gradients(train) == NULL)
        return code;
    if (td_update_is_wild(td_gradients(train), td_net_moving_all(train->plan)) || td_late_is_wild(train))
        return TD_ENUMERIC;
    td_update(train, batch);
    return 0;
}

int td_train_step(td_train_t *train, td_metrics_t *metrics)
{
    uint32_t left, batch;
    int code;
    if (train == NULL || metrics == NULL)
        return TD_EARG;
    if (!train->running)
        return TD_ESTATE;
    left = train->knobs.epoch_rows - train->row;
    batch = left < train->plan->batch ? left : train->plan->batch;
    if (batch > 0) {
        if ((code = train_batch(train, batch)) != 0) {
            td_train_stop(train);
            return code;
        }
        train->step++;
        train->row += batch;
        if (train->row < train->knobs.epoch_rows || (TD_WITH_VALIDATION && train->plan->valid_count > 0))
            return 0;
    }
#if TD_WITH_VALIDATION
    else if (td_valid_step(train) == 0) {
        return 0;
    }
#endif
    end_epoch(train, metrics);
    return 1;
}

// ---- prediction ----

int td_infer(const td_plan_t *plan, const float *weights, void *memory, const float *raw, float *out)
{
    float *activations = (float *)memory + 2 * (size_t)plan->slice, *outputs;
    uint32_t k;
    int best;
    ((uint32_t *)memory)[1] = 0; // the key of a row that was not drawn: dropout keeps all of it
    td_inputs_apply(&plan->inputs, raw, activations);
    outputs = td_net_forward(plan, weights, activations, 1);
    best = td_loss_answer(plan, outputs);
    for (k = 0; out != NULL && k < td_net_outputs(plan); k++)
        out[k] = outputs[k];
    return best;
}

int td_predict(td_train_t *train, const float *raw, float *out)
{
    if (train == NULL || train->plan == NULL || raw == NULL)
        return TD_EARG;
    return td_infer(train->plan, train->weights, td_draws(train), raw, out);
}
