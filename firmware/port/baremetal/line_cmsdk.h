// SPDX-License-Identifier: MIT
// line_cmsdk.h - APB UART and APB timer of Arm's Cortex-M System Design Kit, as QEMU has them.
#ifndef LINE_CMSDK_H
#define LINE_CMSDK_H

#define UART ((uint32_t)TD_LINE_START) // an enum constant is an int, and too small for these
#define TIMER ((uint32_t)TD_COUNTER_START)
#define DATA UART
#define STATE (UART + 0x04)
#define CONTROL (UART + 0x08)
#define REQUESTS (UART + 0x0C)
#define DIVIDER (UART + 0x10)
#define TIMER_VALUE (TIMER + 0x04)
#define TIMER_RELOAD (TIMER + 0x08)
enum { FULL = 1 << 0, RECEIVED = 1 << 1 };                    // STATE
enum { SENDER = 1 << 0, RECEIVER = 1 << 1, WAKE = 1 << 3 };   // CONTROL

static inline void line_init(void)
{
    *reg(DIVIDER) = 217; // 115200 baud at 25 MHz; QEMU has no baud rate, but wants 16 or more
    *reg(CONTROL) = SENDER | RECEIVER | WAKE;
    *reg(TIMER_RELOAD) = 0xFFFFFFFFu;
    *reg(TIMER_VALUE) = 0xFFFFFFFFu;
    *reg(TIMER) = 1;
}

static inline int line_has(void)
{
    return (*reg(STATE) & RECEIVED) != 0;
}

static inline uint8_t line_take(void)
{
    return (uint8_t)*reg(DATA);
}

static inline int line_free(void)
{
    return (*reg(STATE) & FULL) == 0;
}

static inline void line_put(uint8_t byte)
{
    *reg(DATA) = byte;
}

static inline int line_sent(void)
{
    return line_free();
}

static inline void line_awake(void) // its request stays until it is taken back
{
    *reg(REQUESTS) = RECEIVED;
}

static inline uint32_t line_counter(void)
{
    return 0xFFFFFFFFu - *reg(TIMER_VALUE);
}

#endif
