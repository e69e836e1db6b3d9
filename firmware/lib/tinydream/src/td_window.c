// SPDX-License-Identifier: MIT
// td_window.c - convolutions and pools as SPEC.md defines them ("Windows").
#include "td_kernels.h"

#if TD_WITH_WINDOWS
// number (row, column) of a picture, each of `depth` channels
static inline size_t at(uint32_t row, uint32_t column, uint32_t width, uint32_t depth)
{
    return ((size_t)row * width + column) * depth;
}

static inline td_span_t span_down(const td_window_t *v, uint32_t r)
{
    return td_span(r, v->down, v->top, v->rows, v->height);
}

static inline td_span_t span_right(const td_window_t *v, uint32_t c)
{
    return td_span(c, v->right, v->left, v->columns, v->width);
}

// what is done with each output (r, c) of a row: its window's rows and columns, the output's place
#define EACH_OUTPUT(v, r, c)                        \
    for ((r) = 0; (r) < (v)->out_height; (r)++)      \
        for ((c) = 0; (c) < (v)->out_width; (c)++)

// ---- convolution ----

#if TD_WITH_CONV
void td_window_conv(const td_sweep_t *sweep, const float *w, const float *x, float *y)
{
    const td_window_t *v = sweep->window;
    uint32_t size = (uint32_t)v->rows * v->columns * v->channels, r, c, o, i, j, k;
    const float *bias = w + (size_t)size * v->filters;
    EACH_OUTPUT(v, r, c) {
        td_span_t down = span_down(v, r), right = span_right(v, c);
        uint32_t count = (right.end - right.first) * v->channels;
        for (o = 0; o < v->filters; o++) {
            float sum = bias[o];
            for (i = down.first, j = down.from; i < down.end; i++, j++) {
                const float *weight = w + (size_t)o * size + at(i, right.first, v->columns, v->channels);
                const float *input = x + at(j, right.from, v->width, v->channels);
                for (k = 0; k < count; k++)
                    sum += weight[k] * input[k];
            }
            *y++ = sum;
        }
    }
}

void td_window_conv_weights(const td_sweep_t *sweep, float *dw, const float *x, const float *dy)
{
    const td_window_t *v = sweep->window;
    uint32_t size = (uint32_t)v->rows * v->columns * v->channels, r, c, o, i, j, k;
    EACH_OUTPUT(v, r, c) {
        td_span_t down = span_down(v, r), right = span_right(v, c);
        uint32_t count = (right.end - right.first) * v->channels;
        for (o = 0; o < v->filters; o++, dy++) {
            for (i = down.first, j = down.from; i < down.end && *dy != 0.0f; i++, j++) {
                float *weight = dw + (size_t)o * size + at(i, right.first, v->columns, v->channels);
                const float *input = x + at(j, right.from, v->width, v->channels);
                for (k = 0; k < count; k++)
                    weight[k] += *dy * input[k];
            }
        }
    }
}

void td_window_conv_inputs(const td_sweep_t *sweep, const float *w, float *x, const float *dy)
{
    const td_window_t *v = sweep->window;
    uint32_t i, j, k, r, c, o;
    for (i = 0; i < v->height; i++)
        for (j = 0; j < v->width; j++) {
            td_span_t down = td_holders(i, v->down, v->top, v->rows, v->out_height);
            td_span_t right = td_holders(j, v->right, v->left, v->columns, v->out_width);
            for (k = 0; k < v->channels; k++, x++) {
                float sum = 0.0f;
                for (r = down.first; r < down.end; r++)
                    for (c = right.first; c < right.end; c++) {
                        const float *d = dy + at(r, c, v->out_width, v->filters), *weight = w + k;
                        weight += at(i + v->top - r * v->down, j + v->left - c * v->right, v->columns, v->channels);
                        for (o = 0; o < v->filters; o++, weight += (size_t)v->rows * v->columns * v->channels)
                            sum += *weight * d[o];
                    }
                *x = td_gate(sweep->shape.before, *x, sum);
            }
        }
}
#endif

