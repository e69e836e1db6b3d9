// SPDX-License-Identifier: MIT
// td_port.h - what a board must offer: ten functions. A new port is a copy of port/template.
#ifndef TD_PORT_H
#define TD_PORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Clocks, the serial line, the tick counter. Called once, first.
void td_port_init(void);

// Takes up to `size` received bytes and returns how many there were; 0 is fine. Never blocks.
int td_port_read(uint8_t *data, int size);

// Received bytes that are kept while nobody takes them: 64 or more. The host never has more than that on its way.
int td_port_room(void);

// Hands over up to `size` bytes and returns how many were taken; 0 is fine. Never blocks for long.
int td_port_write(const uint8_t *data, int size);

// A counter that only goes up, and what it counts ("ns", "us", "instructions (emulated)").
uint64_t td_port_ticks(void);
const char *td_port_tick_unit(void);

// Called when there is nothing to do; may sleep until a byte arrives. `running` says that it must not.
void td_port_idle(int running);

// The most bytes of stack that have been in use since the start; 0 where nobody knows.
uint32_t td_port_stack(void);

// Ends or restarts the program; does not return.
void td_port_reset(void);

// Flash, or what behaves like it. Erased bytes are 0xff. Each function returns 0, or a negative number when what was
// asked for did not happen; it returns when that is done and would outlast a power cut. Places are bytes from 0.
typedef struct {
    uint32_t bytes;         // a multiple of erase_bytes
    uint32_t erase_bytes;   // of a block: a multiple of 64
    uint32_t write_bytes;   // written at once, at a multiple of it, once between two erasures: 1, 2, 4, 8, 16 or 32
    void *context;
    int (*read)(void *context, uint32_t at, uint8_t *data, uint32_t size);
    int (*program)(void *context, uint32_t at, const uint8_t *data, uint32_t size); // whole write units, at most 64 bytes
    int (*erase)(void *context, uint32_t at); // the block that begins there
} td_storage_t;

// Where weights may be kept; NULL where nothing outlasts a power cut. Called once, after td_port_init.
const td_storage_t *td_port_storage(void);

// What main.c offers in turn to a port whose framework has a main of its own.
void td_main_setup(void);
void td_main_loop(void);

#ifdef __cplusplus
}
#endif
#endif
