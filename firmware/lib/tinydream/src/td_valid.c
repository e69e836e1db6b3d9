// SPDX-License-Identifier: MIT
// td_valid.c - validation rows in flash: how good an epoch was, when to stop, and which weights to keep.
#include "td_internal.h"

#if TD_WITH_VALIDATION
// Validation rows are stored like the others, on the same grid; but a label is hard, and nothing is dreamt.
static td_rows_t valid_rows(const td_plan_t *plan)
{
    td_rows_t rows = plan->rows;
    uint32_t bits = rows.label_bits;
    if (rows.soft_bits != 0)
        for (bits = 0; bits < 16 && (rows.classes - 1u) >> bits != 0; bits++)
            ;
    rows.row_bits -= rows.label_bits + (uint32_t)rows.soft_bits * rows.classes + rows.spread_bits;
    rows.row_bits += bits;
    rows.label_bits = (uint8_t)bits;
    rows.count = rows.rows = plan->valid_count;
    rows.classes = 0;
    rows.soft_bits = rows.spread = rows.spread_bits = rows.rank = rows.axes_count = 0;
    rows.sigma = NULL;
    rows.bits = plan->valid;
    return rows;
}

uint32_t td_valid_row_bits(const td_plan_t *plan)
{
    return valid_rows(plan).row_bits;
}

int td_valid_check(const td_plan_t *plan)
{
    td_rows_t rows;
    uint32_t i;
    if (plan->valid_count == 0)
        return plan->keep_best ? TD_EPLAN : 0;
    if (!TD_WITH_VALIDATION)
        return TD_ENOKERNEL;
    rows = valid_rows(plan);
    if (plan->keep_best > 1 || plan->valid == NULL || (uint64_t)rows.count * rows.row_bits > 0xffffffffu)
        return TD_EPLAN;
    for (i = 0; i < rows.count; i++)
        if (td_rows_label(&rows, i) >= td_loss_classes(plan))
            return TD_EPLAN;
    return 0;
}

static void judge_slice(td_train_t *train, const td_rows_t *rows, uint32_t n)
{
    const td_plan_t *plan = train->plan;
    float *outputs, *row = train->activations;
    uint32_t b;
    for (b = 0; b < n; b++) {
        td_draws(train)[2 * b] = train->valid_row + b;
        td_draws(train)[2 * b + 1] = 0;
    }
    td_rows_dream(rows, td_draws(train), n, row);
    outputs = td_net_forward(plan, train->weights, train->activations, n);
    for (b = 0; b < n; b++, row += rows->columns, outputs += td_net_outputs(plan)) {
        const float *target = rows->targets ? row + plan->inputs.outputs : NULL;
        uint32_t label = td_rows_label(rows, train->valid_row + b);
        train->valid_loss += td_loss(plan, outputs, target, label, &train->valid_correct);
    }
    train->valid_row += n;
}

int td_valid_step(td_train_t *train)
{
    td_rows_t rows = valid_rows(train->plan);
    uint32_t left = rows.count - train->valid_row;
    if (train->valid_row == 0) {
        train->valid_correct = 0;
        train->valid_loss = 0.0f;
    }
    left = left < train->plan->batch ? left : train->plan->batch;
    while (left > 0) {
        uint32_t n = left < train->plan->slice ? left : train->plan->slice;
        judge_slice(train, &rows, n);
        left -= n;
    }
    return train->valid_row == rows.count;
}

// the parameters that training moves, to the copy of the best or back
static void copy_best(td_train_t *train, int back)
{
    float *best = train->best, *w = train->weights;
    uint32_t i, k;
    for (i = 0; i < train->plan->layers_count; i++) {
        uint32_t skip, count = td_net_moving(train->plan, i, &skip);
        for (w += skip, k = 0; k < count; k++, w++, best++)
            if (back)
                *w = *best;
            else
                *best = *w;
    }
}

int td_valid_judge(td_train_t *train, td_metrics_t *metrics)
{
    float loss = train->valid_loss / (float)train->plan->valid_count;
    metrics->valid_rows = train->plan->valid_count;
    metrics->valid_correct = train->valid_correct;
    metrics->valid_loss = loss;
    train->valid_row = 0;
    if (train->best_epoch == 0 ? loss - loss == 0.0f : loss < train->best_loss) {
        train->best_epoch = train->epoch;
        train->best_loss = loss;
        if (train->best != NULL)
            copy_best(train, 0);
    }
    metrics->best = train->best_epoch;
    return train->knobs.patience != 0 && train->epoch - train->best_epoch >= train->knobs.patience;
}

int td_evaluate(td_train_t *train, td_metrics_t *metrics)
{
    static const td_metrics_t nothing;
    if (train == NULL || metrics == NULL || train->plan->valid_count == 0)
        return TD_EARG;
    if (train->running)
        return TD_EBUSY;
    if (td_valid_step(train) == 0)
        return 0;
    *metrics = nothing;
    metrics->valid_rows = train->plan->valid_count;
    metrics->valid_correct = train->valid_correct;
    metrics->valid_loss = train->valid_loss / (float)train->plan->valid_count;
    train->valid_row = 0;
    return 1;
}

void td_valid_restore(td_train_t *train)
{
    if (train->best != NULL && train->best_epoch != 0)
        copy_best(train, 1);
}
#else
int td_valid_check(const td_plan_t *plan)
{
    if (plan->valid_count == 0)
        return plan->keep_best ? TD_EPLAN : 0;
    return TD_ENOKERNEL;
}

int td_evaluate(td_train_t *train, td_metrics_t *metrics)
{
    return train == NULL || metrics == NULL || train->plan->valid_count == 0 ? TD_EARG : TD_ENOKERNEL;
}
#endif
