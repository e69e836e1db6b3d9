// SPDX-License-Identifier: MIT
// model.c - reads a model section: how each plane is guessed, and how its numbers become tokens.
#include <stdlib.h>
#include <string.h>

#include "store.h"

typedef struct {
    const uint8_t *at, *end;
    int bad;
} reader_t;

// LEB128: seven bits a byte, least significant first.
static uint64_t number(reader_t *r, uint64_t most)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (r->at == r->end)
            break;
        uint8_t byte = *r->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            r->bad |= value > most;
            return value > most ? 0 : value;
        }
    }
    r->bad = 1;
    return 0;
}

static int64_t whole(reader_t *r)
{
    return store_signed(store_unzigzag(number(r, UINT64_MAX)));
}

static store_ref_t reference(reader_t *r, int other)
{
    store_ref_t ref = {.row = (uint8_t)number(r, STORE_BACK)};
    ref.plane = (uint16_t)number(r, UINT16_MAX);
    r->bad |= other && !ref.row && !ref.plane;
    return ref;
}

static int read_context(reader_t *r, store_context_t *c)
{
    static const uint8_t refs[] = {0, 1, 0, 3};
    c->kind = (uint8_t)number(r, STORE_CHANGE);
    c->refs = refs[c->kind];
    for (int k = 0; k < c->refs; k++)
        c->ref[k] = reference(r, 1);
    if (c->kind == STORE_NONE)
        return STORE_OK;
    c->thresholds = (uint8_t)number(r, STORE_THRESHOLDS);
    uint64_t last = 0;
    for (int k = 0; k < c->thresholds; k++) {
        uint64_t step = number(r, UINT64_MAX);
        r->bad |= !step || step > UINT64_MAX - last;
        c->threshold[k] = last += step;
    }
    c->small = malloc(STORE_SHORT);
    if (!c->small)
        return STORE_ENOMEM;
    uint8_t class = 0;
    for (uint64_t q = 0; q < STORE_SHORT; q++) {
        while (class < c->thresholds && c->threshold[class] <= q)
            class++;
        c->small[q] = class;
    }
    return r->bad ? STORE_EMODEL : STORE_OK;
}

// Whether the context needs numbers of the plane that is being decoded.
static int needs_own(const store_model_t *m)
{
    const store_context_t *c = &m->context;
    for (int i = 0; i < c->refs; i++)
        if (!c->ref[i].plane)
            return 1;
    for (int i = 0; c->kind == STORE_GUESS && i < m->taps; i++)
        if (!m->tap[i].plane)
            return 1;
    return 0;
}

static int read_tokens(reader_t *r, store_model_t *m)
{
    m->tokens = (size_t)number(r, STORE_TOKENS);
    m->entry = malloc((m->tokens + 1) * sizeof *m->entry);
    m->small = malloc(STORE_SHORT * sizeof *m->small);
    if (!m->entry || !m->small)
        return STORE_ENOMEM;
    uint64_t next = 0, q = 0;
    int full = 0; // whether the last token ends at 2^64
    for (size_t t = 0; t < m->tokens; t++) {
        uint64_t gap = number(r, UINT64_MAX);
        uint8_t bits = (uint8_t)number(r, 64);
        r->bad |= full || gap > UINT64_MAX - next;
        if (r->bad)
            return STORE_EMODEL;
        uint64_t base = next + gap, mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
        if (mask > UINT64_MAX - base)
            return STORE_EMODEL;
        m->entry[t] = (store_entry_t){base, bits};
        m->longest |= bits;
        uint64_t last = base + mask;
        for (; q < STORE_SHORT && q <= last; q++)
            m->small[q] = (uint16_t)(q < base ? m->tokens : t);
        full = last == UINT64_MAX;
        next = last + 1;
    }
    m->entry[m->tokens] = (store_entry_t){0, 64};
    for (; q < STORE_SHORT; q++)
        m->small[q] = (uint16_t)m->tokens;
    return STORE_OK;
}

