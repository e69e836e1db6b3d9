// SPDX-License-Identifier: MIT
// project.c - a linear projection, trained with a small network behind it: rows A -> hidden, ReLU -> outputs; or the
// network without one.
// Matrices are padded with zeros to whole tiles; what is zero there stays zero. Every sum adds in ascending order,
// in float32, so that the projection is the same on every machine.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "td_internal.h"

enum { LANES = 8, TILE = 16 }; // sizes are padded to whole tiles
typedef float lanes_t __attribute__((vector_size(4 * LANES)));
typedef int32_t marks_t __attribute__((vector_size(4 * LANES)));

static const float BETA1 = 0.9f, BETA2 = 0.999f, EPSILON = 1e-8f;

typedef struct {
    float *A, *W1, *b1, *W2, *b2; // (D, R), (R, H), (H), (H, K), (K), one after the other
} weights_t;

typedef struct {
    size_t B, D, R, H, K; // batch, columns, projected columns (or columns again), hidden, outputs; padded
    size_t count;         // of weights
    weights_t w, g;       // and their gradients
    float *mean, *square; // Adam's moments of the gradients
    float *x, *p, *a, *o; // (B, D), (B, R), (B, H), (B, K); without a projection p is x; o becomes its gradient
    float *dp, *da, *turned;
    size_t *drawn; // (B)
} net_t;

// Of the hidden layer.
static size_t inputs(const project_t *job)
{
    return job->r ? job->r : job->d;
}

// c (m, n) = left (m, k) right (k, n), where left[i][p] is x[i * row + p * column]; m and n are whole tiles.
#define PRODUCT(NAME, TALL, VECTOR)                                                                                    \
    static void NAME(float *c, const float *x, size_t row, size_t column, const float *right, size_t m, size_t k,      \
                     size_t n)                                                                                         \
    {                                                                                                                  \
        for (size_t i = 0; i < m; i += (TALL))                                                                         \
            for (size_t j = 0; j < n; j += sizeof(VECTOR) / sizeof *c) {                                               \
                VECTOR sum[TALL] = {{0}};                                                                              \
                for (size_t p = 0; p < k; p++) {                                                                       \
                    VECTOR y;                                                                                          \
                    memcpy(&y, right + p * n + j, sizeof y);                                                           \
                    for (size_t t = 0; t < (TALL); t++)                                                                \
                        sum[t] += x[(i + t) * row + p * column] * y;                                                   \
                }                                                                                                      \
                for (size_t t = 0; t < (TALL); t++)                                                                    \
                    memcpy(c + (i + t) * n + j, &sum[t], sizeof sum[t]);                                               \
            }                                                                                                          \
    }

#ifdef WIDE_TARGET
typedef float wide_t __attribute__((vector_size(64)));
WIDE_TARGET PRODUCT(product_wide, 16, wide_t)
#endif
KERNEL_CLONES PRODUCT(product_narrow, 8, lanes_t)

static void product(float *c, const float *x, size_t row, size_t column, const float *right, size_t m, size_t k,
                    size_t n)
{
#ifdef WIDE_TARGET
    if (__builtin_cpu_supports("avx512f")) {
        product_wide(c, x, row, column, right, m, k, n);
        return;
    }
#endif
    product_narrow(c, x, row, column, right, m, k, n);
}

static void turn(float *to, const float *from, size_t m, size_t n)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            to[j * m + i] = from[i * n + j];
}

static void add_bias(float *values, const float *bias, size_t m, size_t n)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            values[i * n + j] += bias[j];
}

static void add_columns(float *sum, const float *values, size_t m, size_t n)
{
    memset(sum, 0, n * sizeof *sum);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            sum[j] += values[i * n + j];
}

// Rows lie anywhere: all are on their way before the first is waited for.
static void fetch_row(const float *row, size_t d)
{
#ifdef __GNUC__
    for (size_t j = 0; j < d; j += 16)
        __builtin_prefetch(row + j);
#else
    (void)row, (void)d;
#endif
}

// Rows are drawn with replacement: those from `first` on, of the stream that `key` begins.
static void draw(net_t *t, const project_t *job, uint32_t key, size_t first)
{
    for (size_t i = 0; i < job->batch; i++) {
        t->drawn[i] = (size_t)((uint64_t)td_hash(key + (uint32_t)(first + i)) * job->n >> 32);
        fetch_row(job->rows + t->drawn[i] * job->d, job->d);
    }
    for (size_t i = 0; i < job->batch; i++)
        memcpy(t->x + i * t->D, job->rows + t->drawn[i] * job->d, job->d * sizeof *t->x);
}

