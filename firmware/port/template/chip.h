// SPDX-License-Identifier: MIT
// chip.h - what only you know of your chip: seven short functions. Fill them in, then take the #error away.
#ifndef CHIP_H
#define CHIP_H

#include <stdint.h>

#error "chip.h is a template: fill in its functions for your chip (docs/new-board.md)"

// Clocks, pins, the serial line at the board's rate with its receive interrupt on, a counter of microseconds.
static void chip_start(void)
{
}

// To be called by your receive interrupt, with each byte: port.c keeps it.
void port_received(uint8_t byte);

// Whether the line takes a byte now; then chip_send is called, which must not wait.
static int chip_can_send(void)
{
    return 0;
}

static void chip_send(uint8_t byte)
{
    (void)byte;
}

// Microseconds; may run over.
static uint32_t chip_microseconds(void)
{
    return 0;
}

// Between these two no byte is received. Nothing is done in between but two numbers compared.
static void chip_lock(void)
{
}

static void chip_unlock(void)
{
}

// Sleeps until an interrupt, if you like (WFI): nothing is to be done before a byte comes.
static void chip_sleep(void)
{
}

// Restarts the chip; on every Cortex-M that is *(volatile uint32_t *)0xe000ed0c = 0x05fa0004, then waiting.
static void chip_reset(void)
{
}

#endif
