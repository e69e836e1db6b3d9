// SPDX-License-Identifier: MIT
// drive.c - a fuzzer for where there is no libFuzzer: it changes, cuts, repeats and joins inputs at random.
// usage: target RUNS SEED CORPUS-FILE...
// It says how many inputs there were as libFuzzer does.
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seed;

static size_t below(size_t most)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return most ? (size_t)(seed % most) : 0;
}

static size_t read_file(const char *name, uint8_t *data)
{
    FILE *file = fopen(name, "rb");
    size_t size = file ? fread(data, 1, MOST, file) : 0;
    if (file)
        fclose(file);
    return size;
}

static size_t change(uint8_t *data, size_t size)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff};
    size_t at = below(size), run = below(16) + 1;
    switch (below(6)) {
    case 0: data[at] = (uint8_t)below(256); break;
    case 1: data[at] ^= (uint8_t)(1u << below(8)); break;
    case 2: data[at] = edges[below(sizeof edges)]; break;
    case 3: size = at; break;
    case 4:
        if (at + run < size)
            memmove(data + at, data + at + run, size - at - run), size -= run;
        break;
    default:
        if (size + run < MOST)
            memmove(data + at + run, data + at, size - at), size += run;
    }
    return size;
}

int main(int count, char **names)
{
    static uint8_t data[MOST];
    if (count < 4)
        return 2;
    seed = (uint64_t)atoi(names[2]) * 2654435761u + 88172645463325252u;
    long runs = atol(names[1]);
    for (long run = 0; run < runs; run++) {
        size_t size = read_file(names[3 + below((size_t)count - 3)], data);
        for (size_t k = below(8) + 1; size && k; k--)
            size = change(data, size);
        uint8_t *input = malloc(size ? size : 1); // of its exact size
        memcpy(input, data, size);
        LLVMFuzzerTestOneInput(input, size);
        free(input);
    }
    printf("stat::number_of_executed_units: %ld\n", runs);
    return 0;
}
