// SPDX-License-Identifier: MIT
// fake_train.c - a stand-in for the training core with no learning in it: deterministic, quick, and able to fail
// on request, so that the bridge can be tested alone. An epoch has FAKE_BATCHES batches of 10 rows.
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <time.h>

#include "td_internal.h"
#include "td_plan.h"

#ifndef FAKE_DIGEST
#define FAKE_DIGEST 1, 2, 3, 4, 5, 6, 7, 8
#endif
enum { FAKE_BATCHES = 5, FAKE_ROWS = 50 };

// seeds that ask for trouble; all others are well
enum { SEED_CRASH = 666, SEED_NOT_FINITE = 667, SEED_SLOW = 668 };

const td_plan_t td_plan = {
    .format = TD_FORMAT, .digest = {FAKE_DIGEST}, .parameters = FAKE_PARAMETERS, .board = "native", .batch = 10,
    .inputs = {.raw_columns = 14}, .rows = {.count = 1, .row_bits = 24, .bits = (const uint8_t *)"abc"}, .valid_count = 5};

size_t td_train_arena_bytes(const td_plan_t *plan)
{
    return 4 * (size_t)plan->parameters;
}

static float draw(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t x = a * 2654435761u ^ b * 2246822519u ^ c * 3266489917u;
    x ^= x >> 15;
    x *= 2654435761u;
    return (float)(int32_t)(x >> 8) * 0x1p-24f;
}

int td_train_init(td_train_t *train, const td_plan_t *plan, void *arena, size_t arena_bytes, uint32_t seed)
{
    static const td_train_t nothing;
    *train = nothing;
    if (arena_bytes < td_train_arena_bytes(plan))
        return TD_EARENA;
#ifdef FAKE_REFUSES
    return TD_ENUMERIC;
#endif
    train->plan = plan;
    train->weights = arena;
    for (uint32_t i = 0; i < plan->parameters; i++)
        train->weights[i] = draw(seed, i, 0);
    return 0;
}

int td_train_start(td_train_t *train, const td_knobs_t *knobs)
{
    if (knobs->epochs == 0 || !(knobs->rate > 0 && knobs->rate < 3e38f))
        return TD_EARG;
    train->knobs = *knobs;
    train->epoch = train->step = train->row = 0;
    train->running = 1;
    return 0;
}

static int make_trouble(const td_train_t *train)
{
    struct timespec pause = {0, 2000000};
    if (train->knobs.seed == SEED_CRASH && train->epoch == 3)
        abort();
    if (train->knobs.seed == SEED_SLOW)
        nanosleep(&pause, 0);
    return train->knobs.seed == SEED_NOT_FINITE && train->epoch == 3 ? TD_ENUMERIC : 0;
}

int td_train_step(td_train_t *train, td_metrics_t *metrics)
{
    if (!train->running)
        return TD_ESTATE;
    int trouble = make_trouble(train);
    if (trouble < 0) {
        train->running = 0;
        return trouble;
    }
    train->step++;
    for (uint32_t i = 0; i < train->plan->parameters; i++)
        train->weights[i] = 0.5f * train->weights[i] + draw(train->knobs.seed, i, train->step) * train->knobs.rate;
    if (train->step % FAKE_BATCHES != 0)
        return 0;
    train->epoch++;
    td_metrics_t filled = {.epoch = train->epoch,
                           .step = train->step,
                           .rows = FAKE_ROWS,
                           .correct = train->epoch % FAKE_ROWS,
                           .loss = 1.0f / (float)train->epoch};
    *metrics = filled;
    train->running = train->epoch < train->knobs.epochs;
    return 1;
}

void td_train_stop(td_train_t *train)
{
    train->running = 0;
}

// ---- rows: one of 14 numbers and a class; its outputs are ten times their sum, its loss that of its class ----

static float sum;
static float outputs[10];

uint32_t td_net_outputs(const td_plan_t *plan)
{
    return plan->parameters ? 10 : 0;
}

int td_rows_check(const td_rows_t *rows, uint32_t classes)
{
    (void)rows, (void)classes;
    return 0;
}

uint32_t td_loss_classes(const td_plan_t *plan)
{
    (void)plan;
    return 10;
}

uint32_t td_late_most(const td_plan_t *plan)
{
    (void)plan;
    return 0xffff;
}

uint32_t td_row_numbers(const td_plan_t *plan)
{
    return plan->inputs.raw_columns + 1u;
}

int td_update_is_wild(const float *values, uint32_t count)
{
    return count && !(values[0] < 8589934592.0f && values[0] > -8589934592.0f);
}

int td_row_put(td_train_t *train, td_row_t *row, float value)
{
    sum = row->taken == 0 ? value : row->taken < train->plan->inputs.raw_columns ? sum + value : sum;
    if (row->taken++ < train->plan->inputs.raw_columns)
        return 0;
    row->label = (uint32_t)value;
    return value >= 0.0f && value < 10.0f ? 0 : TD_EARG;
}

int td_row_predict(td_train_t *train, const td_row_t *row, const float **out)
{
    for (int i = 0; i < 10; i++)
        outputs[i] = sum + (float)i;
    *out = outputs;
    return train->running + (int)row->taken - 14;
}

int td_row_judge(td_train_t *train, const td_row_t *row, float *loss)
{
    *loss = (float)row->label;
    return train->running;
}

int td_row_learn(td_train_t *train, const td_row_t *row, uint32_t drawn, float *loss)
{
    if (train->knobs.epochs == 0)
        return TD_ESTATE;
    train->weights[0] += sum;
    *loss = (float)row->label + (float)drawn;
    train->step++;
    return 1;
}

int td_evaluate(td_train_t *train, td_metrics_t *metrics)
{
    td_metrics_t filled = {.valid_rows = train->plan->valid_count, .valid_correct = 3, .valid_loss = 0.5f};
    *metrics = filled;
    return 1;
}
