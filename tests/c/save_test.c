// SPDX-License-Identifier: MIT
// save_test.c - a training and a flash that loses power where it is told to; a line of stdin is a command, each is
// answered by a line, at once unless it ends in a semicolon. Arguments: number of a plan, bytes, erase_bytes, write_bytes.
//
//     start SEED EPOCHS ROWS    begin a run over the present weights       -> code
//     steps N                   of training                                -> code of the last
//     stop                      the run                                    -> 0
//     save CUT TEAR             cut at operation CUT, if it comes to that  -> code operations
//     erase CUT TEAR            the same
//     boot RUN SEED             power is on again: initial weights, load   -> code newest-sequence
//     load RUN                  without a cut before                       -> code
//     geometry BYTES ERASE WRITE  of a storage that is opened              -> code
//     dump                      all that a record would hold, in hex
//     mark, back                remember all of this, and return to it     -> 0
//     image                     the flash, in hex
//     flash HEX                 what it holds                              -> 0
//
// An operation is one write unit, or one block erased. TEAR chooses what of the last one happened: 0 nothing, 1 all,
// else some of its bits. A negative CUT is operation -CUT - 1, which then fails, and power stays on. The flash ends
// this program when it is not treated as flash must be.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "td_internal.h"
#include "td_save.h"

extern const td_plan_t *const plans[];
static const td_plan_t *plan;

static uint8_t *flash, *used; // used: write units since they were erased
static long operations, cut;
static uint32_t tear;
static int dead;

static void require(int holds, const char *rule)
{
    if (holds)
        return;
    fprintf(stderr, "flash: %s\n", rule);
    exit(3);
}

static uint8_t some_bits(uint32_t at)
{
    uint32_t draw = td_hash(tear * 0x9e3779b9u + at);
    if (tear < 2)
        return tear ? 0xff : 0;
    return (uint8_t)(tear % 3 == 0 ? draw & draw >> 8 : tear % 3 == 1 ? draw | draw >> 8 : draw);
}

// 1: go on, 0: this operation happens in part, and is the last; -1: it does not happen
static int powered(void)
{
    long now = operations++;
    if (dead)
        return -1;
    if (cut < 0)
        return now == -cut - 1 ? -1 : 1;
    dead = now == cut;
    return !dead;
}

static int flash_read(void *context, uint32_t at, uint8_t *data, uint32_t size)
{
    const td_storage_t *storage = context;
    require(at <= storage->bytes && size <= storage->bytes - at, "read outside");
    memcpy(data, flash + at, size);
    return dead ? TD_ESTORAGE : 0;
}

static int flash_program(void *context, uint32_t at, const uint8_t *data, uint32_t size)
{
    const td_storage_t *storage = context;
    uint32_t unit = storage->write_bytes;
    require(at <= storage->bytes && size <= storage->bytes - at, "program outside");
    require(size > 0 && size <= TD_SAVE_CHUNK && at % unit == 0 && size % unit == 0, "not whole units");
    for (uint32_t i = 0; i < size; i += unit) {
        int power = powered();
        if (power < 0)
            return TD_ESTORAGE;
        require(!used[(at + i) / unit], "a unit is programmed twice");
        used[(at + i) / unit] = (uint8_t)power;
        for (uint32_t k = i; k < i + unit; k++) {
            uint8_t kept = (uint8_t)(data[k] | (power ? 0 : ~some_bits(k)));
            require((flash[at + k] & data[k]) == data[k], "a bit would go from 0 to 1");
            used[(at + i) / unit] |= (flash[at + k] & kept) != flash[at + k];
            flash[at + k] &= kept;
        }
        if (!power)
            return TD_ESTORAGE;
    }
    return 0;
}

static int flash_erase(void *context, uint32_t at)
{
    const td_storage_t *storage = context;
    int power = powered();
    require(at < storage->bytes && at % storage->erase_bytes == 0, "not a block");
    if (power < 0)
        return TD_ESTORAGE;
    for (uint32_t k = at; k < at + storage->erase_bytes; k++)
        flash[k] |= power ? 0xff : some_bits(k);
    if (power || tear != 0) // what was erased in part must not be written before it is erased again
        memset(used + at / storage->write_bytes, !power, storage->erase_bytes / storage->write_bytes);
    return power ? 0 : TD_ESTORAGE;
}

static int finish(td_save_t *save, int code)
{
    if (code < 0)
        return code;
    do
        code = td_save_step(save);
    while (code > 0);
    return code;
}

