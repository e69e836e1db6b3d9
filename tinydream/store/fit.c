// SPDX-License-Identifier: MIT
// fit.c - chooses tokens and tables: which bits are base, which deviation, and how much each context is worth.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

enum { LOGS = 4096, ENTRY_BITS = 7 }; // about what an entry of a table costs in the file

static const double NATURAL = 1.4426950408889634; // bits of e

static double logs[LOGS]; // n log2 n; filled once, while the GIL is held

void store_prepare(void)
{
    for (int n = 1; n < LOGS; n++)
        logs[n] = n * log2(n);
}

static inline double n_log_n(size_t n)
{
    return n < LOGS ? logs[n] : (double)n * log2((double)n);
}

// ---- tokens ----

typedef struct {
    const uint64_t *value; // distinct, ascending
    const size_t *before;  // how many codes come before each; one entry more
    double log_n, scale, price;
    double slot; // codes of a table's slot, of which a token has one at least
    uint64_t *base;
    uint8_t *bits;
    size_t tokens, most;
} tree_t;

static size_t find(const uint64_t *value, size_t from, size_t to, uint64_t limit)
{
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (value[middle] < limit)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static void leaf(tree_t *t, uint64_t base, int bits)
{
    if (t->tokens < t->most) {
        t->base[t->tokens] = base;
        t->bits[t->tokens] = (uint8_t)bits;
    }
    t->tokens++;
}

// The cheapest leaves for values [a, b), all inside [base, base + 2^bits); returns their bits.
static double grow(tree_t *t, size_t a, size_t b, uint64_t base, int bits)
{
    size_t many = t->before[b] - t->before[a];
    while (b - a > 1 && bits > 0) { // as long as one half is empty the other one may do alone
        uint64_t middle = base + ((uint64_t)1 << (bits - 1));
        if (t->value[b - 1] < middle) {
            bits--;
        } else if (t->value[a] >= middle) {
            bits--;
            base = middle;
        } else {
            break;
        }
    }
    if (b - a == 1)
        base = t->value[a], bits = 0;
    double count = (double)many, rare = t->slot > count ? t->slot - count : 0;
    double whole = t->scale * (count * (bits + t->log_n) - n_log_n(many) + NATURAL * rare) + t->price;
    size_t mark = t->tokens;
    if (bits > 0) {
        uint64_t middle = base + ((uint64_t)1 << (bits - 1));
        size_t m = find(t->value, a, b, middle);
        double parts = grow(t, a, m, base, bits - 1) + grow(t, m, b, middle, bits - 1);
        if (parts < whole)
            return parts;
    }
    t->tokens = mark;
    leaf(t, base, bits);
    return whole;
}

static void radix_sort(uint64_t *x, uint64_t *other, size_t n)
{
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++)
        all |= x[i];
    uint64_t *from = x, *to = other;
    for (int shift = 0; shift < 64 && all >> shift; shift += 11) {
        size_t count[2049] = {0};
        for (size_t i = 0; i < n; i++)
            count[(from[i] >> shift & 2047) + 1]++;
        for (int k = 0; k < 2048; k++)
            count[k + 1] += count[k];
        for (size_t i = 0; i < n; i++)
            to[count[from[i] >> shift & 2047]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != x)
        memcpy(x, from, n * sizeof *x);
}

static size_t distinct(uint64_t *x, size_t n, size_t *before)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (!i || x[i] != x[i - 1]) {
            before[count] = i;
            x[count++] = x[i];
        }
    before[count] = n;
    return count;
}

static void find_tokens(const tree_t *t, const uint64_t *codes, size_t n, uint16_t *of)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = find(t->base, 0, t->tokens, codes[i]);
        of[i] = (uint16_t)(at < t->tokens && t->base[at] == codes[i] ? at : at - 1);
    }
}