static int read_table(reader_t *r, const store_model_t *m, store_table_t *table)
{
    uint32_t start = 0;
    table->range = malloc((m->tokens + 1) * sizeof *table->range);
    if (!table->range)
        return STORE_ENOMEM;
    for (uint32_t t = 0; t <= m->tokens; t++) {
        uint32_t share = (uint32_t)number(r, STORE_SCALE);
        if (share > STORE_SCALE - start || (t == m->tokens && !share))
            return STORE_EMODEL; // what escapes always has room
        table->range[t] = share << 16 | start;
        for (uint32_t k = 0; k < share; k++)
            table->slot[start + k] = share << (32 - STORE_SHARE_BITS) | t << STORE_SCALE_BITS | k;
        start += share;
    }
    return r->bad || start != STORE_SCALE ? STORE_EMODEL : STORE_OK;
}

static int read_tables(reader_t *r, store_model_t *m)
{
    size_t classes = m->context.thresholds + 1u;
    m->tables = (size_t)number(r, STORE_TABLES);
    if (m->tables > (size_t)(r->end - r->at)) // a table takes a byte at least: no more memory than that is worth
        return STORE_EMODEL;
    m->table = calloc(m->tables + 1, sizeof *m->table);
    if (!m->table)
        return STORE_ENOMEM;
    if (!m->tables) // a draft, for fitting
        return STORE_OK;
    for (size_t c = 0; c < classes; c++)
        m->map[c] = (uint8_t)number(r, m->tables - 1);
    int error = STORE_OK;
    for (size_t t = 0; t < m->tables && !error; t++)
        error = read_table(r, m, &m->table[t]);
    return error;
}

static int read_model(reader_t *r, store_model_t *m)
{
    m->mode = (uint8_t)number(r, STORE_RESIDUAL);
    if (m->mode == STORE_ZERO)
        return r->bad ? STORE_EMODEL : STORE_OK;
    m->taps = (uint8_t)number(r, STORE_TAPS);
    m->shift = (uint8_t)number(r, 30);
    m->bias = whole(r);
    for (int k = 0; k < m->taps; k++) {
        m->tap[k] = reference(r, 1);
        m->weight[k] = whole(r);
    }
    int error = read_context(r, &m->context);
    if (error)
        return error;
    m->own = (uint8_t)needs_own(m);
    error = r->bad ? STORE_EMODEL : read_tokens(r, m);
    return error ? error : read_tables(r, m);
}

static int read_planes(reader_t *r, store_t *s)
{
    for (size_t p = 0; p < s->planes; p++) {
        s->model_of[p] = (uint16_t)number(r, s->models - 1);
        s->skip[p] = (uint16_t)number(r, p); // a plane before this one, plus 1
    }
    for (size_t m = 0; m < s->models && !r->bad; m++) {
        int error = read_model(r, &s->model[m]);
        if (error)
            return error;
    }
    return r->bad || r->at != r->end ? STORE_EMODEL : STORE_OK;
}

store_t *store_open(const uint8_t *bytes, size_t size, int *error)
{
    reader_t r = {bytes, bytes + size, 0};
    store_t *s = calloc(1, sizeof *s);
    *error = STORE_ENOMEM;
    if (!s)
        return NULL;
    s->planes = (size_t)number(&r, UINT16_MAX);
    s->models = (size_t)number(&r, UINT16_MAX);
    if (r.bad || (s->planes && !s->models) || s->models > size) {
        *error = STORE_EMODEL;
    } else {
        s->model_of = calloc(s->planes + 1, sizeof *s->model_of);
        s->skip = calloc(s->planes + 1, sizeof *s->skip);
        s->model = calloc(s->models + 1, sizeof *s->model);
        if (s->model_of && s->skip && s->model)
            *error = read_planes(&r, s);
    }
    if (*error) {
        store_close(s);
        return NULL;
    }
    return s;
}

void store_close(store_t *store)
{
    for (size_t m = 0; store->model && m < store->models; m++) {
        store_model_t *model = &store->model[m];
        free(model->context.small);
        free(model->entry);
        free(model->small);
        for (size_t t = 0; model->table && t < model->tables; t++)
            free(model->table[t].range);
        free(model->table);
    }
    free(store->model_of);
    free(store->skip);
    free(store->model);
    free(store);
}