// ---- depthwise ----

#if TD_WITH_DEPTHWISE
static void depthwise_forward(const td_window_t *v, const float *w, const float *x, float *y)
{
    const float *bias = w + (size_t)v->rows * v->columns * v->channels;
    uint32_t r, c, i, j, k;
    EACH_OUTPUT(v, r, c) {
        td_span_t down = span_down(v, r), right = span_right(v, c);
        for (k = 0; k < v->channels; k++)
            y[k] = bias[k];
        for (i = down.first; i < down.end; i++)
            for (j = right.first; j < right.end; j++) {
                const float *weight = w + at(i, j, v->columns, v->channels);
                const float *input = x + at(down.from + i - down.first, right.from + j - right.first, v->width, v->channels);
                for (k = 0; k < v->channels; k++)
                    y[k] += weight[k] * input[k];
            }
        y += v->channels;
    }
}

static void depthwise_weights(const td_window_t *v, float *dw, const float *x, const float *dy)
{
    uint32_t r, c, i, j, k;
    EACH_OUTPUT(v, r, c) {
        td_span_t down = span_down(v, r), right = span_right(v, c);
        for (i = down.first; i < down.end; i++)
            for (j = right.first; j < right.end; j++) {
                float *weight = dw + at(i, j, v->columns, v->channels);
                const float *input = x + at(down.from + i - down.first, right.from + j - right.first, v->width, v->channels);
                for (k = 0; k < v->channels; k++)
                    if (dy[k] != 0.0f)
                        weight[k] += dy[k] * input[k];
            }
        dy += v->channels;
    }
}

static void depthwise_inputs(const td_sweep_t *sweep, const float *w, float *x, const float *dy)
{
    const td_window_t *v = sweep->window;
    uint32_t i, j, k, r, c;
    for (i = 0; i < v->height; i++)
        for (j = 0; j < v->width; j++) {
            td_span_t down = td_holders(i, v->down, v->top, v->rows, v->out_height);
            td_span_t right = td_holders(j, v->right, v->left, v->columns, v->out_width);
            for (k = 0; k < v->channels; k++, x++) {
                float sum = 0.0f;
                for (r = down.first; r < down.end; r++)
                    for (c = right.first; c < right.end; c++)
                        sum += w[at(i + v->top - r * v->down, j + v->left - c * v->right, v->columns, v->channels) + k] *
                               dy[at(r, c, v->out_width, v->channels) + k];
                *x = td_gate(sweep->shape.before, *x, sum);
            }
        }
}
#endif

// ---- pools ----

#if TD_WITH_MAX_POOL
// the first largest number of channel 0 in a window
static size_t largest(const td_window_t *v, const float *x, uint32_t r, uint32_t c)
{
    td_span_t down = span_down(v, r), right = span_right(v, c);
    uint32_t i, j;
    size_t best = at(down.from, right.from, v->width, v->channels);
    for (i = 0; i < down.end - down.first; i++)
        for (j = 0; j < right.end - right.first; j++) {
            size_t here = at(down.from + i, right.from + j, v->width, v->channels);
            best = x[here] > x[best] ? here : best;
        }
    return best;
}

static void max_forward(const td_window_t *v, const float *x, float *y)
{
    uint32_t r, c, k;
    EACH_OUTPUT(v, r, c)
        for (k = 0; k < v->channels; k++)
            *y++ = x[largest(v, x + k, r, c) + k];
}

// inputs of an axis up to the next window, the last of which has all that is left
static uint32_t cell_end(uint32_t at, uint32_t outs, uint32_t stride, uint32_t pad, uint32_t length)
{
    return at + 1 == outs ? length : (at + 1) * stride - pad;
}

