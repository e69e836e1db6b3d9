// SPDX-License-Identifier: MIT
// td_port.h - what a board must offer: eight functions. A new port is a copy of port/template.
#ifndef TD_PORT_H
#define TD_PORT_H

#include <stdint.h>

#include "td_save.h"

// Clocks, the serial line, the tick counter. Called once, first.
void td_port_init(void);

// Takes up to `size` received bytes and returns how many there were; 0 is fine. Never blocks.
int td_port_read(uint8_t *data, int size);

// Hands over up to `size` bytes and returns how many were taken; 0 is fine. Never blocks for long.
int td_port_write(const uint8_t *data, int size);

// A counter that only goes up, and what it counts ("ns", "us", "instructions (emulated)").
uint64_t td_port_ticks(void);
const char *td_port_tick_unit(void);

// Called when there is nothing to do; may sleep until a byte arrives. `running` says that it must not.
void td_port_idle(int running);

// Ends or restarts the program; does not return.
void td_port_reset(void);

// Where weights may be kept; NULL where nothing outlasts a power cut. Called once, after td_port_init.
const td_storage_t *td_port_storage(void);

#endif
