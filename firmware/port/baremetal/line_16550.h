// SPDX-License-Identifier: MIT
// line_16550.h - the 16550 UART, one byte a register. The core counts instructions itself.
#ifndef LINE_16550_H
#define LINE_16550_H

enum { DATA = 0, REQUEST = 1, FIFO = 2, FORMAT = 3, STATE = 5 };
enum { RECEIVED = 1 << 0, CAN_SEND = 1 << 5, SENT = 1 << 6 }; // STATE

static inline volatile uint8_t *line_reg(uint32_t number)
{
    return (volatile uint8_t *)((uint32_t)TD_LINE_START + number);
}

static inline void line_init(void)
{
    *line_reg(FORMAT) = 3; // 8 bits, no parity, 1 stop bit; QEMU has no baud rate
    *line_reg(FIFO) = 1;   // on; clearing it would lose what the host has sent
    *line_reg(REQUEST) = 1;
}

static inline int line_has(void)
{
    return (*line_reg(STATE) & RECEIVED) != 0;
}

static inline uint8_t line_take(void)
{
    return *line_reg(DATA);
}

static inline int line_free(void)
{
    return (*line_reg(STATE) & CAN_SEND) != 0;
}

static inline void line_put(uint8_t byte)
{
    *line_reg(DATA) = byte;
}

static inline int line_sent(void)
{
    return (*line_reg(STATE) & SENT) != 0;
}

static inline void line_awake(void) // its request ends when the bytes are taken
{
}

#endif
