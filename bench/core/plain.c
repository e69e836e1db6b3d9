// SPDX-License-Identifier: MIT
// plain.c - the net as one would write it down: what the core's time on a host is compared with.
//
// 64-32-10, ReLU, softmax and cross-entropy, SGD over batches; rows are floats in memory, libm for exp
// and log, no thought given to speed beyond loops that run along rows of the weights.
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { IN = 64, HIDDEN = 32, OUT = 10 };

typedef struct {
    float w1[HIDDEN][IN], b1[HIDDEN], w2[OUT][HIDDEN], b2[OUT];
} net_t;

float plain_epoch(net_t *net, const float *x, const int32_t *y, int rows, int batch, float rate);

static float sample(const net_t *net, net_t *gradient, const float *x, int32_t y)
{
    float h[HIDDEN], p[OUT], dh[HIDDEN] = {0}, largest, sum = 0;
    for (int i = 0; i < HIDDEN; i++) {
        float a = net->b1[i];
        for (int j = 0; j < IN; j++)
            a += net->w1[i][j] * x[j];
        h[i] = a > 0 ? a : 0;
    }
    for (int o = 0; o < OUT; o++) {
        p[o] = net->b2[o];
        for (int i = 0; i < HIDDEN; i++)
            p[o] += net->w2[o][i] * h[i];
    }
    largest = p[0];
    for (int o = 1; o < OUT; o++)
        largest = p[o] > largest ? p[o] : largest;
    for (int o = 0; o < OUT; o++) {
        p[o] = expf(p[o] - largest);
        sum += p[o];
    }
    for (int o = 0; o < OUT; o++)
        p[o] /= sum;
    float loss = -logf(p[y]);
    p[y] -= 1;
    for (int o = 0; o < OUT; o++) {
        for (int i = 0; i < HIDDEN; i++) {
            gradient->w2[o][i] += p[o] * h[i];
            dh[i] += p[o] * net->w2[o][i];
        }
        gradient->b2[o] += p[o];
    }
    for (int i = 0; i < HIDDEN; i++) {
        float d = h[i] > 0 ? dh[i] : 0;
        for (int j = 0; j < IN; j++)
            gradient->w1[i][j] += d * x[j];
        gradient->b1[i] += d;
    }
    return loss;
}

// Trains over rows (rows, 64) with labels (rows); returns the sum of losses.
float plain_epoch(net_t *net, const float *x, const int32_t *y, int rows, int batch, float rate)
{
    float loss = 0;
    for (int start = 0; start < rows; start += batch) {
        net_t gradient;
        float *w = (float *)net;
        const float *g = (const float *)&gradient;
        int n = rows - start < batch ? rows - start : batch;
        memset(&gradient, 0, sizeof gradient);
        for (int b = start; b < start + n; b++)
            loss += sample(net, &gradient, x + b * IN, y[b]);
        for (size_t k = 0; k < sizeof gradient / sizeof *g; k++)
            w[k] -= rate / (float)n * g[k];
    }
    return loss;
}
