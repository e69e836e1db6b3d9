// SPDX-License-Identifier: MIT
// td_state.c - a training as a sequence of words: what a record of saved weights holds (SPEC.md, "Saved weights").
#include "td_internal.h"

// Where the words of a run lie in td_train_t, in SPEC's order; 0: a field that this build left out, which is 0.
#define AT(field) (uint8_t) offsetof(td_train_t, field)
#if TD_WITH_ADAM
#define AT_ADAM(field) AT(field)
#else
#define AT_ADAM(field) 0
#endif
#if TD_WITH_VALIDATION
#define AT_VALID(field) AT(field)
#else
#define AT_VALID(field) 0
#endif
static const uint8_t fields[] = {
    AT(knobs.seed), AT(knobs.epochs), AT(knobs.epoch_rows), AT(knobs.rate), AT(knobs.schedule), AT(knobs.every),
    AT(knobs.factor), AT(knobs.patience), AT(pass), AT(position), AT(epoch), AT(step), AT(row), AT(correct), AT(loss),
    AT(rate), AT_ADAM(power1), AT_ADAM(power2), AT_VALID(valid_row), AT_VALID(valid_correct), AT_VALID(valid_loss),
    AT_VALID(best_epoch), AT_VALID(best_loss),
};
enum { RUN_WORDS = sizeof fields, SCHEDULE = 4 };
TD_STATIC_ASSERT(sizeof(td_train_t) <= 256, offsets_fit_a_byte);

// numbers of the optimiser, and of the best weights, which lie behind them
static uint32_t state_words(const td_plan_t *plan)
{
    return (td_update_state(plan) + (TD_WITH_VALIDATION ? plan->keep_best : 0u)) * td_net_moving_all(plan);
}

static float *state_of(const td_train_t *train)
{
    const td_plan_t *plan = train->plan;
    return train->weights + plan->parameters + (size_t)td_update_gradients(plan) * td_net_moving_all(plan);
}

uint32_t td_state_numbers(const td_plan_t *plan)
{
    return plan->parameters + state_words(plan);
}

uint32_t td_state_words(const td_plan_t *plan, int run)
{
    return run ? td_state_numbers(plan) + RUN_WORDS : plan->parameters;
}

// the number that is word i, or NULL for one of the run's words
static float *number(const td_train_t *train, uint32_t i)
{
    uint32_t parameters = train->plan->parameters;
    if (i < parameters)
        return train->weights + i;
    return i - parameters < state_words(train->plan) ? state_of(train) + (i - parameters) : NULL;
}

uint32_t td_state_get(const td_train_t *train, uint32_t i)
{
    const float *at = number(train, i);
    const uint8_t *field;
    td_float_t word = {0.0f};
    uint32_t k;
    if (at != NULL)
        word.f = *at;
    if (at != NULL)
        return word.u;
    i -= td_state_numbers(train->plan);
    if (i == SCHEDULE)
        return train->knobs.schedule;
    field = (const uint8_t *)train + fields[i];
    for (k = 0; fields[i] != 0 && k < 4; k++)
        ((uint8_t *)&word)[k] = field[k];
    return word.u;
}

void td_state_set(td_train_t *train, uint32_t i, uint32_t value)
{
    float *at = number(train, i);
    uint8_t *field;
    td_float_t word;
    uint32_t k;
    word.u = value;
    if (at != NULL) {
        *at = word.f;
        return;
    }
    i -= td_state_numbers(train->plan);
    if (i == SCHEDULE) {
        train->knobs.schedule = (uint8_t)value;
        return;
    }
    field = (uint8_t *)train + fields[i];
    for (k = 0; fields[i] != 0 && k < 4; k++)
        field[k] = ((const uint8_t *)&word)[k];
}

int td_state_resume(td_train_t *train)
{
    const td_plan_t *plan = train->plan;
    const td_knobs_t *knobs = &train->knobs;
    if (knobs->epochs == 0 || td_rate_check(knobs) != 0 || (knobs->patience != 0 && plan->valid_count == 0))
        return TD_EARG;
    if (train->epoch >= knobs->epochs || train->row > knobs->epoch_rows || train->position >= plan->rows.rows)
        return TD_EARG;
#if TD_WITH_VALIDATION
    if (train->valid_row > plan->valid_count || train->best_epoch > train->epoch)
        return TD_EARG;
#endif
    td_rows_order(knobs->seed, train->pass, train->order);
    train->running = 1;
    return 0;
}
