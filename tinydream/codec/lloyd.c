// SPDX-License-Identifier: MIT
// lloyd.c - rows to the nearest mean of their class (Lloyd, "Least squares quantization in PCM", 1982).
// Rows are taken leaf by leaf. A row at distance a of its leaf's mean, whose nearest so far is at distance b, need not
// look at means further than a + b from its leaf's (as Elkan, "Using the triangle inequality to accelerate k-means",
// 2003): so means are tried from near to far, a tile at a time, by fewer and fewer rows. A distance adds its columns in
// ascending order, and nothing depends on how leaves are shared out among threads.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

enum { LANES = 8, ROWS = 4, TILE = 64, RINGS = 64, LEAVES = 8 }; // LEAVES: of one part of the job

static const float SLACK = 1.0001f; // of distances, whose last bits may be wrong

typedef float lanes_t __attribute__((vector_size(4 * LANES)));
typedef int32_t marks_t __attribute__((vector_size(4 * LANES)));

// What one thread needs for itself.
typedef struct {
    double *sum;   // (d)
    float *tile;   // (d, TILE) means side by side
    float *rows;   // (d, ROWS) of those that look together
    float *far;    // (places) of each mean from the leaf's
    int32_t *near; // (places) the places worth trying, ring by ring
} desk_t;

typedef struct {
    const float *rows, *stress;
    const int32_t *labels;
    size_t n, d, leaves, classes, threads, places;
    int32_t *leaf, *best;
    int32_t *order;  // rows, leaf by leaf
    int32_t *active; // of each leaf, those that still look: indices into order
    float *own;      // (n) along order: how far a row is from its own mean,
    float *least;    // and, squared, from the nearest so far
    size_t *start;   // (leaves + 1) where the rows of each leaf begin in order
    size_t *first;   // (classes + 1) where the places of each class begin, a multiple of LANES
    int32_t *member; // (places) the leaf at each, -1 for none
    int32_t *place;  // (leaves) where each is
    int32_t *class;  // (leaves) -1 when empty
    float *means;    // (d, places), stressed; far away where there is no leaf
    desk_t *desks;
} lloyd_t;

// Rows in order of their leaf, within a leaf as they come.
static void sort_rows(lloyd_t *t)
{
    memset(t->start, 0, (t->leaves + 1) * sizeof *t->start);
    for (size_t i = 0; i < t->n; i++)
        t->start[t->leaf[i] + 1]++;
    for (size_t k = 0; k < t->leaves; k++)
        t->start[k + 1] += t->start[k];
    for (size_t i = 0; i < t->n; i++)
        t->order[t->start[t->leaf[i]]++] = (int32_t)i;
    memmove(t->start + 1, t->start, t->leaves * sizeof *t->start);
    t->start[0] = 0;
}

static size_t whole(size_t count)
{
    return (count + LANES - 1) / LANES * LANES;
}

// Leaves, class by class, at places that begin with whole vectors; empty leaves have none.
static void place_leaves(lloyd_t *t)
{
    int32_t *class = t->class;
    memset(class, 0xff, t->leaves * sizeof *class);
    memset(t->first, 0, (t->classes + 1) * sizeof *t->first);
    memset(t->member, 0xff, t->places * sizeof *t->member);
    for (size_t i = 0; i < t->n; i++)
        class[t->leaf[i]] = t->labels[i];
    for (size_t k = 0; k < t->leaves; k++)
        if (class[k] >= 0)
            t->first[class[k] + 1]++;
    for (size_t c = 0; c < t->classes; c++)
        t->first[c + 1] = t->first[c] + whole(t->first[c + 1]);
    for (size_t k = 0; k < t->leaves; k++)
        if (class[k] >= 0) {
            t->place[k] = (int32_t)t->first[class[k]]++;
            t->member[t->place[k]] = (int32_t)k;
        }
    for (size_t c = t->classes; c > 0; c--)
        t->first[c] = whole(t->first[c - 1]);
    t->first[0] = 0;
    for (size_t i = 0; i < t->places * t->d; i++)
        t->means[i] = INFINITY;
}