double store_fit_tokens(const uint64_t *codes, size_t n, double scale, double price, size_t *tokens, uint64_t *base,
                        uint8_t *bits, uint16_t *of)
{
    uint64_t *x = malloc((2 * n + 1) * sizeof *x);
    size_t *before = malloc((n + 1) * sizeof *before);
    double cost = -1;
    if (x && before && n) {
        memcpy(x, codes, n * sizeof *x);
        radix_sort(x, x + n, n);
        size_t count = distinct(x, n, before);
        tree_t t = {.value = x, .before = before, .log_n = log2((double)n), .slot = (double)n / STORE_SCALE, .scale = scale, .price = price, .base = base,
                    .bits = bits, .most = *tokens};
        int high = 0;
        while (high < 64 && x[count - 1] >> high)
            high++;
        do {
            t.tokens = 0;
            cost = grow(&t, 0, count, 0, high);
            t.price = 2 * t.price + 1;
        } while (t.tokens > t.most);
        *tokens = t.tokens;
        find_tokens(&t, codes, n, of);
    }
    free(x);
    free(before);
    return cost;
}

// ---- tables ----

static double table_cost(const uint32_t *count, size_t kinds, double scale)
{
    size_t sum = 0;
    double cost = 0;
    for (size_t t = 0; t < kinds; t++)
        if (count[t]) {
            sum += count[t];
            cost += ENTRY_BITS - scale * n_log_n(count[t]);
        }
    return sum ? cost + scale * n_log_n(sum) : 0;
}

static uint32_t *count_tokens(const uint16_t *tokens, const uint8_t *class, size_t n, size_t kinds, size_t classes)
{
    uint32_t *count = calloc(kinds * classes + 1, sizeof *count);
    for (size_t i = 0; count && i < n; i++)
        count[class[i] * kinds + tokens[i]]++;
    return count;
}

double store_rough(const uint64_t *codes, size_t n)
{
    enum { EXACT = 16, KINDS = EXACT + 64 * 4 };
    uint32_t count[KINDS] = {0};
    double bits = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = codes[i];
        unsigned size = 0;
        while (size < 60 && x >> size >= 8) // three bits are told, `size` follow
            size++;
        count[x < EXACT ? x : EXACT + size * 4 + (x >> size & 3)]++;
        bits += x < EXACT ? 0 : size;
    }
    double cost = bits;
    for (size_t t = 0; t < KINDS; t++)
        cost -= n_log_n(count[t]);
    return cost + n_log_n(n);
}

int store_rank(const uint16_t *tokens, size_t n, size_t kinds, const uint8_t *classes, size_t candidates, size_t most,
               double scale, double *cost)
{
    uint32_t *count = malloc(most * kinds * sizeof *count + 1);
    for (size_t c = 0; count && c < candidates; c++) {
        const uint8_t *class = classes + c * n;
        memset(count, 0, most * kinds * sizeof *count);
        for (size_t i = 0; i < n; i++)
            count[class[i] * kinds + tokens[i]]++;
        cost[c] = 0;
        for (size_t k = 0; k < most; k++)
            cost[c] += table_cost(count + k * kinds, kinds, scale);
    }
    free(count);
    return count ? STORE_OK : STORE_ENOMEM;
}

typedef struct {
    uint32_t *count; // (classes, kinds)
    size_t kinds, classes;
    double *cost; // of each class, less than 0: empty or merged into another
    uint8_t *map;
} merge_t;

typedef struct {
    size_t a, b;
    double saved;
} edge_t;

static double saving(const merge_t *m, size_t a, size_t b)
{
    const uint32_t *x = m->count + a * m->kinds, *y = m->count + b * m->kinds;
    size_t sum = 0;
    double cost = 0;
    if (a == b)
        return -1;
    if (m->cost[a] < 0 || m->cost[b] < 0) // an empty one goes with its neighbour
        return 1e-9;
    for (size_t t = 0; t < m->kinds; t++) {
        uint32_t both = x[t] + y[t];
        if (both) {
            sum += both;
            cost += ENTRY_BITS - n_log_n(both);
        }
    }
    return m->cost[a] + m->cost[b] - cost - n_log_n(sum);
}

