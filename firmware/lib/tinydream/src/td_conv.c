// SPDX-License-Identifier: MIT
// td_conv.c - the convolution of td_window.c, fast: the same bits from four or eight sums at a time, each in its order.
#include "td_kernels.h"

#if TD_WITH_CONV
#include "td_conv_loops.h"

// Along one axis, the windows first..end whose tap `tap` lies inside, and the input that the first one's meets
static td_span_t reach(uint32_t tap, uint32_t stride, uint32_t pad, uint32_t length, uint32_t outs)
{
    td_span_t span = {0, 0, 0};
    if (tap < pad)
        span.first = (pad - tap + stride - 1) / stride;
    if (length + pad > tap)
        span.end = (length + pad - tap - 1) / stride + 1;
    span.end = span.end < outs ? span.end : outs;
    span.from = span.first * stride + tap - pad;
    return span;
}

// ---- forward: four filters ----

// at least four filters; where they are no multiple of four, the last tile does some of them again
static void window_forward(const td_window_t *v, const float *w, const float *bias, const float *x, float *y,
                           td_span_t down, td_span_t right)
{
    uint32_t segment = (uint32_t)v->columns * v->channels, row = (uint32_t)v->width * v->channels;
    uint32_t size = v->rows * segment, count = (right.end - right.first) * v->channels, left = v->filters - 4u, i, n;
    w += down.first * segment + right.first * v->channels;
    x += down.from * row + right.from * v->channels;
    do {
        if (count == segment)
            loop_window4(w, size, x, row - count, down.end - down.first, count, bias, y);
        for (i = 0; count != segment && i < down.end - down.first; i++)
            loop_window4(w + i * segment, size, x + i * row, 0, 1, count, i == 0 ? bias : y, y);
        n = left < 4 ? left : 4;
        w += n * size;
        bias += n;
        y += n;
        left -= n;
    } while (n > 0);
}

void td_conv_forward(const td_sweep_t *sweep, const float *w, const float *x, float *y)
{
    const td_window_t *v = sweep->window;
    const float *bias = w + (size_t)v->rows * v->columns * v->channels * v->filters;
    uint32_t r, c;
    if (v->filters < 4) {
        td_window_conv(sweep, w, x, y);
        return;
    }
    for (r = 0; r < v->out_height; r++) {
        td_span_t down = td_span(r, v->down, v->top, v->rows, v->height);
        for (c = 0; c < v->out_width; c++, y += v->filters)
            window_forward(v, w, bias, x, y, down, td_span(c, v->right, v->left, v->columns, v->width));
    }
}

// ---- gradients of the weights: eight or sixteen taps of a filter, or eight filters of a tap ----

typedef struct {
    const td_window_t *window;
    const float *x, *dy;        // of the first window that has the tap, and its filter 0
    loop_field_t taps, filters; // v: x, s: dy; and the other way round
    td_span_t right;
    uint32_t size;              // weights of a filter
} field_t;

// where tap (i, j) meets numbers, if it does
static int meet(field_t *f, uint32_t i, uint32_t j, const float *x, const float *dy)
{
    const td_window_t *v = f->window;
    td_span_t down = reach(i, v->down, v->top, v->height, v->out_height);
    td_span_t right = reach(j, v->right, v->left, v->width, v->out_width);
    uint32_t count = right.end - right.first, step = (uint32_t)v->right * v->channels;
    int32_t skip = (int32_t)((uint32_t)v->down * v->width * v->channels - count * step);
    int32_t d_skip = (int32_t)((v->out_width - count) * v->filters);
    if (down.first >= down.end || right.first >= right.end)
        return 0;
    f->x = x + ((size_t)down.from * v->width + right.from) * v->channels;
    f->dy = dy + ((size_t)down.first * v->out_width + right.first) * v->filters;
    f->right = right;
    f->taps = (loop_field_t){down.end - down.first, count, step, v->filters, skip, d_skip};
    f->filters = (loop_field_t){down.end - down.first, count, v->filters, step, d_skip, skip};
    return 1;
}

static void one_weight(const loop_field_t *f, float *dw, const float *x, const float *d)
{
    uint32_t rows, n;
    for (rows = f->rows; rows > 0; rows--, x += f->v_skip, d += f->s_skip)
        for (n = f->count; n > 0; n--, x += f->v_step, d += f->s_step)
            if (loop_some(*d))
                *dw += *d * *x;
}