// All of a window but its largest, and what lies between windows, gets nothing.
static void max_inputs(const td_sweep_t *sweep, float *x, const float *dy)
{
    const td_window_t *v = sweep->window;
    uint32_t r, c, k, i, j;
    EACH_OUTPUT(v, r, c) {
        uint32_t first = r == 0 ? 0 : r * v->down - v->top, end = cell_end(r, v->out_height, v->down, v->top, v->height);
        uint32_t from = c == 0 ? 0 : c * v->right - v->left, to = cell_end(c, v->out_width, v->right, v->left, v->width);
        for (k = 0; k < v->channels; k++, dy++) {
            size_t best = largest(v, x + k, r, c) + k;
            float gradient = td_gate(sweep->shape.before, x[best], *dy);
            for (i = first; i < end; i++)
                for (j = from; j < to; j++)
                    x[at(i, j, v->width, v->channels) + k] = 0.0f;
            x[best] = gradient;
        }
    }
}
#endif

#if TD_WITH_AVERAGE_POOL
// 1 / how many inputs a window has
static float share(const td_window_t *v, uint32_t r, uint32_t c)
{
    td_span_t down = span_down(v, r), right = span_right(v, c);
    return 1.0f / (float)((down.end - down.first) * (right.end - right.first));
}

static void average_forward(const td_window_t *v, const float *x, float *y)
{
    uint32_t r, c, i, j, k;
    EACH_OUTPUT(v, r, c) {
        td_span_t down = span_down(v, r), right = span_right(v, c);
        float part = share(v, r, c);
        for (k = 0; k < v->channels; k++) {
            float sum = 0.0f;
            for (i = 0; i < down.end - down.first; i++)
                for (j = 0; j < right.end - right.first; j++)
                    sum += x[at(down.from + i, right.from + j, v->width, v->channels) + k];
            *y++ = sum * part;
        }
    }
}

static void average_inputs(const td_sweep_t *sweep, float *x, const float *dy)
{
    const td_window_t *v = sweep->window;
    uint32_t i, j, k, r, c;
    for (i = 0; i < v->height; i++)
        for (j = 0; j < v->width; j++) {
            td_span_t down = td_holders(i, v->down, v->top, v->rows, v->out_height);
            td_span_t right = td_holders(j, v->right, v->left, v->columns, v->out_width);
            for (k = 0; k < v->channels; k++, x++) {
                float sum = 0.0f;
                for (r = down.first; r < down.end; r++)
                    for (c = right.first; c < right.end; c++)
                        sum += dy[at(r, c, v->out_width, v->channels) + k] * share(v, r, c);
                *x = td_gate(sweep->shape.before, *x, sum);
            }
        }
}
#endif

// ---- whichever it is, row by row ----

void td_window_forward(const td_sweep_t *sweep, const float *w, const float *x, float *y)
{
    uint32_t b;
    for (b = 0; b < sweep->shape.rows; b++, x += sweep->shape.step, y += sweep->shape.out) {
#if TD_WITH_CONV
        if (sweep->kind == TD_CONV)
            td_conv_forward(sweep, w, x, y);
#endif
#if TD_WITH_DEPTHWISE
        if (sweep->kind == TD_DEPTHWISE)
            depthwise_forward(sweep->window, w, x, y);
#endif
#if TD_WITH_MAX_POOL
        if (sweep->kind == TD_MAX_POOL)
            max_forward(sweep->window, x, y);
#endif
#if TD_WITH_AVERAGE_POOL
        if (sweep->kind == TD_AVERAGE_POOL)
            average_forward(sweep->window, x, y);
#endif
    }
    (void)w; // of convolutions only
}

void td_window_biases(const td_sweep_t *sweep, float *dbias, const float *dy)
{
    const float *d, *end = dy + (size_t)sweep->shape.rows * sweep->shape.out;
    uint32_t o = 0, filters = sweep->window->filters;
    for (; o + 4 <= filters; o += 4, dbias += 4, dy += 4) {
        float s0 = dbias[0], s1 = dbias[1], s2 = dbias[2], s3 = dbias[3];
        for (d = dy; d < end; d += filters) {
            s0 += d[0];
            s1 += d[1];
            s2 += d[2];
            s3 += d[3];
        }
        dbias[0] = s0;
        dbias[1] = s1;
        dbias[2] = s2;
        dbias[3] = s3;
    }
    for (; o < filters; o++, dbias++, dy++)
        for (d = dy; d < end; d += filters)
            *dbias += *d;
}