// Makes one of two tables, and tells edges and classes.
static void join(merge_t *m, edge_t *edge, size_t edges, size_t a, size_t b)
{
    for (size_t t = 0; t < m->kinds; t++)
        m->count[a * m->kinds + t] += m->count[b * m->kinds + t];
    m->cost[a] = m->cost[a] < 0 && m->cost[b] < 0 ? -1 : table_cost(m->count + a * m->kinds, m->kinds, 1);
    for (size_t c = 0; c < m->classes; c++)
        if (m->map[c] == b)
            m->map[c] = (uint8_t)a;
    for (size_t e = 0; e < edges; e++) {
        int touched = edge[e].a == b || edge[e].b == b || edge[e].a == a || edge[e].b == a;
        edge[e].a = edge[e].a == b ? a : edge[e].a;
        edge[e].b = edge[e].b == b ? a : edge[e].b;
        if (touched)
            edge[e].saved = saving(m, edge[e].a, edge[e].b);
    }
}

// Whichever two neighbours are best made one, until none are.
static int merge(merge_t *m)
{
    size_t edges = 0;
    edge_t *edge = malloc((m->classes + 1) * sizeof *edge);
    if (!edge)
        return STORE_ENOMEM;
    for (size_t c = 0; c + 1 < m->classes; c++)
        edge[edges++] = (edge_t){c, c + 1, saving(m, c, c + 1)};
    for (;;) {
        size_t best = edges;
        double most = 0;
        for (size_t e = 0; e < edges; e++)
            if (edge[e].saved > most)
                most = edge[e].saved, best = e;
        if (best == edges)
            break;
        join(m, edge, edges, edge[best].a, edge[best].b);
    }
    free(edge);
    return STORE_OK;
}

// Counts as frequencies that add up to STORE_SCALE, none of what occurs 0; what escapes, the last, has 1 or more.
static void to_frequencies(const uint32_t *count, size_t kinds, uint16_t *frequency)
{
    double sum = 0;
    for (size_t t = 0; t < kinds; t++)
        sum += count[t];
    int left = STORE_SCALE - 1;
    for (size_t t = 0; t < kinds; t++) {
        double share = sum > 0 ? count[t] * (STORE_SCALE - 1) / sum : 0;
        frequency[t] = (uint16_t)(!count[t] ? 0 : share < 1 ? 1 : share);
        left -= frequency[t];
    }
    frequency[kinds] = (uint16_t)(sum > 0 ? 1 : STORE_SCALE);
    while (sum > 0 && left) { // what is too much or too little is least felt by the largest
        size_t largest = 0;
        for (size_t t = 1; t < kinds; t++)
            largest = frequency[t] > frequency[largest] ? t : largest;
        int some = frequency[largest] / 16 + 1, step = left > 0 ? 1 : -1;
        some = some < left * step ? some : left * step;
        frequency[largest] = (uint16_t)(frequency[largest] + some * step);
        left -= some * step;
    }
}

int store_fit_tables(const uint16_t *tokens, const uint8_t *class, size_t n, size_t kinds, size_t classes, uint8_t *map,
                     uint16_t *frequency, size_t *tables)
{
    merge_t m = {count_tokens(tokens, class, n, kinds, classes), kinds, classes, NULL, map};
    m.cost = malloc((classes + 1) * sizeof *m.cost);
    uint8_t *number = malloc(classes + 1);
    int error = m.count && m.cost && number ? STORE_OK : STORE_ENOMEM;
    *tables = 0;
    for (size_t c = 0; !error && c < classes; c++) {
        map[c] = (uint8_t)c;
        m.cost[c] = table_cost(m.count + c * kinds, kinds, 1);
        if (m.cost[c] == 0)
            m.cost[c] = -1;
    }
    if (!error)
        error = merge(&m);
    for (size_t c = 0; !error && c < classes; c++)
        if (map[c] == c) {
            to_frequencies(m.count + c * kinds, kinds, frequency + *tables * (kinds + 1));
            number[c] = (uint8_t)(*tables)++;
        }
    for (size_t c = 0; !error && c < classes; c++)
        map[c] = number[map[c]];
    free(m.count);
    free(m.cost);
    free(number);
    return error;
}