static int train_steps(td_train_t *train, unsigned long count)
{
    td_metrics_t metrics;
    int code = 0;
    while (count-- > 0 && code >= 0)
        code = td_train_step(train, &metrics);
    return code;
}

static void print_hex(const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        putchar(digits[data[i] >> 4]);
        putchar(digits[data[i] & 15]);
    }
    putchar('\n');
}

static void dump(const td_train_t *train)
{
    uint32_t count = td_state_words(train->plan, train->running);
    printf("%d ", train->running);
    for (uint32_t i = 0; i < count; i++)
        printf("%08x", (unsigned)td_state_get(train, i));
    printf("\n");
}

typedef struct {
    td_train_t train;
    td_save_t save;
    uint8_t arena[1 << 14], flash[1 << 14], used[1 << 14];
} world_t;

static world_t here, there;

static void set_flash(const char *hex, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        unsigned value = 0;
        require(sscanf(hex + 2 * i, "%2x", &value) == 1, "too few bytes");
        flash[i] = (uint8_t)value;
        used[i] = value != 0xff; // right for units of a byte
    }
}

static int boot(long run, uint32_t seed, td_storage_t *storage)
{
    int code = td_train_init(&here.train, plan, here.arena, sizeof here.arena, seed);
    dead = 0;
    code = code == 0 ? td_save_open(&here.save, storage) : code;
    return code == 0 ? td_save_load(&here.save, &here.train, (int)run) : code;
}

// what trains
static int train(const char *verb, long a, long b, long c)
{
    td_knobs_t knobs = {.seed = (uint32_t)a, .epochs = (uint32_t)b, .epoch_rows = (uint32_t)c, .rate = 1e-4f};
    if (strcmp(verb, "start") == 0)
        return td_train_start(&here.train, &knobs);
    if (strcmp(verb, "steps") == 0)
        return train_steps(&here.train, (unsigned long)a);
    require(strcmp(verb, "stop") == 0, "no such command");
    td_train_stop(&here.train);
    return 0;
}

static void obey(const char *line, td_storage_t *storage)
{
    long a = 0, b = 0, c = 0;
    char verb[12];
    require(sscanf(line, "%11s %ld %ld %ld", verb, &a, &b, &c) >= 1, "no command");
    operations = 0;
    cut = a;
    tear = (uint32_t)b;
    if (strcmp(verb, "boot") == 0) {
        int code = boot(a, (uint32_t)b, storage);
        printf("%d %u\n", code, (unsigned)here.save.sequence);
    } else if (strcmp(verb, "save") == 0 || strcmp(verb, "erase") == 0) {
        int code = verb[0] == 's' ? td_save_begin(&here.save, &here.train) : td_save_erase(&here.save);
        code = finish(&here.save, code);
        printf("%d %ld\n", code, operations);
    } else if (strcmp(verb, "load") == 0) {
        printf("%d\n", td_save_load(&here.save, &here.train, (int)a));
    } else if (strcmp(verb, "geometry") == 0) {
        storage->bytes = (uint32_t)a;
        storage->erase_bytes = (uint32_t)b;
        storage->write_bytes = (uint32_t)c;
        printf("%d\n", td_save_open(&here.save, storage));
    } else if (strcmp(verb, "dump") == 0) {
        dump(&here.train);
    } else if (strcmp(verb, "image") == 0) {
        print_hex(flash, storage->bytes);
    } else if (strcmp(verb, "flash") == 0) {
        set_flash(line + 6, storage->bytes);
        printf("0\n");
    } else if (strcmp(verb, "mark") == 0 || strcmp(verb, "back") == 0) {
        if (verb[0] == 'm')
            there = here;
        else
            here = there;
        dead = 0;
        printf("0\n");
    } else {
        printf("%d\n", train(verb, a, b, c));
    }
}

int main(int argc, char **argv)
{
    static char line[1 << 16];
    td_storage_t storage = {0, 0, 0, &storage, flash_read, flash_program, flash_erase};
    require(argc == 5, "four arguments");
    plan = plans[atol(argv[1])];
    storage.bytes = (uint32_t)atol(argv[2]);
    storage.erase_bytes = (uint32_t)atol(argv[3]);
    storage.write_bytes = (uint32_t)atol(argv[4]);
    require(storage.bytes <= sizeof here.flash, "too large");
    flash = here.flash;
    used = here.used;
    memset(flash, 0xff, sizeof here.flash);
    while (fgets(line, sizeof line, stdin) != NULL) {
        obey(line, &storage);
        if (strchr(line, ';') == NULL) // no further command is on its way
            fflush(stdout);
    }
    return 0;
}
