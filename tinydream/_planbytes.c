// SPDX-License-Identifier: MIT
// _planbytes.c - a td_plan_t filled from the plan's canonical bytes; every read is length-checked.
#include "_planbytes.h"

#include <stdlib.h>
#include <string.h>

#include "td_internal.h"

enum { AGAIN = 4 }; // in the byte that tells what of a layer trains

typedef struct {
    const uint8_t *at, *end;
    int bad;
} reader_t;

static const uint8_t *take(reader_t *r, uint64_t count)
{
    const uint8_t *start = r->at;
    static const uint8_t zeros[16];
    if (count > (uint64_t)(r->end - r->at)) {
        r->bad = 1;
        r->at = r->end;
        return count <= sizeof zeros ? zeros : NULL;
    }
    r->at += count;
    return start;
}

static uint8_t take_u8(reader_t *r)
{
    return *take(r, 1);
}

static uint16_t take_u16(reader_t *r)
{
    const uint8_t *p = take(r, 2);
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t take_u32(reader_t *r)
{
    const uint8_t *p = take(r, 4);
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static float take_f32(reader_t *r)
{
    uint32_t u = take_u32(r);
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static float *take_floats(reader_t *r, uint32_t count)
{
    float *values = calloc((size_t)count + 1, sizeof *values);
    uint32_t i;
    if (values == NULL)
        r->bad = 1;
    for (i = 0; values && i < count; i++)
        values[i] = take_f32(r);
    return values;
}

static uint32_t kept_columns(const td_inputs_t *inputs)
{
    uint32_t j, count = 0;
    for (j = 0; j < inputs->raw_columns; j++)
        count += inputs->kept == NULL ? 1u : (uint32_t)(inputs->kept[j >> 3] >> (j & 7u)) & 1u;
    return count;
}

static void parse_projection(td_inputs_t *inputs, reader_t *r)
{
    uint64_t codes;
    inputs->outputs = take_u16(r);
    inputs->code_bits = take_u8(r);
    inputs->code_scale = take(r, inputs->outputs);
    codes = (uint64_t)inputs->columns * inputs->outputs;
    inputs->codes = take(r, (codes * inputs->code_bits + 7) / 8);
}

static void parse_inputs(plan_bytes_t *out, reader_t *r)
{
    td_inputs_t *inputs = &out->plan.inputs;
    uint32_t entries;
    uint8_t has;
    inputs->raw_columns = take_u16(r);
    inputs->columns = take_u16(r);
    inputs->scale_stride = take_u8(r);
    has = take_u8(r);
    if (has & 1)
        inputs->kept = take(r, ((uint64_t)inputs->raw_columns + 7) / 8);
    if (r->bad)
        return;
    if (has & 2)
        inputs->expand = take(r, kept_columns(inputs));
    entries = inputs->scale_stride ? inputs->columns : 1;
    inputs->shift = out->shift = take_floats(r, entries);
    inputs->gain = (const int8_t *)take(r, entries);
    if (has & 4)
        inputs->fill = out->fill = take_floats(r, inputs->columns);
    inputs->outputs = inputs->columns;
    if (has & 8)
        parse_projection(inputs, r);
}

static void parse_outputs(plan_bytes_t *out, reader_t *r)
{
    td_outputs_t *outputs = &out->plan.outputs;
    outputs->count = take_u16(r);
    out->outputs = take_floats(r, 2 * (uint32_t)outputs->count);
    outputs->shift = out->outputs;
    outputs->scale = out->outputs ? out->outputs + outputs->count : NULL;
}

// the model of the deviations; what it does not have stays NULL
static void parse_deviations(plan_bytes_t *out, reader_t *r)
{
    td_rows_t *rows = &out->plan.rows;
    uint32_t i, inputs = rows->columns - (uint32_t)rows->targets;
    if (rows->spread == TD_SPREAD_CLASS)
        rows->spreads = take(r, rows->classes);
    if (rows->spread == TD_SPREAD_ROW)
        rows->spreads = take(r, (uint64_t)1 << (rows->spread_bits & 15));
    if (rows->rank != 0) {
        rows->factor_scale = take(r, rows->rank);
        rows->factors = (const int8_t *)take(r, (uint64_t)rows->rank * rows->columns);
    }
    out->axes = calloc((size_t)rows->axes_count + 1, sizeof *out->axes);
    for (i = 0; out->axes && i < rows->axes_count; i++) {
        out->axes[i].length = take_u16(r);
        out->axes[i].transformed = take_u8(r);
    }
    rows->axes = out->axes;
    if (rows->axes_count != 0)
        rows->correction = take(r, rows->targets < rows->columns ? inputs : 0);
}

static void parse_levels(plan_bytes_t *out, reader_t *r)
{
    td_rows_t *rows = &out->plan.rows;
    uint32_t i;
    out->levels = calloc((size_t)rows->levels_count + 1, sizeof *out->levels);
    for (i = 0; out->levels && i < rows->levels_count; i++) {
        out->levels[i].weight = take_u32(r);
        out->levels[i].count = take_u32(r);
        rows->rows += out->levels[i].weight * out->levels[i].count;
    }
    rows->levels = out->levels;
}

static void parse_rows(plan_bytes_t *out, reader_t *r)
{
    td_rows_t *rows = &out->plan.rows;
    uint32_t entries;
    uint8_t dreamt;
    rows->count = take_u32(r);
    rows->row_bits = take_u32(r);
    rows->columns = take_u16(r);
    rows->classes = take_u16(r);
    rows->targets = take_u8(r);
    rows->label_bits = take_u8(r);
    rows->soft_bits = take_u8(r);
    rows->grid_stride = take_u8(r);
    dreamt = take_u8(r);
    rows->spread = take_u8(r);
    rows->spread_bits = take_u8(r);
    rows->rank = take_u8(r);
    rows->axes_count = take_u8(r);
    rows->levels_count = take_u8(r);
    entries = rows->grid_stride ? rows->columns : 1;
    rows->width = take(r, (entries + 1) / 2);
    rows->low = (const int8_t *)take(r, entries);
    rows->step = take(r, entries);
    rows->sigma = dreamt ? take(r, rows->columns) : NULL;
    parse_deviations(out, r);
    parse_levels(out, r);
    rows->bits = take(r, ((uint64_t)rows->count * rows->row_bits + 7) / 8);
}

// after the rows, whose widths they share
static void parse_validation(plan_bytes_t *out, reader_t *r)
{
    out->plan.valid_count = take_u32(r);
    out->plan.valid = take(r, ((uint64_t)out->plan.valid_count * td_valid_row_bits(&out->plan) + 7) / 8);
}

static void parse_window(td_window_t *window, reader_t *r)
{
    window->height = take_u16(r);
    window->width = take_u16(r);
    window->channels = take_u16(r);
    window->out_height = take_u16(r);
    window->out_width = take_u16(r);
    window->filters = take_u16(r);
    window->rows = take_u16(r);
    window->columns = take_u16(r);
    window->down = take_u16(r);
    window->right = take_u16(r);
    window->top = take_u16(r);
    window->left = take_u16(r);
}

static void parse_network(plan_bytes_t *out, reader_t *r)
{
    uint32_t i, biases;
    out->plan.layers_count = take_u8(r);
    out->plan.loss = take_u8(r);
    out->plan.delta = take_f32(r);
    out->layers = calloc((size_t)out->plan.layers_count + 1, sizeof *out->layers);
    out->windows = calloc((size_t)out->plan.layers_count / 2 + 1, sizeof *out->windows);
    for (i = 0; out->layers && out->windows && i < out->plan.layers_count; i++) {
        td_layer_t *layer = &out->layers[i];
        layer->kind = take_u8(r);
        layer->train = take_u8(r);
        layer->again = layer->train / AGAIN;
        layer->train %= AGAIN;
        layer->in = take_u16(r);
        layer->out = take_u16(r);
        layer->place = take_u32(r);
        layer->limit = take_f32(r);
        if (layer->kind >= TD_CONV && layer->kind != TD_LINEAR) {
            parse_window(&out->windows[i / 2], r);
            out->plan.windows = out->windows;
        }
    }
    out->plan.layers = out->layers;
    for (i = 0; out->layers && out->windows && i < out->plan.layers_count; i += 2)
        out->plan.parameters += td_net_parameters(&out->plan, i, &biases);
}

static void parse_training(plan_bytes_t *out, reader_t *r)
{
    float a, b, c;
    out->plan.optimizer = take_u8(r);
    a = take_f32(r);
    b = take_f32(r);
    c = take_f32(r);
    if (out->plan.optimizer == TD_ADAM) {
        out->plan.beta1 = a;
        out->plan.beta2 = b;
        out->plan.epsilon = c;
    } else {
        out->plan.momentum = a;
    }
    out->plan.clip = take_f32(r);
    out->plan.decay = take_f32(r);
    out->plan.keep_best = take_u8(r);
    out->plan.refill = out->plan.keep_best >> 1 & 1;
    out->plan.keep_best &= 0xfd;
    out->plan.batch = take_u16(r);
    out->plan.slice = take_u16(r);
}

static void parse_nothing(plan_bytes_t *out, reader_t *r)
{
    (void)out;
    r->at = r->end;
}

static int parse_section(plan_bytes_t *out, const uint8_t *body, size_t size,
                         void (*parse)(plan_bytes_t *, reader_t *))
{
    reader_t r = {body, body + size, 0};
    parse(out, &r);
    return r.bad || r.at != r.end ? TD_EPLAN : 0;
}

static int parse_sections(plan_bytes_t *out, reader_t *r)
{
    static const struct {
        char tag[5];
        void (*parse)(plan_bytes_t *, reader_t *);
    } sections[] = {{"BORD", parse_nothing}, {"NAME", parse_nothing}, {"INPT", parse_inputs},
                    {"OUTP", parse_outputs}, {"ROWS", parse_rows},    {"HOLD", parse_validation},
                    {"NETW", parse_network}, {"TRAN", parse_training}};
    size_t i, count = sizeof sections / sizeof *sections;
    if (memcmp(take(r, 4), "TDPL", 4) != 0)
        return TD_EPLAN;
    out->plan.format = take_u16(r);
    if (out->plan.format != TD_FORMAT)
        return TD_EFORMAT;
    if (take_u16(r) != count)
        return TD_EPLAN;
    for (i = 0; i < count; i++) {
        const uint8_t *tag = take(r, 4);
        uint32_t size = take_u32(r);
        const uint8_t *body = take(r, size);
        if (r->bad || memcmp(tag, sections[i].tag, 4) != 0)
            return TD_EPLAN;
        if (parse_section(out, body, size, sections[i].parse) != 0)
            return TD_EPLAN;
    }
    if (!out->shift || !out->outputs || !out->axes || !out->levels || !out->layers || !out->windows)
        return TD_EARG;
    return r->at == r->end ? 0 : TD_EPLAN;
}

static int copy(plan_bytes_t *out, const uint8_t *bytes, size_t size)
{
    memset(out, 0, sizeof *out);
    out->bytes = malloc(size + 1);
    if (out->bytes == NULL)
        return TD_EARG;
    memcpy(out->bytes, bytes, size);
    return 0;
}

int plan_bytes_parse(plan_bytes_t *out, const uint8_t *bytes, size_t size)
{
    int code = copy(out, bytes, size);
    reader_t r = {out->bytes, out->bytes + size, 0};
    if (code == 0)
        code = parse_sections(out, &r);
    if (code != 0)
        plan_bytes_free(out);
    return code;
}

int plan_bytes_parse_rows(plan_bytes_t *out, const uint8_t *bytes, size_t size)
{
    int code = copy(out, bytes, size);
    if (code == 0)
        code = parse_section(out, out->bytes, size, parse_rows);
    if (code == 0 && (out->axes == NULL || out->levels == NULL))
        code = TD_EARG;
    if (code != 0)
        plan_bytes_free(out);
    return code;
}

void plan_bytes_free(plan_bytes_t *plan)
{
    free(plan->bytes);
    free(plan->shift);
    free(plan->fill);
    free(plan->outputs);
    free(plan->axes);
    free(plan->levels);
    free(plan->layers);
    free(plan->windows);
    memset(plan, 0, sizeof *plan);
}
