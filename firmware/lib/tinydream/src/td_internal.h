// SPDX-License-Identifier: MIT
// td_internal.h - what the core's files offer each other; not for callers.
#ifndef TD_INTERNAL_H
#define TD_INTERNAL_H

#include "td.h"

// streams of the seeded generator (SPEC.md, "Keys")
enum { TD_STREAM_WEIGHTS = 1, TD_STREAM_ORDER = 2, TD_STREAM_DEVIATION = 3 };

uint32_t td_key(uint32_t seed, uint32_t stream);

typedef union {
    float f;
    uint32_t u;
} td_float_t;

// td_f8 and td_hash, where a call would cost more than the number. An 8-bit float's bits are the code's, shifted, with another bias
static inline float td_f8_inline(uint8_t code)
{
    td_float_t value;
    value.u = (uint32_t)code << 20;
    if (value.u != 0)
        value.u += 103u << 23;
    return value.f;
}

// td_sqrt inside a loop. A correctly rounded root is one number, whoever computes it.
float td_sqrt_portable(float x);
#if defined(__GNUC__) && defined(__ARM_FP) && (__ARM_FP & 4)
#define TD_ROOT(y, x) __asm("vsqrt.f32 %0, %1" : "=t"(y) : "t"(x))
#elif defined(__NO_MATH_ERRNO__) && (defined(__SSE__) || defined(__aarch64__))
#define TD_ROOT(y, x) ((y) = __builtin_sqrtf(x)) // an instruction, and of vectors too
#elif defined(__GNUC__) && defined(__SSE__)
#define TD_ROOT(y, x) __asm("sqrtss %1, %0" : "=x"(y) : "x"(x))
#elif defined(__GNUC__) && defined(__aarch64__)
#define TD_ROOT(y, x) __asm("fsqrt %s0, %s1" : "=w"(y) : "w"(x))
#elif defined(__GNUC__) && defined(__riscv_flen)
#define TD_ROOT(y, x) __asm("fsqrt.s %0, %1" : "=f"(y) : "f"(x))
#endif

static inline float td_root(float x)
{
#ifdef TD_ROOT
    float y;
    if (!(x > 0.0f))
        return 0.0f;
    TD_ROOT(y, x);
    return y;
#else
    return td_sqrt_portable(x);
#endif
}

// bits that a number above 0 has
static inline uint32_t td_bit_length(uint32_t x)
{
#if defined(__GNUC__) && __SIZEOF_INT__ == 4
    return 32u - (uint32_t)__builtin_clz(x);
#else
    uint32_t bits = 0;
    for (; x != 0; x >>= 1)
        bits++;
    return bits;
#endif
}

// lowbias32 by Chris Wellons: avalanche near that of a random function for two multiplications
static inline uint32_t td_mix(uint32_t x, uint32_t first, uint32_t second)
{
    x ^= x >> 16;
    x *= first;
    x ^= x >> 15;
    x *= second;
    x ^= x >> 16;
    return x;
}
#define TD_MIX_1 0x7feb352du
#define TD_MIX_2 0x846ca68bu

static inline uint32_t td_hash_inline(uint32_t x)
{
    return td_mix(x, TD_MIX_1, TD_MIX_2);
}

// `width` bits (1..16) from bit `at` on; touches no byte that holds none of them
static inline uint32_t td_bits(const uint8_t *bits, uint32_t at, uint32_t width)
{
    const uint8_t *p = bits + (at >> 3);
    uint32_t shift = at & 7u, end = shift + width, value = p[0];
    if (end > 8)
        value |= (uint32_t)p[1] << 8;
    if (end > 16)
        value |= (uint32_t)p[2] << 16;
    return (value >> shift) & ((1u << width) - 1u);
}

// td_inputs.c
int td_inputs_check(const td_inputs_t *inputs);
void td_inputs_take(const td_inputs_t *inputs, td_row_t *row, float value, float *x);

// td_train.c: the next n rows of the stream, forward and backward; what a batch's gradients are multiplied with
int td_train_slice(td_train_t *train, uint32_t n);
float td_train_scale(const td_train_t *train, uint32_t rows);

// td_rows.c
uint32_t td_rows_pick(const td_rows_t *rows, const uint32_t order[TD_ORDER], uint32_t position);
uint32_t td_rows_label(const td_rows_t *rows, uint32_t index);
void td_rows_target(const td_rows_t *rows, uint32_t index, float *t); // (classes); rows with soft_bits
float td_rows_spread(const td_rows_t *rows, uint32_t index);
uint32_t td_rows_width(const td_rows_t *rows, uint32_t j);
int td_rows_check(const td_rows_t *rows, uint32_t outputs);

// td_dream.c: `draws` holds (index, key) pairs; x is (n, columns)
void td_rows_dream(const td_rows_t *rows, const uint32_t *draws, uint32_t n, float *x);
int td_dream_check(const td_rows_t *rows);

// index and key of each row of a slice
static inline uint32_t *td_draws(const td_train_t *train)
{
    return (uint32_t *)(void *)(train->activations - 2 * (size_t)train->plan->slice);
}