static size_t last_leaf(const lloyd_t *t, size_t part)
{
    return t->leaves - part * LEAVES > LEAVES ? (part + 1) * LEAVES : t->leaves;
}

static void means_part(void *job, size_t part, size_t thread)
{
    lloyd_t *t = job;
    double *restrict sum = t->desks[thread].sum;
    for (size_t k = part * LEAVES, end = last_leaf(t, part); k < end; k++) {
        size_t count = t->start[k + 1] - t->start[k];
        if (count == 0)
            continue;
        memset(sum, 0, t->d * sizeof *sum);
        for (size_t i = t->start[k]; i < t->start[k + 1]; i++) {
            const float *restrict row = t->rows + (size_t)t->order[i] * t->d;
            for (size_t j = 0; j < t->d; j++)
                sum[j] += row[j];
        }
        for (size_t j = 0; j < t->d; j++)
            t->means[j * t->places + (size_t)t->place[k]] = (float)(sum[j] / (double)count) * t->stress[j];
    }
}

// Looks for ROWS rows through the first `count` means of a tile, filled up to whole vectors. Where one is nearer than
// `least`, that and its number in the tile are noted; among equals the first. rows (d, ROWS): stressed.
KERNEL_CLONES
static void look(const float *rows, const float *tile, size_t d, size_t count, float least[ROWS], int32_t found[ROWS])
{
    lanes_t best[ROWS];
    marks_t at[ROWS] = {{0}};
    for (size_t r = 0; r < ROWS; r++)
        best[r] = (lanes_t){0} + least[r];
    for (size_t v = 0; v < count; v += LANES) {
        lanes_t sum[ROWS] = {{0}};
        for (size_t j = 0; j < d; j++) {
            lanes_t mean;
            memcpy(&mean, tile + j * TILE + v, sizeof mean);
            for (size_t r = 0; r < ROWS; r++) {
                lanes_t apart = rows[j * ROWS + r] - mean;
                sum[r] += apart * apart;
            }
        }
        for (size_t r = 0; r < ROWS; r++) {
            marks_t less = sum[r] < best[r], number = (marks_t){0} + (int32_t)v;
            best[r] = (lanes_t)(((marks_t)sum[r] & less) | ((marks_t)best[r] & ~less));
            at[r] = (number & less) | (at[r] & ~less);
        }
    }
    for (size_t r = 0; r < ROWS; r++) {
        found[r] = -1;
        for (int l = 0; l < LANES; l++)
            if (best[r][l] < least[r] || (best[r][l] == least[r] && found[r] > at[r][l] + l)) {
                least[r] = best[r][l];
                found[r] = at[r][l] + l;
            }
    }
}

// The rows of a leaf that still look (`count` of them, in `active`) look through a tile of `means` places.
static void look_all(lloyd_t *t, const int32_t *active, size_t count, const desk_t *desk, const int32_t *near,
                     size_t means)
{
    for (size_t a = 0; a < count; a += ROWS) {
        float least[ROWS];
        int32_t found[ROWS], *at[ROWS];
        for (size_t r = 0; r < ROWS; r++) {
            size_t i = (size_t)active[a + r < count ? a + r : count - 1];
            at[r] = &t->best[t->order[i]];
            const float *row = t->rows + (size_t)t->order[i] * t->d;
            for (size_t j = 0; j < t->d; j++)
                desk->rows[j * ROWS + r] = row[j] * t->stress[j];
            least[r] = t->least[i];
        }
        look(desk->rows, desk->tile, t->d, means, least, found);
        for (size_t r = 0; r < ROWS && a + r < count; r++) {
            t->least[active[a + r]] = least[r];
            if (found[r] >= 0)
                *at[r] = t->member[near[found[r]]];
        }
    }
}

