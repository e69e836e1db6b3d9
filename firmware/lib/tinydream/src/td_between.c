// SPDX-License-Identifier: MIT
// td_between.c - what lies between convolutions: batch normalisation, dropout, and sums of two activations.
#include "td_internal.h"
#include "td_kernels.h"

#if TD_WITH_BETWEEN
#if TD_WITH_BATCH_NORM
// 1 / deviation of channel c
static float rescale(const td_window_t *v, const float *w, uint32_t c)
{
    return 1.0f / td_root(w[v->channels + c] + 0.001f);
}

static void norm_forward(const td_sweep_t *sweep, const float *w, const float *x, float *y)
{
    uint32_t channels = sweep->window->channels, b, c, k;
    for (c = 0; c < channels; c++) {
        float mean = w[c], gain = rescale(sweep->window, w, c) * w[2 * channels + c], shift = w[3 * channels + c];
        for (b = 0; b < sweep->shape.rows; b++) {
            const float *from = x + (size_t)b * sweep->shape.step;
            float *to = y + (size_t)b * sweep->shape.out;
            for (k = c; k < sweep->shape.in; k += channels)
                to[k] = (from[k] - mean) * gain + shift;
        }
    }
}

static void norm_weights(const td_sweep_t *sweep, const float *w, float *dw, const float *x, const float *dy)
{
    uint32_t channels = sweep->window->channels, b, c, k;
    for (c = 0; c < channels; c++, dw++) {
        float mean = w[c], root = rescale(sweep->window, w, c);
        for (b = 0; b < sweep->shape.rows; b++) {
            const float *from = x + (size_t)b * sweep->shape.step, *d = dy + (size_t)b * sweep->shape.out;
            for (k = c; k < sweep->shape.in; k += channels) {
                float apart = from[k] - mean;
                dw[0] += apart;
                dw[channels] += apart * apart;
                dw[2 * channels] += d[k] * (apart * root);
                dw[3 * channels] += d[k];
            }
        }
    }
}

static void norm_inputs(const td_sweep_t *sweep, const float *w, float *x, const float *dy)
{
    uint32_t channels = sweep->window->channels, c, k;
    for (c = 0; c < channels; c++) {
        float gain = rescale(sweep->window, w, c) * w[2 * channels + c];
        for (k = c; k < (uint32_t)sweep->shape.rows * sweep->shape.in; k += channels)
            x[k] = td_gate(sweep->shape.before, x[k], dy[k] * gain);
    }
}

void td_norm_follow(const td_layer_t *layer, const td_window_t *window, float *w, float *dw, uint32_t rows)
{
    float share = 1.0f / (float)(rows * window->height * window->width), follow = 1.0f - layer->limit;
    uint32_t c, channels = window->channels;
    for (c = 0; c < channels; c++) {
        float apart = dw[c] * share, variance = dw[channels + c] * share - apart * apart;
        w[c] += apart * follow;
        w[channels + c] += ((variance > 0.0f ? variance : 0.0f) - w[channels + c]) * follow;
        dw[c] = dw[channels + c] = 0.0f;
    }
}
#endif

#if TD_WITH_DROPOUT
// 24 bits of chance for each number of a row; whether it stays
typedef struct {
    uint32_t base, least;
    float scale; // of what stays
} drop_t;

// A row that was not drawn has the key 0, and all of it stays.
static drop_t drop_of(const td_sweep_t *sweep, uint32_t row)
{
    uint32_t key = sweep->draws[2 * row + 1];
    drop_t drop = {td_hash(~key + sweep->number), 0, 1.0f};
    if (key != 0) {
        drop.least = (uint32_t)(sweep->limit * 16777216.0f);
        drop.scale = 1.0f / (1.0f - sweep->limit);
    }
    return drop;
}

static inline float dropped(const drop_t *drop, uint32_t k, float value)
{
    return td_hash_inline(drop->base + k) >> 8 >= drop->least ? value * drop->scale : 0.0f;
}

static void drop_forward(const td_sweep_t *sweep, const float *x, float *y)
{
    uint32_t b, k;
    for (b = 0; b < sweep->shape.rows; b++, x += sweep->shape.step, y += sweep->shape.out) {
        drop_t drop = drop_of(sweep, b);
        for (k = 0; k < sweep->shape.in; k++)
            y[k] = dropped(&drop, k, x[k]);
    }
}

static void drop_inputs(const td_sweep_t *sweep, float *x, const float *dy)
{
    uint32_t b, k;
    for (b = 0; b < sweep->shape.rows; b++, x += sweep->shape.in, dy += sweep->shape.in) {
        drop_t drop = drop_of(sweep, b);
        for (k = 0; k < sweep->shape.in; k++)
            x[k] = td_gate(sweep->shape.before, x[k], dropped(&drop, k, dy[k]));
    }
}
#endif

