// SPDX-License-Identifier: MIT
// td_inputs.c - from raw units to what the network gets: scales, codes, a projection.
#include "td_internal.h"

static int is_kept(const td_inputs_t *inputs, uint32_t j)
{
    return inputs->kept == NULL || (inputs->kept[j >> 3] >> (j & 7u)) & 1u;
}

static float clamped(float value)
{
    return value > 16.0f ? 16.0f : value < -16.0f ? -16.0f : value;
}

static float scaled(const td_inputs_t *inputs, uint32_t k, float value)
{
    uint32_t i = k * inputs->scale_stride;
    td_float_t scale;
    if (value != value)
        return inputs->fill ? inputs->fill[k] : 0.0f;
    scale.u = (uint32_t)(127 + inputs->gain[i]) << 23;
    return clamped((value - inputs->shift[i]) * scale.f);
}

// The scaled input number k goes where it belongs: into x[k], or into each of the projection's sums.
static void take(const td_inputs_t *inputs, uint32_t k, float value, float *x)
{
    uint32_t o, bits = inputs->code_bits, at = k * inputs->outputs * bits;
    int32_t zero = (1 << bits) / 2;
    value = scaled(inputs, k, value);
    if (!TD_WITH_PROJECTION || inputs->codes == NULL) {
        x[k] = value;
        return;
    }
    if (value == 0.0f) // the sums would stay as they are
        return;
    for (o = 0; o < inputs->outputs; o++, at += bits)
        x[o] += value * (float)((int32_t)td_bits(inputs->codes, at, bits) - zero);
}

void td_inputs_take(const td_inputs_t *inputs, td_row_t *row, float value, float *x)
{
    uint32_t c, o, codes;
    for (o = 0; row->taken == 0 && o < inputs->outputs; o++)
        x[o] = 0.0f;
    if (is_kept(inputs, row->taken)) {
        codes = TD_WITH_EXPANSION && inputs->expand ? inputs->expand[row->column] : 0;
        row->column++;
        if (codes < 2)
            take(inputs, row->input++, value, x);
        for (c = 0; codes > 1 && c < codes; c++)
            take(inputs, row->input++, value != value ? value : value == (float)c ? 1.0f : 0.0f, x);
    }
    row->taken++;
    for (o = 0; TD_WITH_PROJECTION && inputs->codes && row->taken == inputs->raw_columns && o < inputs->outputs; o++)
        x[o] = clamped(x[o] * td_f8(inputs->code_scale[o]));
}

void td_inputs_apply(const td_inputs_t *inputs, const float *raw, float *x)
{
    td_row_t row = {0, 0, 0, 0};
    while (row.taken < inputs->raw_columns)
        td_inputs_take(inputs, &row, raw[row.taken], x);
}

// ---- checks, once at the door ----

static int projection_check(const td_inputs_t *inputs)
{
    uint64_t bits = (uint64_t)inputs->columns * inputs->outputs * inputs->code_bits;
    if (inputs->codes == NULL)
        return inputs->outputs == inputs->columns ? 0 : TD_EPLAN;
    if (!TD_WITH_PROJECTION)
        return TD_ENOKERNEL;
    if (inputs->outputs == 0 || inputs->code_scale == NULL)
        return TD_EPLAN;
    return inputs->code_bits >= 2 && inputs->code_bits <= 8 && bits <= 0xffffffffu ? 0 : TD_EPLAN;
}

int td_inputs_check(const td_inputs_t *inputs)
{
    uint32_t j, columns = 0, column = 0;
    if (inputs->columns == 0 || inputs->scale_stride > 1)
        return TD_EPLAN;
    if (inputs->shift == NULL || inputs->gain == NULL)
        return TD_EPLAN;
    if (!TD_WITH_EXPANSION && inputs->expand != NULL)
        return TD_ENOKERNEL;
    for (j = 0; j < inputs->raw_columns; j++) {
        if (!is_kept(inputs, j))
            continue;
        columns += inputs->expand && inputs->expand[column] > 1 ? inputs->expand[column] : 1;
        column++;
    }
    if (columns != inputs->columns)
        return TD_EPLAN;
    for (j = 0; j <= (uint32_t)(inputs->columns - 1) * inputs->scale_stride; j++)
        if (inputs->gain[j] < -126) // 2^gain would not be a normal number
            return TD_EPLAN;
    return projection_check(inputs);
}
