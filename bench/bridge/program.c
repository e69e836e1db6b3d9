// SPDX-License-Identifier: MIT
// program.c - what is counted: polls of a node whose line is silent, and records of metrics that leave at once.
#include "td_node.h"
#include "td_plan.h"
#include "td_port.h"

enum { POLLS = 100, METRICS = 1 }; // METRICS: the bit of node.tell

void mark(void);
int main(void);
void port_panic(const char *what, uint32_t status, uint32_t address);

static uint32_t arena[(TD_ARENA_BYTES + 3) / 4];
static td_node_t node;

// ---- telling ----

static uint32_t semihost(uint32_t what, const void *with)
{
    register uint32_t r0 __asm("r0") = what;
    register const void *r1 __asm("r1") = with;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void leave(const char *last)
{
    semihost(0x04, last);
    semihost(0x18, (const void *)0x20026);
    for (;;) {
    }
}

void port_panic(const char *what, uint32_t status, uint32_t address)
{
    (void)status, (void)address;
    leave(what);
}

__attribute__((noinline)) void mark(void)
{
    __asm volatile("");
}

// ---- a line on which nothing comes, and that takes everything ----

void td_port_init(void)
{
}

int td_port_read(uint8_t *data, int size)
{
    (void)data, (void)size;
    return 0;
}

int td_port_room(void)
{
    return 64;
}

int td_port_write(const uint8_t *data, int size)
{
    (void)data;
    return size;
}

uint64_t td_port_ticks(void)
{
    return 0;
}

const char *td_port_tick_unit(void)
{
    return "us";
}

void td_port_idle(int running)
{
    (void)running;
}

uint32_t td_port_stack(void)
{
    return 0;
}

void td_port_reset(void)
{
    leave("reset");
}

int main(void)
{
    td_node_init(&node, &td_plan, arena, sizeof arena);
    mark();
    for (int i = 0; i < POLLS; i++)
        td_node_poll(&node);
    mark();
    mark();
    for (int i = 0; i < POLLS; i++) {
        node.metrics.epoch = (uint32_t)i * 1234567u;
        node.tell = METRICS;
        node.yields = 0;
        td_node_poll(&node);
    }
    mark();
    leave("weights 00000000\n");
    return 0;
}