void td_window_weights(const td_sweep_t *sweep, float *dw, const float *x, const float *dy)
{
    const td_window_t *v = sweep->window;
    size_t weights = (size_t)v->rows * v->columns * v->channels * (sweep->kind == TD_CONV ? v->filters : 1u);
    uint32_t b;
    if (sweep->kind > TD_DEPTHWISE) // pools have none
        return;
    td_window_biases(sweep, dw + weights, dy);
    for (b = 0; b < sweep->shape.rows; b++, x += sweep->shape.step, dy += sweep->shape.out) {
#if TD_WITH_CONV
        if (sweep->kind == TD_CONV)
            td_conv_weights(sweep, dw, x, dy);
#endif
#if TD_WITH_DEPTHWISE
        if (sweep->kind == TD_DEPTHWISE)
            depthwise_weights(v, dw, x, dy);
#endif
    }
    (void)x; // of convolutions only
}

void td_window_inputs(const td_sweep_t *sweep, const float *w, float *x, const float *dy)
{
    uint32_t b;
    for (b = 0; b < sweep->shape.rows; b++, x += sweep->shape.step, dy += sweep->shape.out) {
#if TD_WITH_CONV
        if (sweep->kind == TD_CONV)
            td_conv_inputs(sweep, w, x, dy);
#endif
#if TD_WITH_DEPTHWISE
        if (sweep->kind == TD_DEPTHWISE)
            depthwise_inputs(sweep, w, x, dy);
#endif
#if TD_WITH_MAX_POOL
        if (sweep->kind == TD_MAX_POOL)
            max_inputs(sweep, x, dy);
#endif
#if TD_WITH_AVERAGE_POOL
        if (sweep->kind == TD_AVERAGE_POOL)
            average_inputs(sweep, x, dy);
#endif
    }
    (void)w; // of convolutions only
}

// ---- a plan that was not made by ours ----

// every window has inputs, along one axis
static int axis_fits(uint32_t length, uint32_t outs, uint32_t size, uint32_t stride, uint32_t pad)
{
    return length > 0 && outs > 0 && size > 0 && stride > 0 && pad < size && (uint64_t)(outs - 1) * stride < (uint64_t)length + pad;
}

int td_window_check(const td_plan_t *plan, uint32_t i)
{
    static const uint8_t built[] = {TD_WITH_CONV, TD_WITH_DEPTHWISE, TD_WITH_MAX_POOL, TD_WITH_AVERAGE_POOL};
    const td_layer_t *layer = &plan->layers[i];
    const td_window_t *v = &plan->windows[i / 2];
    uint64_t in = (uint64_t)v->height * v->width * v->channels, out = (uint64_t)v->out_height * v->out_width * v->filters;
    uint64_t taps = (uint64_t)v->rows * v->columns;
    if (layer->kind >= TD_BATCH_NORM)
#if TD_WITH_BETWEEN
        return td_between_check(plan, i);
#else
        return TD_ENOKERNEL;
#endif
    if (!axis_fits(v->height, v->out_height, v->rows, v->down, v->top) ||
        !axis_fits(v->width, v->out_width, v->columns, v->right, v->left))
        return TD_EPLAN;
    if (in != layer->in || out != layer->out || taps * v->channels > 0xffffffu)
        return TD_EPLAN;
    if (layer->kind == TD_CONV ? taps * v->channels * v->filters > 0xffffffu : v->filters != v->channels)
        return TD_EPLAN;
    if (layer->kind == TD_MAX_POOL && (v->down < v->rows || v->right < v->columns))
        return TD_EPLAN;
    return built[layer->kind - TD_CONV] ? 0 : TD_ENOKERNEL;
}
#endif
