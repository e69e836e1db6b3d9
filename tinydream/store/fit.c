// SPDX-License-Identifier: MIT
// fit.c - chooses tokens and tables: which bits are base, which deviation, and how much each context is worth.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

enum { LOGS = 4096, ENTRY_BITS = 7 }; // about what an entry of a table costs in the file

static double logs[LOGS]; // n log2 n; filled once, while the GIL is held

void store_prepare(void)
{
    for (int n = 1; n < LOGS; n++)
        logs[n] = n * log2(n);
}

static double n_log_n(double n)
{
    return n < LOGS && n == floor(n) ? logs[(int)n] : n * log2(n);
}

// ---- tokens ----

typedef struct {
    const uint64_t *value; // distinct, ascending
    const size_t *before;  // how many codes come before each; one entry more
    double n, scale, price;
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
    double count = (double)(t->before[b] - t->before[a]);
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
    double whole = t->scale * (count * bits + count * log2(t->n) - n_log_n(count)) + t->price;
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
        tree_t t = {.value = x, .before = before, .n = (double)n, .scale = scale, .price = price, .base = base,
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
    double sum = 0, cost = 0;
    for (size_t t = 0; t < kinds; t++)
        if (count[t]) {
            sum += count[t];
            cost += ENTRY_BITS - scale * n_log_n(count[t]);
        }
    return sum > 0 ? cost + scale * n_log_n(sum) : 0;
}

static uint32_t *count_tokens(const uint16_t *tokens, const uint16_t *contexts, size_t n, size_t kinds,
                              size_t classes)
{
    uint32_t *count = calloc(kinds * classes + 1, sizeof *count);
    for (size_t i = 0; count && i < n; i++)
        count[contexts[i] * kinds + tokens[i]]++;
    return count;
}

double store_cost(const uint16_t *tokens, const uint16_t *contexts, size_t n, size_t kinds, size_t classes,
                  double scale)
{
    uint32_t *count = count_tokens(tokens, contexts, n, kinds, classes);
    double cost = count ? 0 : -1;
    for (size_t c = 0; count && c < classes; c++)
        cost += table_cost(count + c * kinds, kinds, scale);
    free(count);
    return cost;
}

typedef struct {
    uint32_t *count; // (classes, kinds)
    size_t kinds, classes;
    double *cost;  // of each class, less than 0: empty or merged into another
    double *saved; // (classes, classes), by merging a < b
    uint16_t *map;
} merge_t;

static double saving(const merge_t *m, size_t a, size_t b)
{
    const uint32_t *x = m->count + a * m->kinds, *y = m->count + b * m->kinds;
    double sum = 0, cost = 0;
    for (size_t t = 0; t < m->kinds; t++) {
        uint32_t both = x[t] + y[t];
        if (both) {
            sum += both;
            cost += ENTRY_BITS - n_log_n(both);
        }
    }
    return m->cost[a] + m->cost[b] - cost - n_log_n(sum);
}

// Whichever two tables are best made one, until none are.
static void merge(merge_t *m)
{
    size_t k = m->classes;
    for (size_t a = 0; a < k; a++)
        for (size_t b = a + 1; b < k && m->cost[a] >= 0; b++)
            m->saved[a * k + b] = m->cost[b] >= 0 ? saving(m, a, b) : -1;
    for (;;) {
        size_t first = 0, second = 0;
        double best = 0;
        for (size_t a = 0; a < k; a++)
            for (size_t b = a + 1; b < k && m->cost[a] >= 0; b++)
                if (m->cost[b] >= 0 && m->saved[a * k + b] > best)
                    best = m->saved[a * k + b], first = a, second = b;
        if (best <= 0)
            return;
        for (size_t t = 0; t < m->kinds; t++)
            m->count[first * m->kinds + t] += m->count[second * m->kinds + t];
        m->cost[first] = table_cost(m->count + first * m->kinds, m->kinds, 1);
        m->cost[second] = -1;
        for (size_t c = 0; c < k; c++)
            if (m->map[c] == second)
                m->map[c] = (uint16_t)first;
        for (size_t b = 0; b < k; b++)
            if (b != first && m->cost[b] >= 0)
                m->saved[(b < first ? b : first) * k + (b < first ? first : b)] = saving(m, b, first);
    }
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
        frequency[t] = (uint16_t)(count[t] ? (share < 1 ? 1 : floor(share + 0.5)) : 0);
        left -= frequency[t];
    }
    frequency[kinds] = (uint16_t)(sum > 0 ? 1 : STORE_SCALE);
    while (sum > 0 && left) { // what is too much or too little goes where it changes least
        size_t best = kinds;
        double least = INFINITY;
        int step = left > 0 ? 1 : -1;
        for (size_t t = 0; t < kinds; t++) {
            int f = frequency[t];
            if (!count[t] || f + step < 1)
                continue;
            double loss = count[t] * (log2(f) - log2(f + step));
            if (loss < least)
                least = loss, best = t;
        }
        frequency[best] = (uint16_t)(frequency[best] + step);
        left -= step;
    }
}

int store_fit_tables(const uint16_t *tokens, const uint16_t *contexts, size_t n, size_t kinds, size_t classes,
                     uint16_t *map, uint16_t *frequency, size_t *tables)
{
    merge_t m = {count_tokens(tokens, contexts, n, kinds, classes), kinds, classes, NULL, NULL, map};
    m.cost = malloc((classes + 1) * sizeof *m.cost);
    m.saved = malloc((classes * classes + 1) * sizeof *m.saved);
    int failed = !m.count || !m.cost || !m.saved;
    *tables = 0;
    if (!failed) {
        for (size_t c = 0; c < classes; c++) {
            map[c] = (uint16_t)c;
            m.cost[c] = table_cost(m.count + c * kinds, kinds, 1);
            if (m.cost[c] == 0) // empty: a table costs an entry at least
                m.cost[c] = -1;
        }
        merge(&m);
        size_t largest = 0;
        for (size_t c = 0; c < classes; c++)
            if (m.cost[c] >= 0) {
                to_frequencies(m.count + c * kinds, kinds, frequency + *tables * (kinds + 1));
                for (size_t k = 0; k < classes; k++)
                    if (map[k] == c && (m.cost[k] >= 0 || k != c))
                        map[k] = (uint16_t)(*tables | 0x8000);
                largest = 0;
                ++*tables;
            }
        for (size_t c = 0; c < classes; c++) // contexts that never occurred share the first table
            map[c] = (uint16_t)(map[c] & 0x8000 ? map[c] & 0x7fff : largest);
    }
    free(m.count);
    free(m.cost);
    free(m.saved);
    return failed ? STORE_ENOMEM : STORE_OK;
}
