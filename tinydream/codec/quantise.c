// SPDX-License-Identifier: MIT
// quantise.c - the grid of few bits that serves a column best.
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "kernels.h"
#include "td.h"

enum { LANES = 8, STRETCH = 1024, FINEST = 11, COARSEST = -2 };

static const float ROUND = 8388608.0f; // 2^23: what is added to it loses its fraction

// Weighted squared error, in steps, of values that are stored as 0..top steps above `offset` steps.
KERNEL_CLONES
static double grid_error(const float *value, const float *weight, size_t count, float steps, float offset, float top)
{
    double total = 0;
    for (size_t i = 0; i < count; i += STRETCH) {
        float lane[LANES] = {0};
        size_t end = count - i > STRETCH ? i + STRETCH : count;
        for (size_t k = i; k < end; k += LANES) // padded with weights of 0
            for (size_t l = 0; l < LANES; l++) {
                float x = value[k + l] * steps - offset, q = x < 0 ? 0 : x;
                q = q > top ? top : q;
                float apart = x - ((q + ROUND) - ROUND);
                lane[l] += weight[k + l] * (apart * apart);
            }
        for (size_t l = 0; l < LANES; l++)
            total += lane[l];
    }
    return total;
}

// The finest 8-bit float that is at least x.
static int code_at_least(double x)
{
    int code = 1;
    while (code < 255 && (double)td_f8((uint8_t)code) < x)
        code++;
    return code;
}

static double limited(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

// One column of `count` values, padded to whole lanes.
static void fit_column(const float *value, const float *weight, size_t count, double bottom, double top, int width,
                       int8_t *low, uint8_t *step)
{
    double levels = (double)(1 << width), unit = width > 7 ? (double)(1 << (width - 7)) : 1, least = DBL_MAX;
    int cover = code_at_least((top - bottom) / levels);
    for (int finer = COARSEST; finer < FINEST; finer++) {
        int code = (int)limited(cover - finer, 1, 255);
        double size = (double)td_f8((uint8_t)code), middle = (top + bottom) / 2 / size - (levels - 1) / 2;
        for (int up = 0; up < 2; up++) {
            double start = limited(up ? ceil(middle / unit) : floor(middle / unit), -128, 127);
            double error = grid_error(value, weight, count, (float)(1 / size), (float)(start * unit),
                                      (float)(levels - 1));
            if (error * size * size < least) {
                least = error * size * size;
                *low = (int8_t)start;
                *step = (uint8_t)code;
            }
        }
    }
}

int grid_fit(const double *values, const double *weight, const uint8_t *width, size_t m, size_t r, int8_t *low,
             uint8_t *step)
{
    size_t padded = (m + LANES - 1) / LANES * LANES;
    float *value = calloc(2 * padded, sizeof *value), *times = value + padded;
    if (!value)
        return -1;
    for (size_t i = 0; i < m; i++)
        times[i] = (float)weight[i];
    for (size_t j = 0; j < r; j++) {
        double bottom = values[j], top = values[j];
        for (size_t i = 0; i < m; i++) {
            double x = values[i * r + j];
            value[i] = (float)x;
            bottom = x < bottom ? x : bottom;
            top = x > top ? x : top;
        }
        fit_column(value, times, padded, bottom, top, width[j], &low[j], &step[j]);
    }
    free(value);
    return 0;
}
