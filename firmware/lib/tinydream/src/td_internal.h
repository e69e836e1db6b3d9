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
float td_net_cross_entropy(float *logits, uint32_t classes, uint32_t label, uint32_t *correct);
float td_net_mse(float *outputs, const float *targets, uint32_t count);
void td_net_backward(const td_plan_t *plan, float *weights, float *gradients, float *activations, uint32_t n,
                     float rate);
uint32_t td_net_argmax(const float *values, uint32_t count);
float td_net_softmax(float *values, uint32_t count, float *sum);

// td_update.c: numbers kept for each parameter besides itself: its gradient, or none where the backward
// pass moves the weights itself; and the optimiser's state
uint32_t td_update_gradients(const td_plan_t *plan);
uint32_t td_update_state(const td_plan_t *plan);
int td_update_check(const td_plan_t *plan);

// Moves the weights by `scale` times the gradients, and sets these to 0 for the next batch.
void td_update(td_train_t *train, float scale);

#endif
