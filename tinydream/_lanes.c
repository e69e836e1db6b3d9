// SPDX-License-Identifier: MIT
// _lanes.c - the core's dense kernels for processors with vectors, where a simulator trains for hours.
//
// Forward, a vector holds one number of eight rows; backward, eight columns of one row. Each sum is still
// made one term after the other, so the bits are those of td_dense.c.
#include <string.h>

#include "td_kernels.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__)
#define CLONES __attribute__((target_clones("avx2", "default"))) // chosen when the program is loaded
#else
#define CLONES
#endif

typedef float lanes_t __attribute__((vector_size(32)));

#define LOAD(v, p) memcpy(&(v), p, sizeof(lanes_t))
#define STORE(p, v) memcpy(p, &(v), sizeof(lanes_t))

// ---- forward ----

// column j of eight rows, from as many rows as there are; the rest is not looked at
static void turn(const td_shape_t *shape, const float *x, uint32_t rows, float *turned)
{
    uint32_t j, b;
    for (b = 0; b < rows; b++, x += shape->step)
        for (j = 0; j < shape->in; j++)
            turned[8 * j + b] = x[j];
}

CLONES static void forward8(const td_shape_t *shape, const float *w, const float *turned, uint32_t rows,
                            float *y)
{
    size_t in = shape->in;
    uint32_t o, k, b, j;
    for (o = 0; o < shape->out; o += 8) {
        uint32_t at = o + 8 <= shape->out ? o : shape->out - 8u; // the last tile may do some outputs again
        const float *p = w + at * in, *bias = w + shape->out * in + at;
        lanes_t sum[8];
        for (k = 0; k < 8; k++)
            sum[k] = (lanes_t){0.0f} + bias[k];
        for (j = 0; j < in; j++, p++) {
            lanes_t v;
            LOAD(v, turned + 8 * j);
            sum[0] += v * p[0];
            sum[1] += v * p[in];
            sum[2] += v * p[2 * in];
            sum[3] += v * p[3 * in];
            sum[4] += v * p[4 * in];
            sum[5] += v * p[5 * in];
            sum[6] += v * p[6 * in];
            sum[7] += v * p[7 * in];
        }
        for (k = 0; k < 8; k++)
            for (b = 0; b < rows; b++)
                y[(size_t)b * shape->out + at + k] = sum[k][b];
    }
}

int td_lanes_forward(const td_shape_t *shape, const float *w, const float *x, float *y)
{
    enum { COLUMNS = 1024 };
    float turned[8 * COLUMNS];
    uint32_t b, rows;
    if (shape->out < 8 || shape->in > COLUMNS || shape->rows < 3)
        return 0;
    memset(turned, 0, 8 * shape->in * sizeof *turned);
    for (b = 0; b < shape->rows; b += rows, x += (size_t)rows * shape->step, y += (size_t)rows * shape->out) {
        rows = shape->rows - b < 8u ? shape->rows - b : 8u;
        turn(shape, x, rows, turned);
        forward8(shape, w, turned, rows, y);
    }
    return 1;
}

// ---- backward ----

// to[j] += sum over i ascending of weight[i] * from[i][j]
CLONES static void add(float *to, uint32_t count, const float *const *from, const float *weight, uint32_t n)
{
    uint32_t j = 0, i;
    for (; j + 32 <= count; j += 32) {
        lanes_t a, b, c, d, v;
        LOAD(a, to + j);
        LOAD(b, to + j + 8);
        LOAD(c, to + j + 16);
        LOAD(d, to + j + 24);
        for (i = 0; i < n; i++) {
            const float *p = from[i] + j;
            LOAD(v, p);
            a += v * weight[i];
            LOAD(v, p + 8);
            b += v * weight[i];
            LOAD(v, p + 16);
            c += v * weight[i];
            LOAD(v, p + 24);
            d += v * weight[i];
        }
        STORE(to + j, a);
        STORE(to + j + 8, b);
        STORE(to + j + 16, c);
        STORE(to + j + 24, d);
    }
    for (; j + 8 <= count; j += 8) {
        lanes_t a, v;
        LOAD(a, to + j);
        for (i = 0; i < n; i++) {
            LOAD(v, from[i] + j);
            a += v * weight[i];
        }
        STORE(to + j, a);
    }
    for (; j < count; j++)
        for (i = 0; i < n; i++)
            to[j] += from[i][j] * weight[i];
}

// one output's gradients from rows of x where dy is not 0
static void weights_backward(const td_shape_t *shape, float *dw, float *dbias, const float *x, const float *dy)
{
    const float *from[32];
    float weight[32], sum = *dbias;
    uint32_t b, n = 0;
    for (b = 0; b < shape->rows; b++, x += shape->step, dy += shape->out) {
        from[n] = x;
        weight[n] = *dy;
        sum += *dy;
        n += *dy != 0.0f;
        if (n == 32) {
            add(dw, shape->in, from, weight, n);
            n = 0;
        }
    }
    *dbias = sum;
    add(dw, shape->in, from, weight, n);
}

static void inputs_backward(const td_shape_t *shape, const float *w, float *x, const float *dy)
{
    enum { COLUMNS = 256 };
    float sum[COLUMNS];
    const float *from[COLUMNS];
    uint32_t j, k, o, i, count, n;
    for (j = 0; j < shape->in; j += count) {
        count = shape->in - j < COLUMNS ? shape->in - j : COLUMNS;
        memset(sum, 0, sizeof sum);
        for (o = 0; o < shape->out; o += n) {
            n = shape->out - o < COLUMNS ? shape->out - o : COLUMNS;
            for (i = 0; i < n; i++)
                from[i] = w + (size_t)(o + i) * shape->in + j;
            add(sum, count, from, dy + o, n);
        }
        for (k = 0; k < count; k++)
            x[j + k] = td_gate(shape->before, x[j + k], sum[k]);
    }
}

void td_lanes_inputs(const td_shape_t *shape, const float *w, float *x, const float *dy)
{
    uint32_t b;
    for (b = 0; shape->before && b < shape->rows; b++, x += shape->step, dy += shape->out)
        inputs_backward(shape, w, x, dy);
}

void td_lanes_backward(const td_shape_t *shape, const float *w, float *dw, float *x, const float *dy)
{
    float *dbias = dw + (size_t)shape->out * shape->in;
    uint32_t o;
    for (o = 0; o < shape->out; o++)
        weights_backward(shape, dw + (size_t)o * shape->in, dbias + o, x, dy + o);
    td_lanes_inputs(shape, w, x, dy);
}