#if TD_WITH_ADD
static void add_forward(const td_sweep_t *sweep, const float *x, float *y)
{
    uint32_t k;
    for (k = 0; k < (uint32_t)sweep->shape.rows * sweep->shape.in; k++)
        y[k] = x[k] + sweep->other[k];
}

// The gradient of what was added waits in dy until the backward pass of the layer behind it.
static void add_inputs(const td_sweep_t *sweep, float *x, float *dy)
{
    uint32_t k;
    for (k = 0; k < (uint32_t)sweep->shape.rows * sweep->shape.in; k++) {
        x[k] = td_gate(sweep->shape.before, x[k], dy[k]);
        dy[k] = td_gate(sweep->beside, sweep->other[k], dy[k]);
    }
}

void td_add_from_above(const td_train_t *train, uint32_t i, uint32_t n, float *x)
{
    const td_layer_t *layers = train->plan->layers;
    uint32_t above, k;
    for (above = i + 2; above < train->plan->layers_count; above += 2) {
        const float *dy = train->activations + (size_t)train->plan->slice * layers[above].place;
        if (layers[above].kind == TD_ADD && (uint32_t)layers[above].limit + 2 == i)
            for (k = 0; k < n * layers[i].in; k++)
                x[k] += dy[k];
    }
}
#endif

// ---- whichever it is ----

void td_between_forward(const td_sweep_t *sweep, const float *w, const float *x, float *y)
{
    switch (sweep->kind) {
#if TD_WITH_BATCH_NORM
    case TD_BATCH_NORM:
        norm_forward(sweep, w, x, y);
        break;
#endif
#if TD_WITH_DROPOUT
    case TD_DROPOUT:
        drop_forward(sweep, x, y);
        break;
#endif
#if TD_WITH_ADD
    case TD_ADD:
        add_forward(sweep, x, y);
        break;
#endif
    default:
        break;
    }
    (void)w; // of batch norm only
}

static void inputs(const td_sweep_t *sweep, const float *w, float *x, float *dy)
{
    switch (sweep->kind) {
#if TD_WITH_BATCH_NORM
    case TD_BATCH_NORM:
        norm_inputs(sweep, w, x, dy);
        break;
#endif
#if TD_WITH_DROPOUT
    case TD_DROPOUT:
        drop_inputs(sweep, x, dy);
        break;
#endif
#if TD_WITH_ADD
    case TD_ADD:
        add_inputs(sweep, x, dy);
        break;
#endif
    default:
        break;
    }
    (void)w;
}

void td_between_backward(const td_sweep_t *sweep, uint8_t trains, const float *w, float *dw, float *x, float *dy)
{
#if TD_WITH_BATCH_NORM
    if (sweep->kind == TD_BATCH_NORM && trains == TD_TRAIN_ALL)
        norm_weights(sweep, w, dw, x, dy);
#endif
    if (sweep->kind == TD_BATCH_NORM && trains == TD_TRAIN_BIAS)
        td_window_biases(sweep, dw, dy);
    if (sweep->shape.before != NULL)
        inputs(sweep, w, x, dy);
}

// ---- a plan that was not made by ours ----

// The other outputs are no inputs of this layer, are as many, and lie elsewhere than the sums.
static int add_fits(const td_plan_t *plan, uint32_t i)
{
    const td_layer_t *layer = &plan->layers[i], *other;
    if (!(layer->limit >= 0.0f && layer->limit + 4.0f <= (float)i) || (uint32_t)layer->limit % 2 != 0)
        return 0;
    other = &plan->layers[(uint32_t)layer->limit];
    return other->out == layer->in &&
           (layer->place >= other->place + other->out || other->place >= layer->place + layer->out);
}

int td_between_check(const td_plan_t *plan, uint32_t i)
{
    static const uint8_t built[] = {TD_WITH_BATCH_NORM, TD_WITH_DROPOUT, TD_WITH_ADD};
    const td_layer_t *layer = &plan->layers[i];
    const td_window_t *v = &plan->windows[i / 2];
    uint32_t places = (uint32_t)v->height * v->width;
    if (layer->kind > TD_ADD || layer->in != layer->out || v->filters != v->channels)
        return TD_EPLAN;
    if (places == 0 || v->channels == 0 || (uint64_t)places * v->channels != layer->in)
        return TD_EPLAN;
    if (layer->kind == TD_ADD ? !add_fits(plan, i) : !(layer->limit >= 0.0f && layer->limit < 1.0f))
        return TD_EPLAN;
    return built[layer->kind - TD_BATCH_NORM] ? 0 : TD_ENOKERNEL;
}
#endif
