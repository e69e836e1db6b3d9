// SPDX-License-Identifier: MIT
// lloyd.c - rows to the nearest mean of their class (Lloyd, "Least squares quantization in PCM", 1982).
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

enum { LANES = 8, STRETCH = 32 };
static const float FAR = 3.4e38f; // further than any distance

// Adds squared differences over `count` columns, a multiple of LANES, in a fixed order that fits any vector unit.
static float stretch(const float *a, const float *b, size_t count)
{
    float lane[LANES] = {0};
    for (size_t j = 0; j < count; j += LANES)
        for (size_t l = 0; l < LANES; l++) {
            float apart = a[j + l] - b[j + l];
            lane[l] += apart * apart;
        }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

// The squared distance, or something not below `bound` as soon as it cannot be nearer.
static float distance(const float *a, const float *b, size_t d, float bound)
{
    float total = 0;
    size_t j = 0;
    for (; d - j >= STRETCH; j += STRETCH) {
        total += stretch(a + j, b + j, STRETCH);
        if (total >= bound)
            return total;
    }
    size_t whole = (d - j) / LANES * LANES;
    total += stretch(a + j, b + j, whole);
    for (j += whole; j < d; j++)
        total += (a[j] - b[j]) * (a[j] - b[j]);
    return total;
}

void leaf_sums(const float *rows, const int32_t *leaf, size_t n, size_t d, size_t leaves, double *sums,
               int64_t *counts)
{
    memset(sums, 0, leaves * d * sizeof *sums);
    memset(counts, 0, leaves * sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        double *restrict sum = sums + (size_t)leaf[i] * d;
        const float *restrict row = rows + i * d;
        for (size_t j = 0; j < d; j++)
            sum[j] += row[j];
        counts[leaf[i]]++;
    }
}

typedef struct {
    float first; // of its mean
    int32_t class, leaf;
} place_t;

static int by_class(const void *a, const void *b)
{
    const place_t *p = a, *q = b;
    if (p->class != q->class)
        return p->class < q->class ? -1 : 1;
    if (p->first != q->first)
        return p->first < q->first ? -1 : 1;
    return p->leaf < q->leaf ? -1 : 1;
}

// Leaves in order of class, then of their mean's first column: those of class c are at begin[c]..begin[c + 1] - 1.
static void sort_leaves(const int32_t *labels, const int32_t *leaf, const float *means, size_t n, size_t d,
                        size_t classes, size_t leaves, place_t *place, size_t *begin)
{
    for (size_t k = 0; k < leaves; k++)
        place[k] = (place_t){means[k * d], 0, (int32_t)k};
    for (size_t i = 0; i < n; i++)
        place[leaf[i]].class = labels[i];
    qsort(place, leaves, sizeof *place, by_class);
    memset(begin, 0, (classes + 1) * sizeof *begin);
    for (size_t k = 0; k < leaves; k++)
        begin[place[k].class + 1]++;
    for (size_t c = 0; c < classes; c++)
        begin[c + 1] += begin[c];
}

// The nearest mean among `count` places, its own if none is nearer. They are tried outward from the row's first
// column, until that column alone is further away than the best: few are, when columns are few.
static int32_t nearest(const float *row, const float *means, size_t d, int32_t own, const place_t *place,
                       size_t count)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (place[middle].first < row[0])
            low = middle + 1;
        else
            high = middle;
    }
    int32_t best = own;
    float least = distance(row, means + (size_t)own * d, d, FAR);
    while (low > 0 || high < count) {
        float below = low > 0 ? row[0] - place[low - 1].first : FAR;
        float above = high < count ? place[high].first - row[0] : FAR;
        float gap = below < above ? below : above;
        int32_t tried = below < above ? place[--low].leaf : place[high++].leaf;
        if (gap * gap >= least)
            break;
        float apart = distance(row, means + (size_t)tried * d, d, least);
        if (apart < least) {
            least = apart;
            best = tried;
        }
    }
    return best;
}

ptrdiff_t lloyd_pass(const float *rows, const int32_t *labels, size_t n, size_t d, size_t classes,
                     size_t leaves, int32_t *leaf)
{
    double *sums = malloc(leaves * d * sizeof *sums);
    float *means = malloc(leaves * d * sizeof *means);
    int64_t *counts = malloc(leaves * sizeof *counts);
    place_t *place = malloc(leaves * sizeof *place);
    size_t *begin = malloc((classes + 1) * sizeof *begin);
    ptrdiff_t moved = -1;
    if (sums && means && counts && place && begin) {
        leaf_sums(rows, leaf, n, d, leaves, sums, counts);
        for (size_t k = 0; k < leaves; k++)
            for (size_t j = 0; j < d; j++)
                means[k * d + j] = counts[k] ? (float)(sums[k * d + j] / (double)counts[k]) : 0;
        sort_leaves(labels, leaf, means, n, d, classes, leaves, place, begin);
        moved = 0;
        for (size_t i = 0; i < n; i++) {
            size_t first = begin[labels[i]], count = begin[labels[i] + 1] - first;
            if (counts[leaf[i]] == 1)
                continue; // a leaf never loses its last row
            int32_t best = nearest(rows + i * d, means, d, leaf[i], place + first, count);
            if (best == leaf[i])
                continue;
            counts[leaf[i]]--;
            counts[best]++;
            leaf[i] = best;
            moved++;
        }
    }
    free(sums);
    free(means);
    free(counts);
    free(place);
    free(begin);
    return moved;
}