static void one_tap(const field_t *f, float *dw, uint32_t channel)
{
    uint32_t o, k;
    for (o = 0; o + 8 <= f->window->filters; o += 8, dw += 8 * f->size) {
        float sum[8];
        for (k = 0; k < 8; k++)
            sum[k] = dw[k * f->size];
        loop_field8(&f->filters, sum, f->dy + o, f->x + channel);
        for (k = 0; k < 8; k++)
            dw[k * f->size] = sum[k];
    }
    for (; o < f->window->filters; o++, dw += f->size)
        one_weight(&f->taps, dw, f->x + channel, f->dy + o);
}

static void taps(const field_t *f, float *dw, uint32_t channel, uint32_t n)
{
    uint32_t o;
    for (o = 0; o < f->window->filters; o++, dw += f->size)
        if (n == 8)
            loop_field8(&f->taps, dw, f->x + channel, f->dy + o);
        else
            loop_field16(&f->taps, dw, f->x + channel, f->dy + o);
}

// whether n weights from t on are of taps that lie inside of the same windows
static int go_together(const field_t *f, uint32_t t, uint32_t n)
{
    const td_window_t *v = f->window;
    td_span_t right = reach((t + n - 1) / v->channels, v->right, v->left, v->width, v->out_width);
    return t + n <= (uint32_t)v->columns * v->channels && right.first == f->right.first && right.end == f->right.end;
}

void td_conv_weights(const td_sweep_t *sweep, float *dw, const float *x, const float *dy)
{
    const td_window_t *v = sweep->window;
    uint32_t segment = (uint32_t)v->columns * v->channels, i, t, n;
    field_t f = {0};
    f.window = v;
    f.size = v->rows * segment;
    for (i = 0; i < v->rows; i++, dw += segment)
        for (t = 0; t < segment; t += n) {
            uint32_t j = t / v->channels, channel = t - j * v->channels;
            n = 1;
            if (!meet(&f, i, j, x, dy))
                continue;
            n = go_together(&f, t, 16) ? 16 : go_together(&f, t, 8) ? 8 : 1;
            if (n == 1)
                one_tap(&f, dw + t, channel);
            else
                taps(&f, dw + t, channel, n);
        }
}

// ---- gradients of the inputs: eight channels ----

typedef struct {
    float of[8];
} eight_t;

static const eight_t zeros;

static void input_backward(const td_window_t *v, const float *w, const float *dy, td_span_t down, td_span_t right,
                           float *sum)
{
    uint32_t size = (uint32_t)v->rows * v->columns * v->channels, r, c;
    loop_field_t field = {1, v->filters, size, 1, 0, 0};
    for (r = down.first; r < down.end; r++)
        for (c = right.first; c < right.end; c++)
            loop_field8(&field, sum, w - ((size_t)r * v->down * v->columns + c * v->right) * v->channels,
                        dy + ((size_t)r * v->out_width + c) * v->filters);
}

void td_conv_inputs(const td_sweep_t *sweep, const float *w, float *x, const float *dy)
{
    const td_window_t *v = sweep->window;
    uint32_t p, q, k, n;
    if (v->channels < 8) {
        td_window_conv_inputs(sweep, w, x, dy);
        return;
    }
    for (p = 0; p < v->height; p++) {
        td_span_t down = td_holders(p, v->down, v->top, v->rows, v->out_height);
        for (q = 0; q < v->width; q++) {
            td_span_t right = td_holders(q, v->right, v->left, v->columns, v->out_width);
            const float *tap = w + ((size_t)(p + v->top) * v->columns + q + v->left) * v->channels;
            for (k = 0; k < v->channels; k += n) {
                uint32_t at = k + 8 <= v->channels ? k : v->channels - 8u, e; // the last tile sums some again
                eight_t sum = zeros;
                input_backward(v, tap + at, dy, down, right, sum.of);
                for (n = at + 8 - k, e = 8 - n; e < 8; e++, x++)
                    *x = td_gate(sweep->shape.before, *x, sum.of[e]);
            }
        }
    }
}
#endif