static void lay_tile(const lloyd_t *t, float *tile, const int32_t *near, size_t count)
{
    for (size_t j = 0; j < t->d; j++) {
        const float *mean = t->means + j * t->places;
        for (size_t c = 0; c < whole(count); c++)
            tile[j * TILE + c] = c < count ? mean[near[c]] : INFINITY;
    }
}

// How far the means of places from..to - 1, whole vectors, are from the mean of one place.
KERNEL_CLONES
static void measure(const float *means, size_t places, size_t d, size_t place, size_t from, size_t to, float *far)
{
    for (size_t p = from; p < to; p += LANES) {
        lanes_t sum = {0};
        for (size_t j = 0; j < d; j++) {
            lanes_t apart;
            memcpy(&apart, means + j * places + p, sizeof apart);
            apart -= means[j * places + place];
            sum += apart * apart;
        }
        for (size_t l = 0; l < LANES; l++)
            far[p + l] = sqrtf(sum[l]);
    }
}

// Sorts the places of the other means less than `reach` away into rings around the leaf's mean. ends[g]: where ring g
// ends. Returns how many there are.
static size_t sort_rings(const lloyd_t *t, const desk_t *desk, size_t place, size_t from, size_t to, float reach,
                         size_t ends[RINGS])
{
    size_t begin[RINGS + 1] = {0};
    float scale = RINGS / reach;
    measure(t->means, t->places, t->d, place, from, to, desk->far);
    desk->far[place] = INFINITY;
    for (size_t p = from; p < to; p++)
        if (desk->far[p] * scale < RINGS)
            begin[(size_t)(desk->far[p] * scale) + 1]++;
    for (size_t g = 0; g < RINGS; g++)
        begin[g + 1] += begin[g];
    for (size_t p = from; p < to; p++)
        if (desk->far[p] * scale < RINGS)
            desk->near[begin[(size_t)(desk->far[p] * scale)]++] = (int32_t)p;
    memcpy(ends, begin, RINGS * sizeof *ends);
    return ends[RINGS - 1];
}

// Keeps the rows that may still find a nearer mean further than `reached` from their leaf's; how many are left.
static size_t keep_active(const lloyd_t *t, int32_t *active, size_t count, float reached)
{
    size_t kept = 0;
    for (size_t a = 0; a < count; a++) {
        size_t i = (size_t)active[a];
        if ((t->own[i] + sqrtf(t->least[i])) * SLACK > reached)
            active[kept++] = active[a];
    }
    return kept;
}

// Every row of leaf k finds the nearest mean of its class.
static void find(lloyd_t *t, size_t k, desk_t *desk)
{
    size_t count = t->start[k + 1] - t->start[k], from = 0, ends[RINGS], ring = 0;
    int32_t *active = t->active + t->start[k], own = t->place[k], class = t->labels[t->order[t->start[k]]];
    float most = 0;
    for (size_t a = 0; a < count; a++) {
        active[a] = (int32_t)(t->start[k] + a);
        t->least[active[a]] = INFINITY;
        t->best[t->order[active[a]]] = (int32_t)k;
    }
    lay_tile(t, desk->tile, &own, 1);
    look_all(t, active, count, desk, &own, 1);
    for (size_t a = 0; a < count; a++) {
        t->own[active[a]] = sqrtf(t->least[active[a]]);
        most = t->own[active[a]] > most ? t->own[active[a]] : most;
    }
    if (!(most > 0))
        return;
    float reach = 2 * SLACK * most;
    size_t means = sort_rings(t, desk, (size_t)own, t->first[class], t->first[class + 1], reach, ends);
    while (from < means) {
        size_t tried = means - from < TILE ? means - from : TILE;
        while (ends[ring] <= from)
            ring++;
        count = keep_active(t, active, count, reach / RINGS * (float)ring);
        if (count == 0)
            return;
        lay_tile(t, desk->tile, desk->near + from, tried);
        look_all(t, active, count, desk, desk->near + from, tried);
        from += tried;
    }
}

