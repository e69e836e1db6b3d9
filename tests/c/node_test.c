// SPDX-License-Identifier: MIT
// node_test.c - a node on a port that takes and gives one byte at a time and has its own mind about when.
// stdin is what the host sends, stdout what it gets. Between requests the node logs "line N" whenever it may.
#include <stdio.h>
#include <stdlib.h>

#include "td_node.h"
#include "td_plan.h"
#include "td_port.h"

static uint32_t calls; // every third call to the port finds it ready
static uint64_t ticks; // one for each time it is asked: a batch takes one tick

void td_port_init(void)
{
}

int td_port_read(uint8_t *data, int size)
{
    int byte = size > 0 && ++calls % 3 == 0 ? getchar() : EOF;
    *data = (uint8_t)byte;
    return byte != EOF;
}

int td_port_room(void)
{
    return 64;
}

int td_port_write(const uint8_t *data, int size)
{
    return size > 0 && ++calls % 3 == 0 ? putchar(*data) != EOF : 0;
}

uint64_t td_port_ticks(void)
{
    return ticks++;
}

const char *td_port_tick_unit(void)
{
    return "calls, counted by a unit whose name is far longer than what a small hello has room for, so that it has to be cut";
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
    exit(5); // nobody asks for it here
}

static char long_text[2 * TD_FRAME_MAX];

int main(void)
{
    static uint32_t arena[(TD_ARENA_BYTES + 3) / 4];
    static td_node_t node;
    int logged = 0;
    for (size_t i = 0; i + 1 < sizeof long_text; i++)
        long_text[i] = 'x';
    if (td_node_init(&node, &td_plan, arena, sizeof arena) < 0)
        return 1;
    for (int i = 0; i < 1000000; i++) {
        int busy = td_node_poll(&node);
        if (!busy && (node.out_sent != node.out_size || node.tell || node.train.running))
            return 6; // the port may sleep now, and this would wait for the host to speak
        if (i % 1000 == 0 && !busy && logged < 3) {
            char line[] = {'l', 'i', 'n', 'e', ' ', (char)('0' + logged), 0};
            if (td_node_log(&node, line) != 6 || td_node_log(&node, "lost") != 0)
                return 2; // the line was free, and then it was not
            logged++;
        } else if (i % 1000 == 500 && !busy && logged == 3) {
            if (td_node_log(&node, long_text) != TD_PAYLOAD_MAX)
                return 3;
            logged++;
        } else if (!busy && logged == 4 && feof(stdin)) {
            return 0;
        }
    }
    return 4;
}
