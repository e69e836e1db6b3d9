// SPDX-License-Identifier: MIT
// td_loops.h - the innermost loops of td_fast.c and td_update.c, in C; for Arm's FPU see td_loops_vfp.h.
//
// Sums keep the order of SPEC.md: what is spread over registers are outputs, columns or rows, never the
// terms of one sum. Terms that are 0 may be left out: no sum here is ever -0, so they change nothing.
#ifndef TD_LOOPS_H
#define TD_LOOPS_H

#include "td_config.h"

#include <stdint.h>

// without an FPU an addition costs more than looking whether there is anything to add
#if defined(__SOFTFP__) || (defined(__riscv) && !defined(__riscv_flen))
// any number but 0; a comparison of floats would be a call
static inline int loop_some(float v)
{
    union {
        float f;
        uint32_t u;
    } bits = {v};
    return bits.u << 1 != 0;
}
#define loop_worth loop_some
#else
#define loop_some(v) ((v) != 0.0f)
#define loop_worth(v) 1
#endif

#ifdef TD_VFP
#include "td_loops_vfp.h"
#else

// y[k] = bias[k] + sum of w[k][j] * x[j], k = 0..3: four rows of W share each x
static inline void loop_dot4(const float *w, uint32_t in, const float *bias, const float *x, float *y)
{
    const float *w1 = w + in, *w2 = w1 + in, *w3 = w2 + in;
    float s0 = bias[0], s1 = bias[1], s2 = bias[2], s3 = bias[3];
    uint32_t j;
    for (j = 0; j < in; j++) {
        float v = x[j];
        if (!loop_worth(v))
            continue;
        s0 += w[j] * v;
        s1 += w1[j] * v;
        s2 += w2[j] * v;
        s3 += w3[j] * v;
    }
    y[0] = s0;
    y[1] = s1;
    y[2] = s2;
    y[3] = s3;
}

// y[j] += d * x[j]
static inline void loop_add1(float *y, const float *x, float d, uint32_t count)
{
    uint32_t j;
    for (j = 0; j < count; j++)
        if (loop_worth(x[j]))
            y[j] += d * x[j];
}

// y[j] += d0 * x0[j], then y[j] += d1 * x1[j]: one load and one store for both
static inline void loop_add2(float *y, const float *x0, const float *x1, float d0, float d1, uint32_t count)
{
    uint32_t j;
    for (j = 0; j < count; j++) {
        float sum = y[j];
        if (loop_worth(x0[j]))
            sum += d0 * x0[j];
        if (loop_worth(x1[j]))
            sum += d1 * x1[j];
        y[j] = sum;
    }
}

// w[j] = w[j] - rate * (d * x[j])
static inline void loop_descend(float *w, const float *x, float d, float rate, uint32_t count)
{
    uint32_t j;
    for (j = 0; j < count; j++)
        w[j] -= rate * (d * x[j]);
}

// w[j] = w[j] - rate * (gradient[j] * scale), and the gradient is 0
static inline void loop_move(float *w, float *gradient, float scale, float rate, uint32_t count)
{
    uint32_t j;
    for (j = 0; j < count; j++) {
        w[j] -= rate * (gradient[j] * scale);
        gradient[j] = 0.0f;
    }
}

enum { TD_COLUMNS = 4 };

// sum[k] = sum over o of w[o][k] * dy[o], for so many columns of W
static inline void loop_columns(const float *w, uint32_t in, uint32_t out, const float *dy, float *sum)
{
    float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
    uint32_t o;
    for (o = 0; o < out; o++, w += in) {
        float d = dy[o];
        if (!loop_worth(d))
            continue;
        s0 += w[0] * d;
        s1 += w[1] * d;
        s2 += w[2] * d;
        s3 += w[3] * d;
    }
    sum[0] = s0;
    sum[1] = s1;
    sum[2] = s2;
    sum[3] = s3;
}

#if TD_TILE >= 4
// four rows of x, `step` apart, at once: y[b][k], rows of y `out` apart
static inline void loop_dot4x4(const float *w, uint32_t in, const float *bias, const float *x, uint32_t step,
                               float *y, uint32_t out)
{
    const float *w1 = w + in, *w2 = w1 + in, *w3 = w2 + in;
    const float *x1 = x + step, *x2 = x1 + step, *x3 = x2 + step;
    float a0 = bias[0], a1 = bias[1], a2 = bias[2], a3 = bias[3];
    float b0 = a0, b1 = a1, b2 = a2, b3 = a3;
    float c0 = a0, c1 = a1, c2 = a2, c3 = a3;
    float d0 = a0, d1 = a1, d2 = a2, d3 = a3;
    uint32_t j;
    for (j = 0; j < in; j++) {
        float u = w[j], v = x[j];
        float u1 = w1[j], u2 = w2[j], u3 = w3[j];
        a0 += u * v, a1 += u1 * v, a2 += u2 * v, a3 += u3 * v;
        v = x1[j];
        b0 += u * v, b1 += u1 * v, b2 += u2 * v, b3 += u3 * v;
        v = x2[j];
        c0 += u * v, c1 += u1 * v, c2 += u2 * v, c3 += u3 * v;
        v = x3[j];
        d0 += u * v, d1 += u1 * v, d2 += u2 * v, d3 += u3 * v;
    }
    y[0] = a0, y[1] = a1, y[2] = a2, y[3] = a3, y += out;
    y[0] = b0, y[1] = b1, y[2] = b2, y[3] = b3, y += out;
    y[0] = c0, y[1] = c1, y[2] = c2, y[3] = c3, y += out;
    y[0] = d0, y[1] = d1, y[2] = d2, y[3] = d3;
}
#endif

#endif

#endif
