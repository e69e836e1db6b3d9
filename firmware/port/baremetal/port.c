// SPDX-License-Identifier: MIT
// port.c - td_port.h on bare metal. The board's flags say which serial line there is, and where.
// Made for machines of QEMU: it sets no pins and no clock tree, which a real chip would need.
#include "stack.h"
#include "td_port.h"

static inline volatile uint32_t *reg(uint32_t address)
{
    return (volatile uint32_t *)address;
}

#ifdef __riscv
#include "core_riscv.h"
#else
#include "core_arm.h"
#endif

#if defined(TD_LINE_STM32)
#include "line_stm32.h"
#elif defined(TD_LINE_NRF51)
#include "line_nrf51.h"
#elif defined(TD_LINE_CMSDK)
#include "line_cmsdk.h"
#elif defined(TD_LINE_16550)
#include "line_16550.h"
#else
#error "no serial line is named; build with `tinydream build`, or see custom_devices in platformio.ini"
#endif

void td_port_init(void)
{
    line_init();
    core_init();
}

int td_port_read(uint8_t *data, int size)
{
    int count = 0;
    (void)td_port_ticks(); // called often enough to see each wrap of the counter
    while (count < size && line_has())
        data[count++] = line_take();
    return count;
}

// The emulator holds back what the line has not taken: nothing is ever lost.
int td_port_room(void)
{
    return 1024;
}

int td_port_write(const uint8_t *data, int size)
{
    int count = 0;
    while (count < size && line_free())
        line_put(data[count++]);
    return count;
}

// Under `qemu -icount shift=0` an instruction takes 1 ns: a counter of so many MHz tells them, in
// steps of 1000 / MHz. That is no time of any real board.
uint64_t td_port_ticks(void)
{
#ifdef TD_COUNTER_MHZ
    enum { HALVES = 2000 / TD_COUNTER_MHZ }; // of a nanosecond, for 62.5
    static uint32_t last, wraps;
    uint32_t now = line_counter();
    if (now < last)
        wraps++;
    last = now;
    uint64_t all = (uint64_t)wraps << 32 | now;
    return HALVES % 2 ? all * HALVES / 2 : all * (HALVES / 2);
#else
    return core_instructions();
#endif
}

const char *td_port_tick_unit(void)
{
    return "instructions (emulated)";
}

// a byte that came before the sleep is seen by line_has, one that comes later ends it at once
void td_port_idle(int running)
{
    if (running || line_has())
        return;
    core_sleep();
    line_awake();
    core_awake();
}

uint32_t td_port_stack(void)
{
    const uint32_t *word = stack_bottom;
    while (word < stack_top && *word == STACK_PAINT)
        word++;
    return (uint32_t)(stack_top - word) * sizeof *word;
}

void td_port_reset(void)
{
    while (!line_sent()) {
    }
    core_reset();
    for (;;) {
    }
}

// ---- last words of startup: text between two zeros, which the host shows as log ----

static void say_byte(uint8_t byte)
{
    while (!line_free()) {
    }
    line_put(byte);
}

static void say(const char *text)
{
    for (; *text; text++)
        say_byte((uint8_t)*text);
}

static void say_hex(uint32_t value)
{
    for (int i = 0; i < 8; i++)
        say_byte((uint8_t)"0123456789abcdef"[value >> (28 - 4 * i) & 15]);
}

void port_panic(const char *what, uint32_t status, uint32_t address);

void port_panic(const char *what, uint32_t status, uint32_t address)
{
    say_byte(0);
    say("\r\n");
    say(what);
    say(", " CORE_STATUS " ");
    say_hex(status);
    say(", at ");
    say_hex(address);
    say("\r\n");
    say_byte(0);
    for (;;) // stays here: who debugs it finds it as it was
        __asm volatile("wfi");
}
