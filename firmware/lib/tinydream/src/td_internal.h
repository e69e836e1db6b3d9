// SPDX-License-Identifier: MIT
// td_internal.h - what the core's files offer each other; not for callers.
#ifndef TD_INTERNAL_H
#define TD_INTERNAL_H

#include "td.h"

// streams of the seeded generator (SPEC.md, "Keys")
enum { TD_STREAM_WEIGHTS = 1, TD_STREAM_ORDER = 2, TD_STREAM_DEVIATION = 3 };

uint32_t td_key(uint32_t seed, uint32_t stream);

// td_rows.c: `draws` holds (index, key) pairs; x is (n, columns)
uint32_t td_rows_pick(const td_rows_t *rows, const uint32_t order[8], uint32_t position);
uint32_t td_rows_label(const td_rows_t *rows, uint32_t index);
void td_rows_dream(const td_rows_t *rows, const uint32_t *draws, uint32_t n, float *x);
int td_rows_check(const td_rows_t *rows, uint32_t outputs);
int td_inputs_check(const td_inputs_t *inputs);

// td_net.c: activations as td_train lays them out; n rows of the slice
uint32_t td_net_outputs(const td_plan_t *plan);
int td_net_check(const td_plan_t *plan);
float *td_net_forward(const td_plan_t *plan, const float *weights, float *activations, uint32_t n);
int td_net_backward(const td_plan_t *plan, float *weights, float *gradients, float *activations, uint32_t n,
                    float rate);
int td_net_is_wild(const float *values, uint32_t count);

// td_loss.c: `outputs` of one row. td_loss makes them their own gradient and returns the loss; target: (outputs)
// of a regression, (classes) shares of a soft label, NULL for a hard one. td_loss_answer makes them what
// td_predict tells.
int td_loss_check(const td_plan_t *plan);
uint32_t td_loss_classes(const td_plan_t *plan);
uint32_t td_loss_argmax(const float *values, uint32_t count);
float td_loss(const td_plan_t *plan, float *outputs, const float *target, uint32_t label, uint32_t *correct);
int td_loss_answer(const td_plan_t *plan, float *outputs);

// td_rate.c: the rate of an epoch (from 0), from the rate of the one before it
int td_rate_check(const td_knobs_t *knobs);
float td_rate(const td_knobs_t *knobs, uint32_t epoch, float before);

// td_update.c: numbers kept for each parameter besides itself: its gradient, or none where the backward
// pass moves the weights itself; and the optimiser's state
uint32_t td_update_gradients(const td_plan_t *plan);
uint32_t td_update_state(const td_plan_t *plan);
int td_update_check(const td_plan_t *plan);

// Moves the weights by `scale` times the gradients, and sets these to 0 for the next batch.
void td_update(td_train_t *train, float scale);

#endif
