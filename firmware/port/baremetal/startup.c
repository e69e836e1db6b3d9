// SPDX-License-Identifier: MIT
// startup.c - from reset to main on bare metal, a Cortex-M's faults, and the four functions a compiler may call.
#include <stddef.h>
#include <stdint.h>

#include "stack.h"

// prototypes first: -Wconversion builds may ask for them, and nobody else calls these
int main(void);
void start(void);
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

// ---- memory: GCC calls these for copies and zeroes of structures ----

// without this GCC would see a copy in the loop and call memcpy from memcpy
#pragma GCC optimize("no-tree-loop-distribute-patterns")

void *memcpy(void *to, const void *from, size_t size)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    for (size_t i = 0; i < size; i++)
        out[i] = in[i];
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if (out <= in)
        return memcpy(to, from, size);
    for (size_t i = size; i > 0; i--)
        out[i - 1] = in[i - 1];
    return to;
}

void *memset(void *to, int value, size_t size)
{
    uint8_t *out = to;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

// ---- reset ----

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[]; // link.ld

static void enable_fpu(void)
{
#ifdef __ARM_FP
    volatile uint32_t *cpacr = (volatile uint32_t *)0xE000ED88u;
    *cpacr |= 0xFu << 20; // full access to coprocessors 10 and 11
    __asm volatile("dsb\n isb");
#endif
}

// The stack below `start` is painted, so that td_port_stack can tell how deep it was ever used.
static inline __attribute__((always_inline)) void paint_stack(void)
{
    uint32_t *here;
#ifdef __riscv
    __asm volatile("mv %0, sp" : "=r"(here));
#else
    __asm volatile("mov %0, sp" : "=r"(here));
#endif
    for (uint32_t *word = stack_bottom; word < here; word++)
        *word = STACK_PAINT;
}

void start(void)
{
    paint_stack();
    enable_fpu();
    memcpy(data_start, data_load, (size_t)((uint8_t *)data_end - (uint8_t *)data_start));
    memset(bss_start, 0, (size_t)((uint8_t *)bss_end - (uint8_t *)bss_start));
    main();
    for (;;)
        __asm volatile("wfi");
}

// ---- a Cortex-M's faults; startup_riscv.c has the others ----
#ifdef __arm__

void fault(void);
void fault_report(const uint32_t *frame);
void port_panic(const char *what, uint32_t status, uint32_t address);

// the stack may be what is broken: the handler takes a fresh one before it calls C
__attribute__((naked)) void fault(void)
{
    __asm volatile("mrs r0, msp\n"
                   "ldr r1, =stack_top\n"
                   "msr msp, r1\n"
                   "b fault_report\n");
}

void fault_report(const uint32_t *frame)
{
    uint32_t status = *(volatile uint32_t *)0xE000ED28u; // CFSR says which fault
    int sound = frame >= stack_bottom && frame + 8 <= stack_top;
    port_panic(sound ? "fault" : "stack overflow", status, sound ? frame[6] : 0);
}

typedef void (*handler_t)(void);

typedef struct {
    uint32_t *stack;
    handler_t handlers[15];
} vectors_t;

// interrupts stay masked (port.c wakes by them, it never takes them), so the core's own vectors will do
__attribute__((section(".vectors"), used)) static const vectors_t vectors = {
    .stack = stack_top,
    .handlers = {start, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault},
};

#endif
