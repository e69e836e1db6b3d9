// SPDX-License-Identifier: MIT
// store.c - fuzz target: the store's reader of models and blocks, as planes and as rows. An input is u16 rows, u32 bytes of the model section,
// that section, one block.
#include <stdlib.h>
#include <string.h>

#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Planes as 8 bytes of a row each, of all kinds in turn.
static void as_rows(const store_t *store, const uint8_t *block, size_t size, size_t rows)
{
    static const uint64_t words[4] = {1, 2, 3, 4};
    size_t width = 8 * store->planes;
    uint8_t *raw = malloc(width * rows + 1);
    store_column_t *columns = calloc(store->planes + 1, sizeof *columns);
    for (size_t p = 0; p < store->planes; p++)
        columns[p] = (store_column_t){.kind = (uint8_t)(p % 5), .size = (uint8_t)(1 << p % 4), .decimals = (uint8_t)(p % 13),
                                      .offset = 8 * p, .count = 4};
    for (size_t p = 0; p < store->planes; p++)
        if (columns[p].kind == STORE_DECIMAL)
            columns[p].size = p % 2 ? 4 : 8;
    store_decode(store, block, size, rows, NULL, &(store_rows_t){columns, words, &raw, &width});
    free(columns);
    free(raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 6)
        return 0;
    size_t rows = (size_t)data[0] | (size_t)data[1] << 8, models = 0;
    for (int k = 0; k < 4; k++)
        models |= (size_t)data[2 + k] << 8 * k;
    if (models > size - 6)
        return 0;
    int error;
    uint8_t *section = malloc(models + 1), *block = malloc(size - 6 - models + 1); // of their exact sizes: ASan looks
    section = realloc(section, models ? models : 1);
    memcpy(section, data + 6, models);
    memcpy(block, data + 6 + models, size - 6 - models);
    store_t *store = store_open(section, models, &error);
    if (store && store->planes * rows < 1 << 20) {
        uint64_t *planes = malloc((store->planes * rows + 1) * sizeof *planes);
        if (!store_decode(store, block, size - 6 - models, rows, planes, NULL)) {
            double *bits = malloc((store->planes + 1) * sizeof *bits);
            store_sizes(store, planes, rows, bits);
            free(bits);
        }
        free(planes);
        as_rows(store, block, size - 6 - models, rows);
    }
    if (store)
        store_close(store);
    free(section);
    free(block);
    return 0;
}
