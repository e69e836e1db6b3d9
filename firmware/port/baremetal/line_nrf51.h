// SPDX-License-Identifier: MIT
// line_nrf51.h - UART0 and TIMER0 of an nRF51, as QEMU has them.
#ifndef LINE_NRF51_H
#define LINE_NRF51_H

enum { UART = TD_LINE_START, START_RX = UART, START_TX = UART + 0x008 };
enum { RX_READY = UART + 0x108, TX_READY = UART + 0x11C, INTERRUPTS = UART + 0x304 };
enum { ENABLE = UART + 0x500, RXD = UART + 0x518, TXD = UART + 0x51C, BAUD = UART + 0x524 };
enum { TIMER = TD_COUNTER_START, CAPTURE = TIMER + 0x040, MODE = TIMER + 0x504 };
enum { WIDTH = TIMER + 0x508, PRESCALER = TIMER + 0x510, CAPTURED = TIMER + 0x540 };

static inline void line_init(void)
{
    *reg(ENABLE) = 4;
    *reg(BAUD) = 0x01D7E000; // 115200; QEMU has no baud rate
    *reg(INTERRUPTS) = 1u << 2;
    *reg(START_TX) = 1;
    *reg(START_RX) = 1;
    *reg(TX_READY) = 1; // the first byte follows no other; no flag of our own, see line_put
    *reg(MODE) = 0;
    *reg(WIDTH) = 3; // 32 bits
    *reg(PRESCALER) = 0;
    *reg(TIMER) = 1;
}

static inline int line_has(void)
{
    return *reg(RX_READY) != 0;
}

// reading makes RX_READY come again when more bytes wait, so it is cleared before
static inline uint8_t line_take(void)
{
    *reg(RX_READY) = 0;
    return (uint8_t)*reg(RXD);
}

static inline int line_free(void)
{
    return *reg(TX_READY) != 0;
}

// GCC 12.2 at -O2 wrote the last byte of a loop twice when a plain variable was set beside these two
static inline void line_put(uint8_t byte)
{
    *reg(TX_READY) = 0;
    *reg(TXD) = byte;
}

static inline int line_sent(void)
{
    return line_free();
}

static inline void line_awake(void) // its request ends when RX_READY is cleared
{
}

static inline uint32_t line_counter(void)
{
    *reg(CAPTURE) = 1;
    return *reg(CAPTURED);
}

#endif
