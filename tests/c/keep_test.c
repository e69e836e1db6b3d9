// SPDX-License-Identifier: MIT
// keep_test.c - the main of a device that trains one run over any number of power cuts: for each byte that it gets it
// trains two steps, saves and says so, and at the end the CRC-32 of the weights. For any port, in place of main.c.
#include "td_frame.h"
#include "td_plan.h"
#include "td_port.h"
#include "td_save.h"

static uint32_t arena[(TD_ARENA_BYTES + 3) / 4];
static td_train_t train;
static td_save_t save;

static void put(char letter)
{
    uint8_t byte = (uint8_t)letter;
    while (td_port_write(&byte, 1) != 1)
        td_port_idle(1);
}

static void say(const char *what, uint32_t a, uint32_t b)
{
    while (*what)
        put(*what++);
    for (int i = 0; i < 16; i++) {
        if (i % 8 == 0)
            put(' ');
        put("0123456789abcdef"[(i < 8 ? a : b) >> (28 - 4 * (i % 8)) & 15]);
    }
    put('\n');
}

static void wait(void)
{
    uint8_t byte;
    while (td_port_read(&byte, 1) != 1)
        td_port_idle(0);
}

static void keep(void)
{
    int code = td_save_begin(&save, &train);
    while (code >= 0 && (code = td_save_step(&save)) > 0) {
    }
    say(code == 0 ? "saved" : "failed", code == 0 ? save.sequence : (uint32_t)code, train.step);
}

int main(void)
{
    td_knobs_t knobs = {.seed = 3, .epochs = 6, .rate = 1e-4f, .schedule = TD_COSINE, .factor = 0.5f};
    td_metrics_t metrics;
    int code;
    td_port_init();
    code = td_train_init(&train, &td_plan, arena, sizeof arena, 1);
    if (code == 0)
        code = td_save_open(&save, td_port_storage());
    if (code == 0)
        code = td_save_load(&save, &train, 1);
    say("boot", (uint32_t)code, save.sequence);
    if (code == TD_ENOTHING && td_train_start(&train, &knobs) != 0)
        say("failed", 0, 0);
    while (train.running) {
        wait();
        for (int i = 0; i < 2 && train.running; i++)
            if (td_train_step(&train, &metrics) < 0)
                say("failed", 0, train.step);
        keep();
    }
    wait();
    uint32_t crc = 0;
    for (uint32_t i = 0; i < td_plan.parameters; i++) {
        union {
            float number;
            uint32_t word;
        } w = {train.weights[i]};
        uint8_t bytes[4] = {(uint8_t)w.word, (uint8_t)(w.word >> 8), (uint8_t)(w.word >> 16), (uint8_t)(w.word >> 24)};
        crc = td_frame_crc32(crc, bytes, 4);
    }
    say("done", train.step, crc);
    for (;;)
        td_port_idle(0);
}