KERNEL_CLONES
static void forward(net_t *t, const project_t *job)
{
    if (job->r)
        product(t->p, t->x, t->D, 1, t->w.A, t->B, job->d, t->R);
    product(t->a, t->p, t->R, 1, t->w.W1, t->B, inputs(job), t->H);
    add_bias(t->a, t->w.b1, t->B, t->H);
    for (size_t i = 0; i < t->B * t->H; i++)
        t->a[i] = t->a[i] > 0 ? t->a[i] : 0;
    product(t->o, t->a, t->H, 1, t->w.W2, t->B, job->hidden, t->K);
    add_bias(t->o, t->w.b2, t->B, t->K);
}

// td_exp of numbers up to 0, bit for bit.
KERNEL_CLONES
static void exp_all(float *o, size_t count, float largest)
{
    for (size_t k = 0; k < count; k += LANES) {
        lanes_t x, r, q;
        memcpy(&x, o + k, sizeof x);
        x -= largest;
        marks_t some = x >= -87.0f, none = x < -87.0f; // neither: no number
        lanes_t inside = (lanes_t)((marks_t)x & some);
        marks_t n = __builtin_convertvector(inside * 1.44269504f - 0.5f, marks_t);
        lanes_t whole = __builtin_convertvector(n, lanes_t);
        r = (inside - whole * 0.693145752f) - whole * 1.42860677e-06f;
        q = ((0.00138146128f * r + 0.00836871006f) * r + 0.041668389f) * r + 0.166665211f;
        q = q * r + 0.49999994f;
        lanes_t y = 1.0f + (r + (r * r) * q);
        marks_t bits = ((marks_t)y + (n << 23)) & some;
        bits |= (marks_t)x & ~some & ~none;
        memcpy(o + k, &bits, sizeof bits);
    }
}

// Softmax less the label; squared errors' slope. SPEC.md, "Losses".
static void label_slope(float *o, size_t count, size_t padded, size_t label)
{
    float largest = o[0], sum = 0;
    for (size_t k = 1; k < count; k++)
        largest = o[k] > largest ? o[k] : largest;
    for (size_t k = count; k < padded; k++)
        o[k] = largest;
    exp_all(o, padded, largest);
    for (size_t k = 0; k < count; k++)
        sum += o[k];
    memset(o + count, 0, (padded - count) * sizeof *o);
    float inverse = 1 / sum;
    for (size_t k = 0; k < count; k++)
        o[k] *= inverse;
    o[label] -= 1;
}

static void target_slope(float *o, size_t count, const float *target)
{
    float slope = 2 / (float)count;
    for (size_t k = 0; k < count; k++)
        o[k] = (o[k] - target[k]) * slope;
}

// Outputs become the gradient of the batch's mean loss.
static void outputs_to_gradient(net_t *t, const project_t *job)
{
    float share = 1 / (float)job->batch;
    for (size_t i = 0; i < t->B; i++) {
        float *o = t->o + i * t->K;
        if (i >= job->batch)
            memset(o, 0, t->K * sizeof *o);
        else if (job->labels)
            label_slope(o, job->outputs, t->K, (size_t)job->labels[t->drawn[i]]);
        else
            target_slope(o, job->outputs, job->targets + t->drawn[i] * job->outputs);
        for (size_t k = 0; k < job->outputs; k++)
            o[k] *= share;
    }
}

KERNEL_CLONES
static void backward(net_t *t, const project_t *job)
{
    product(t->g.W2, t->a, 1, t->H, t->o, t->H, t->B, t->K);
    add_columns(t->g.b2, t->o, t->B, t->K);
    turn(t->turned, t->w.W2, t->H, t->K);
    product(t->da, t->o, t->K, 1, t->turned, t->B, job->outputs, t->H);
    for (size_t i = 0; i < t->B * t->H; i++)
        t->da[i] = t->a[i] > 0 ? t->da[i] : 0;
    product(t->g.W1, t->p, 1, t->R, t->da, t->R, t->B, t->H);
    add_columns(t->g.b1, t->da, t->B, t->H);
    if (!job->r)
        return;
    turn(t->turned, t->w.W1, t->R, t->H);
    product(t->dp, t->da, t->H, 1, t->turned, t->B, job->hidden, t->R);
    product(t->g.A, t->x, 1, t->D, t->dp, t->D, t->B, t->R);
}

KERNEL_CLONES
static void adam(const net_t *t, float alpha, float decay)
{
    float *restrict w = t->w.A, *restrict g = t->g.A, *restrict m = t->mean, *restrict v = t->square;
    for (size_t i = 0; i < t->count; i++) {
        float slope = g[i] + decay * w[i];
        m[i] += (slope - m[i]) * (1 - BETA1);
        v[i] += (slope * slope - v[i]) * (1 - BETA2);
        w[i] -= (m[i] * alpha) / (sqrtf(v[i]) + EPSILON);
    }
}

