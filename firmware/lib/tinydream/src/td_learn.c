// SPDX-License-Identifier: MIT
// td_learn.c - rows that somebody has: taken number by number, predicted, judged, or learnt among drawn ones.
#include "td_internal.h"

uint32_t td_row_numbers(const td_plan_t *plan)
{
    return plan->inputs.raw_columns + (plan->rows.targets ? plan->rows.targets : 1u);
}

// a class, or a target in the network's units behind the row's inputs
static int put_target(td_train_t *train, td_row_t *row, float value)
{
    const td_plan_t *plan = train->plan;
    uint32_t k = row->taken - plan->inputs.raw_columns;
    if (plan->rows.targets == 0) {
        if (!(value >= 0.0f && value < (float)td_loss_classes(plan)) || value != (float)(uint32_t)value)
            return TD_EARG;
        row->label = (uint32_t)value;
    } else {
        value = (value - plan->outputs.shift[k]) / plan->outputs.scale[k];
        if (value - value != 0.0f)
            return TD_EARG;
        train->activations[plan->inputs.outputs + k] = value;
    }
    row->taken++;
    return 0;
}

int td_row_put(td_train_t *train, td_row_t *row, float value)
{
    if (train == NULL || train->plan == NULL || row == NULL || row->taken >= td_row_numbers(train->plan))
        return TD_EARG;
    if (row->taken >= train->plan->inputs.raw_columns)
        return put_target(train, row, value);
    td_inputs_take(&train->plan->inputs, row, value, train->activations);
    return 0;
}

int td_row_predict(td_train_t *train, const td_row_t *row, const float **out)
{
    float *outputs;
    if (train == NULL || row == NULL || row->taken < train->plan->inputs.raw_columns)
        return TD_EARG;
    outputs = td_net_answer(train);
    if (out != NULL)
        *out = outputs;
    return td_loss_answer(train->plan, outputs);
}

#if TD_WITH_LEARN
int td_row_judge(td_train_t *train, const td_row_t *row, float *loss)
{
    const td_plan_t *plan;
    float *outputs;
    uint32_t correct = 0;
    if (train == NULL || row == NULL || loss == NULL || row->taken != td_row_numbers(train->plan))
        return TD_EARG;
    plan = train->plan;
    outputs = td_net_answer(train);
    *loss = td_loss(plan, outputs, plan->rows.targets ? train->activations + plan->inputs.outputs : NULL, row->label, &correct);
    return (int)correct;
}

// The batch's rows: the one that was judged, whose gradients lie ready, and so many of the stream.
static int pass(td_train_t *train, uint32_t drawn)
{
    uint32_t i, n;
    int code = 0;
    for (i = td_net_last(train->plan); code == 0; i -= 2)
        code = td_net_backward(train, i, 1);
    for (; drawn > 0 && code >= 0; drawn -= n) {
        n = drawn < train->plan->slice ? drawn : train->plan->slice;
        code = td_train_slice(train, n);
    }
    if (code < 0 || td_gradients(train) == NULL)
        return code < 0 ? code : 0;
    if (td_update_is_wild(td_gradients(train), td_net_moving_all(train->plan)) || td_late_is_wild(train))
        return TD_ENUMERIC;
    return 0;
}

int td_row_learn(td_train_t *train, const td_row_t *row, uint32_t drawn, float *loss)
{
    float epoch_loss, *gradients;
    uint32_t i, epoch_correct;
    int code, right = td_row_judge(train, row, loss);
    if (right < 0)
        return right;
    if (train->knobs.epochs == 0) // no run has been started
        return TD_ESTATE;
    if (*loss - *loss != 0.0f)
        return TD_ENUMERIC;
    if (drawn > td_late_most(train->plan)) // there is no place for more rows
        return TD_EARG;
    epoch_loss = train->loss;
    epoch_correct = train->correct;
    train->loss = 0.0f;
    code = pass(train, drawn);
    train->loss = epoch_loss;
    train->correct = epoch_correct;
    gradients = td_gradients(train);
    if (code == 0 && gradients != NULL)
        td_update(train, drawn + 1);
    for (i = 0; code != 0 && gradients != NULL && i < td_net_moving_all(train->plan); i++)
        gradients[i] = 0.0f;
    if (code != 0)
        td_late_forget(train);
    train->step += code == 0;
    return code != 0 ? code : right;
}
#endif
