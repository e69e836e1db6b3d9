// SPDX-License-Identifier: MIT
// program.c - what is counted: training, drawing a row, predicting one, each between two marks.
//
// No board's devices are used: numbers leave by semihosting, the same on every Cortex-M of QEMU.
#include "td_plan.h"

#ifndef WARM_STEPS
#define WARM_STEPS 0 // before counting begins
#endif
#ifndef STEPS
#define STEPS 20
#endif
#ifndef RATE
#define RATE 0.05f
#endif
enum { DRAWN = 20 };

extern uint32_t stack_bottom[], stack_top[]; // link.ld
void mark(void);
int main(void);
void port_panic(const char *what, uint32_t status, uint32_t address);

static uint32_t arena[(TD_ARENA_BYTES + 3) / 4];
static td_train_t train;
static td_metrics_t metrics;

// ---- telling ----

static uint32_t semihost(uint32_t what, const void *with)
{
    register uint32_t r0 __asm("r0") = what;
    register const void *r1 __asm("r1") = with;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void say(const char *name, uint32_t value)
{
    char text[10] = "";
    for (int i = 0; i < 8; i++)
        text[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    text[8] = '\n';
    semihost(0x04, name);
    semihost(0x04, text);
}

static void leave(void)
{
    semihost(0x18, (const void *)0x20026);
    for (;;) {
    }
}

void port_panic(const char *what, uint32_t status, uint32_t address)
{
    say(what, status);
    say(" at ", address);
    leave();
}

static uint32_t crc32(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint32_t crc = ~0u;
    while (size--) {
        crc ^= *p++;
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

// ---- the stack: painted below us, looked at later ----

enum { PAINT = 0x5AC35AC3 };

static __attribute__((noinline)) void paint(void)
{
    uint32_t *here;
    __asm volatile("mov %0, sp" : "=r"(here));
    for (volatile uint32_t *p = stack_bottom; p < here - 8; p++)
        *p = PAINT;
}

static uint32_t stack_used(void)
{
    uint32_t *p = stack_bottom;
    while (*p == PAINT)
        p++;
    return (uint32_t)((uint8_t *)stack_top - (uint8_t *)p);
}

// ---- what is counted ----

// one instruction, whose address the plugin knows
__attribute__((naked, noinline)) void mark(void)
{
    __asm volatile("bx lr");
}

// Functions of our own stay apart: their frames are gone, or small, while the core trains.
#define APART static __attribute__((noinline))

APART void begin(void)
{
    // epochs of whole batches, and no end of them
    td_knobs_t knobs = {.seed = 1, .epochs = 1000000, .rate = RATE, .every = 1};
    int code;
    knobs.epoch_rows = 50u * td_plan.batch;
    if ((code = td_train_init(&train, &td_plan, arena, sizeof arena, 1)) != 0)
        port_panic("no arena ", (uint32_t)code, 0);
    if ((code = td_train_start(&train, &knobs)) != 0)
        port_panic("no start ", (uint32_t)code, 0);
}

static void steps(uint32_t count)
{
    while (count-- && train.running)
        if (td_train_step(&train, &metrics) < 0)
            port_panic("step failed ", 0, 0);
}

APART void tell(void)
{
    say("stack ", stack_used());
    say("rows ", td_plan.batch * (uint32_t)STEPS);
    say("weights ", crc32(train.weights, td_plan.parameters * sizeof(float)));
}

#ifdef DRAW
APART void draw(void)
{
    static float x[DRAW];
    uint32_t order[TD_ORDER], label, sum = 0;
    td_rows_order(1, 0, order);
    mark();
    for (uint32_t i = 0; i < DRAWN; i++) {
        td_rows_draw(&td_plan.rows, 1, 0, i, order, x, &label);
        sum += label;
    }
    mark();
    say("labels ", sum);
}
#endif

#ifdef DO_PREDICT
APART void predict(void)
{
    static float raw[TD_RAW_COLUMNS];
    mark();
    if (td_predict(&train, raw, NULL) < 0)
        port_panic("predict failed ", 0, 0);
    mark();
}
#endif

int main(void)
{
    paint();
    begin();
    steps(WARM_STEPS);
    mark();
    steps(STEPS);
    mark();
    tell();
#ifdef DRAW
    draw();
#endif
#ifdef DO_PREDICT
    predict();
#endif
    leave();
    return 0;
}