static void find_part(void *job, size_t part, size_t thread)
{
    lloyd_t *t = job;
    for (size_t k = part * LEAVES, end = last_leaf(t, part); k < end; k++)
        if (t->start[k] < t->start[k + 1])
            find(t, k, &t->desks[thread]);
}

// Moves each row, in order, unless it is by now the last of its leaf; how many moved.
static size_t move_rows(lloyd_t *t)
{
    size_t moved = 0, *count = t->start;
    memset(count, 0, t->leaves * sizeof *count);
    for (size_t i = 0; i < t->n; i++)
        count[t->leaf[i]]++;
    for (size_t i = 0; i < t->n; i++) {
        int32_t from = t->leaf[i], to = t->best[i];
        if (to == from || count[from] == 1)
            continue;
        count[from]--;
        count[to]++;
        t->leaf[i] = to;
        moved++;
    }
    return moved;
}

static void pass_by_pass(lloyd_t *t, size_t passes)
{
    size_t parts = (t->leaves + LEAVES - 1) / LEAVES;
    place_leaves(t);
    for (size_t pass = 0; pass < passes; pass++) {
        sort_rows(t);
        share_out(means_part, t, parts, t->threads);
        share_out(find_part, t, parts, t->threads);
        if (move_rows(t) == 0)
            break;
    }
}

static int open_desks(lloyd_t *t)
{
    int failed = 0;
    t->desks = calloc(t->threads, sizeof *t->desks);
    for (size_t i = 0; t->desks && i < t->threads; i++) {
        desk_t *desk = &t->desks[i];
        desk->sum = malloc(t->d * sizeof *desk->sum);
        desk->tile = malloc(t->d * TILE * sizeof *desk->tile);
        desk->rows = malloc(t->d * ROWS * sizeof *desk->rows);
        desk->far = malloc(t->places * sizeof *desk->far);
        desk->near = malloc(t->places * sizeof *desk->near);
        failed |= !desk->sum || !desk->tile || !desk->rows || !desk->far || !desk->near;
    }
    return failed || !t->desks ? -1 : 0;
}

static void close_desks(lloyd_t *t)
{
    for (size_t i = 0; t->desks && i < t->threads; i++) {
        free(t->desks[i].sum);
        free(t->desks[i].tile);
        free(t->desks[i].rows);
        free(t->desks[i].far);
        free(t->desks[i].near);
    }
    free(t->desks);
}

int lloyd(const lloyd_job_t *job, int32_t *leaf)
{
    size_t n = job->n, d = job->d, leaves = job->leaves, places = whole(leaves + job->classes * (LANES - 1));
    int32_t *ints = malloc((3 * n + 2 * leaves + places) * sizeof *ints);
    float *floats = malloc((2 * n + d * places) * sizeof *floats);
    size_t *sizes = malloc((leaves + job->classes + 2) * sizeof *sizes);
    lloyd_t t = {.rows = job->rows, .stress = job->stress, .labels = job->labels, .n = n, .d = d, .leaves = leaves,
                 .classes = job->classes, .threads = job->threads, .places = places, .leaf = leaf};
    int failed = open_desks(&t);
    if (!ints || !floats || !sizes)
        failed = -1;
    if (!failed) {
        t.best = ints, t.order = t.best + n, t.active = t.order + n;
        t.place = t.active + n, t.class = t.place + leaves, t.member = t.class + leaves;
        t.own = floats, t.least = t.own + n, t.means = t.least + n;
        t.start = sizes, t.first = sizes + leaves + 1;
        pass_by_pass(&t, job->passes);
    }
    close_desks(&t);
    free(ints);
    free(floats);
    free(sizes);
    return failed;
}
