// SPDX-License-Identifier: MIT
// port.c - a port to copy: a ring of received bytes around the functions of chip.h. Nothing here knows a chip.
#include "chip.h"

#include "td_port.h"

enum { ROOM = 512 }; // a power of two, above the longest frame: 64 bytes are the least

static volatile uint8_t ring[ROOM];
static volatile uint32_t head, tail; // how many bytes have come, and how many were taken

// One that finds no room is lost, and the host sends its frame again.
void port_received(uint8_t byte)
{
    if (head - tail < ROOM) {
        ring[head % ROOM] = byte;
        head = head + 1;
    }
}

void td_port_init(void)
{
    chip_start();
}

int td_port_read(uint8_t *data, int size)
{
    int count = 0;
    for (; count < size && tail != head; count++) {
        data[count] = ring[tail % ROOM];
        tail = tail + 1;
    }
    return count;
}

int td_port_room(void)
{
    return ROOM;
}

int td_port_write(const uint8_t *data, int size)
{
    int count = 0;
    while (count < size && chip_can_send())
        chip_send(data[count++]);
    return count;
}

// 64 bits of a counter of 32: it is asked more often than it runs over.
uint64_t td_port_ticks(void)
{
    static uint32_t last, turns;
    uint32_t now = chip_microseconds();
    turns += now < last;
    last = now;
    return (uint64_t)turns << 32 | now;
}

const char *td_port_tick_unit(void)
{
    return "us";
}

void td_port_idle(int running)
{
    if (running)
        return;
    chip_lock(); // a byte that came between our look and our sleep would be slept over
    if (head == tail)
        chip_sleep();
    chip_unlock();
}

// With start-up code that paints the stack: how much paint is gone. baremetal/ does that.
uint32_t td_port_stack(void)
{
    return 0;
}

void td_port_reset(void)
{
    for (;;)
        chip_reset();
}

// Flash that keeps weights over a power cut is described here, once there is a driver for it; see td_port.h, and
// baremetal/storage.c for one.
const td_storage_t *td_port_storage(void)
{
    return 0;
}

// ---- last words: startup.c of a bare board calls port_panic when the core faults ----

static void say(uint8_t byte)
{
    while (!chip_can_send()) {
    }
    chip_send(byte);
}

void port_panic(const char *what, uint32_t status, uint32_t address);

// Text between two zeros, which the host shows.
void port_panic(const char *what, uint32_t status, uint32_t address)
{
    (void)status, (void)address; // a debugger finds them here
    say(0);
    while (*what)
        say((uint8_t)*what++);
    say(0);
    for (;;) {
    }
}