// As weights, and 0 between steps; NULL: each row moves the weights at once
uint32_t td_update_gradients(const td_plan_t *plan);
static inline float *td_gradients(const td_train_t *train)
{
    int are = TD_WITH_GRADIENTS && (!TD_WITH_DESCENT || td_update_gradients(train->plan));
    return are ? train->weights + train->plan->parameters : NULL;
}

// td_net.c: activations as td_train lays them out; n rows of the slice
uint32_t td_net_outputs(const td_plan_t *plan);
int td_net_check(const td_plan_t *plan);
// of layer number `layer`: weights, and then so many biases
uint32_t td_net_parameters(const td_plan_t *plan, uint32_t layer, uint32_t *biases);
// those that training moves, and in *skip how many before them, of this layer, stay
uint32_t td_net_moving(const td_plan_t *plan, uint32_t layer, uint32_t *skip);
uint32_t td_net_moving_all(const td_plan_t *plan);
size_t td_net_activations(const td_plan_t *plan); // numbers in all, for a slice
// how many of those that move are statistics: they come before the others, and no gradient moves them
static inline uint32_t td_net_statistics(const td_plan_t *plan, uint32_t layer)
{
    const td_layer_t *norm = &plan->layers[layer];
    int some = TD_WITH_BATCH_NORM && norm->kind == TD_BATCH_NORM && norm->train == TD_TRAIN_ALL;
    return some ? 2u * plan->windows[layer / 2].channels : 0;
}
float *td_net_forward(const td_plan_t *plan, const float *weights, float *activations, uint32_t n);
// of one row that was not drawn: nothing of it is dropped
static inline float *td_net_answer(const td_train_t *train)
{
    if (TD_WITH_DROPOUT)
        td_draws(train)[1] = 0;
    return td_net_forward(train->plan, train->weights, train->activations, 1);
}
// The activations hold a forward pass whose last outputs are by now the loss's gradients. Operation by operation, from
// the last one: 0 go on with the one before, 1 there is none that moves. Without gradients the weights move at once,
// and TD_ENUMERIC tells that they did not from this layer down to the first.
uint32_t td_net_last(const td_plan_t *plan);
int td_net_backward(const td_train_t *train, uint32_t layer, uint32_t n);

// td_late.c: a last dense layer that keeps rows instead of gradients. Its part of the arena, behind the gradients; what
// a batch comes to; whether a gradient is wild; the move
#if TD_WITH_LATE
size_t td_late_numbers(const td_plan_t *plan);
int td_late_check(const td_plan_t *plan);
int td_late_is_wild(const td_train_t *train);
void td_late_move(td_train_t *train, float scale);
void td_late_forget(td_train_t *train);
uint32_t td_late_most(const td_plan_t *plan); // drawn rows beside one that is learnt
#else
#define td_late_numbers(plan) ((size_t)0)
#define td_late_check(plan) 0
#define td_late_is_wild(train) 0
#define td_late_move(train, scale) ((void)0)
#define td_late_forget(train) ((void)0)
#define td_late_most(plan) 0xffffu
#endif

// td_loss.c: `outputs` of one row. td_loss makes them their own gradient and returns the loss; target: (outputs)
// of a regression, (classes) shares of a soft label, NULL for a hard one. td_loss_answer makes them what
// td_predict tells.
int td_loss_check(const td_plan_t *plan);
uint32_t td_loss_classes(const td_plan_t *plan);
uint32_t td_loss_argmax(const float *values, uint32_t count);
float td_loss(const td_plan_t *plan, float *outputs, const float *target, uint32_t label, uint32_t *correct);
int td_loss_answer(const td_plan_t *plan, float *outputs);

// td_valid.c: td_valid_step looks at up to a batch of validation rows, and returns 1 with the last of them.
// td_valid_judge fills the metrics of an epoch, and returns 1 when patience is at an end.
int td_valid_check(const td_plan_t *plan);
uint32_t td_valid_row_bits(const td_plan_t *plan);
int td_valid_step(td_train_t *train);
int td_valid_judge(td_train_t *train, td_metrics_t *metrics);
void td_valid_restore(td_train_t *train);

// td_rate.c: the rate of an epoch (from 0), from the rate of the one before it
int td_rate_check(const td_knobs_t *knobs);
float td_rate(const td_knobs_t *knobs, uint32_t epoch, float before);

// td_update.c: numbers kept for each parameter besides itself: its gradient, or none where the backward
// pass moves the weights itself; and the optimiser's state
uint32_t td_update_gradients(const td_plan_t *plan);
uint32_t td_update_state(const td_plan_t *plan);
int td_update_check(const td_plan_t *plan);
int td_update_is_wild(const float *values, uint32_t count); // whether a step along these may end in no number

// td_state.c: word i of a training: weights, then of a run the optimiser's state, best weights, knobs and counters.
// td_state_resume, when all of them are set: whether a run can go on from there, and then it does.
uint32_t td_state_numbers(const td_plan_t *plan); // words before the knobs
uint32_t td_state_words(const td_plan_t *plan, int run);
uint32_t td_state_get(const td_train_t *train, uint32_t i);
void td_state_set(td_train_t *train, uint32_t i, uint32_t value);
int td_state_resume(td_train_t *train);

// Moves the weights by the gradients of so many rows, and sets these to 0 for the next batch.
void td_update(td_train_t *train, uint32_t rows);

#endif