// The rate falls along 1 - 3 s^2 + 2 s^3, within one part in a hundred of half a cosine.
static void train(net_t *t, const project_t *job)
{
    float power1 = 1, power2 = 1;
    uint32_t order = td_key(job->seed, TD_STREAM_ORDER);
    for (size_t step = 0; step < job->steps; step++) {
        float done = (float)step / (float)job->steps, rate = job->rate * (1 - done * done * (3 - 2 * done));
        draw(t, job, order, step * job->batch);
        forward(t, job);
        outputs_to_gradient(t, job);
        backward(t, job);
        power1 *= BETA1;
        power2 *= BETA2;
        adam(t, rate * sqrtf(1 - power2) / (1 - power1), job->decay);
    }
}

// Glorot's uniform weights, counted on from `first`; biases are 0.
static void initial_weights(float *w, size_t in, size_t out, size_t stride, uint32_t key, size_t first)
{
    float limit = sqrtf(6 / (float)(in + out));
    for (size_t i = 0; i < in; i++)
        for (size_t o = 0; o < out; o++) {
            uint32_t number = td_hash(key + (uint32_t)(first + i * out + o)) >> 8;
            w[i * stride + o] = (float)((int32_t)number - (1 << 23)) * 0x1p-23f * limit;
        }
}

static void copy_rows(float *to, size_t to_stride, const float *from, size_t from_stride, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(to + i * to_stride, from + i * from_stride, columns * sizeof *to);
}

static float *take(float **next, size_t count)
{
    float *here = *next;
    *next += count;
    return here;
}

static weights_t take_weights(const net_t *t, size_t projection, float **next)
{
    weights_t w;
    w.A = take(next, projection);
    w.W1 = take(next, t->R * t->H);
    w.b1 = take(next, t->H);
    w.W2 = take(next, t->H * t->K);
    w.b2 = take(next, t->K);
    return w;
}

static size_t whole(size_t count)
{
    return (count + TILE - 1) / TILE * TILE;
}

// All numbers zero, in one block that begins with the weights; -1 without memory.
static int open_net(net_t *t, const project_t *job)
{
    size_t B = t->B = whole(job->batch), D = t->D = whole(job->d), R = t->R = whole(inputs(job));
    size_t H = t->H = whole(job->hidden), K = t->K = whole(job->outputs), turned = H * (K > R ? K : R);
    size_t projection = job->r ? D * R : 0;
    t->count = projection + R * H + H + H * K + K;
    t->drawn = malloc(B * sizeof *t->drawn);
    float *next = calloc(4 * t->count + B * (D + 2 * R + 2 * H + K) + turned, sizeof *next);
    t->w.A = next;
    if (!next || !t->drawn)
        return -1;
    t->w = take_weights(t, projection, &next);
    t->g = take_weights(t, projection, &next);
    t->mean = take(&next, t->count);
    t->square = take(&next, t->count);
    t->x = take(&next, B * D);
    t->p = job->r ? take(&next, B * R) : t->x;
    t->a = take(&next, B * H);
    t->o = take(&next, B * K);
    t->dp = take(&next, B * R);
    t->da = take(&next, B * H);
    t->turned = take(&next, turned);
    return 0;
}

// The weights as a caller has them: without padding, one matrix after the other.
static void give_weights(const net_t *t, const project_t *job, float *weights)
{
    size_t d = job->d, r = job->r, m = inputs(job), h = job->hidden, k = job->outputs;
    copy_rows(take(&weights, d * r), r, t->w.A, t->R, r ? d : 0, r);
    copy_rows(take(&weights, m * h), h, t->w.W1, t->H, m, h);
    copy_rows(take(&weights, h), h, t->w.b1, t->H, 1, h);
    copy_rows(take(&weights, h * k), k, t->w.W2, t->K, h, k);
    copy_rows(take(&weights, k), k, t->w.b2, t->K, 1, k);
}

int project_train(const project_t *job, float *weights)
{
    net_t t;
    int failed = open_net(&t, job);
    if (!failed) {
        uint32_t key = td_key(job->seed, TD_STREAM_WEIGHTS);
        copy_rows(t.w.A, t.R, weights, job->r, job->r ? job->d : 0, job->r);
        initial_weights(t.w.W1, inputs(job), job->hidden, t.H, key, 0);
        initial_weights(t.w.W2, job->hidden, job->outputs, t.K, key, inputs(job) * job->hidden);
        train(&t, job);
        give_weights(&t, job, weights);
    }
    free(t.w.A);
    free(t.drawn);
    return failed;
}
